"""Quorums of torchft's lighthouse: one id, one membership; ids only grow; what a group says of itself is what the others are told.

Operations `quorum` with the job as key: {"group", "step", "failures"} -> {"id", "members": [[group, step], ...]}. `failures`: how many steps
in a row came to nothing since the group was told of its last quorum.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from raftkv_jepsen.errors import HistoryError
from raftkv_jepsen.history import Operation
from raftkv_jepsen.verdict import Finding, Verdict, judged


def check_lighthouse(operations: Sequence[Operation], *, min_replicas: int = 1) -> Verdict:
    """Checks the quorums of every job.

    Raises:
        HistoryError: an operation lacks a field.
    """
    jobs: dict[Any, list[_Told]] = defaultdict(list)
    try:
        for operation in operations:
            if operation.f == "quorum" and operation.end is not None:
                jobs[operation.key].append(_Told(operation))
    except (KeyError, TypeError, ValueError) as error:
        raise HistoryError(f"a quorum lacks or misstates {error}") from error
    findings = [
        finding
        for job, told in jobs.items()
        for check in (_memberships, _order, _own_words, _failures)
        for finding in check(job, told)
    ]
    findings += [
        Finding(
            "too small", f"{job!r}: quorum {each.id} has {sorted(each.members)}, of at least {min_replicas}", (each.operation,)
        )
        for job, told in jobs.items()
        for each in told
        if len(each.members) < min_replicas
    ]
    ids = {(job, each.id) for job, told in jobs.items() for each in told}
    return judged(findings, {"quorums": len(ids), "answers": sum(map(len, jobs.values()))})


class _Told:
    """An answer."""

    __slots__ = ("failures", "group", "id", "members", "operation", "step")

    def __init__(self, operation: Operation) -> None:
        asked, told = dict(operation.argument), dict(operation.outcome)
        self.operation = operation
        self.group: str = asked["group"]
        self.step: int = asked["step"]
        self.failures: int = asked["failures"]
        self.id: int = told["id"]
        self.members: dict[str, int] = dict(told["members"])


def _memberships(job: Any, told: list[_Told]) -> Iterator[Finding]:
    """An id has one membership, and who was told of it is in it."""
    known: dict[int, _Told] = {}
    for each in told:
        first = known.setdefault(each.id, each)
        if first.members.keys() != each.members.keys():
            text = f"{job!r}: quorum {each.id} has {sorted(first.members)} and {sorted(each.members)}"
            yield Finding("one id twice", text, (first.operation, each.operation))
        if each.group not in each.members:
            text = f"{job!r}: {each.group} was told of quorum {each.id} of {sorted(each.members)}"
            yield Finding("not in its quorum", text, (each.operation,))


def _order(job: Any, told: list[_Told]) -> Iterator[Finding]:
    """Who asks after somebody was told of an id is told of that one or a later one."""
    newest: _Told | None = None
    ends = sorted(told, key=lambda each: each.operation.end or 0)
    place = 0
    for each in sorted(told, key=lambda each: each.operation.call):
        while place < len(ends) and (ends[place].operation.end or 0) < each.operation.call:
            if newest is None or ends[place].id > newest.id:
                newest = ends[place]
            place += 1
        if newest is not None and each.id < newest.id:
            text = f"{job!r}: {each.group} asked after quorum {newest.id}, and was told of {each.id}"
            yield Finding("an id fell", text, (newest.operation, each.operation))


def _own_words(job: Any, told: list[_Told]) -> Iterator[Finding]:
    """A group's step in its quorum is the one that it asked with."""
    for each in told:
        step = each.members.get(each.group, each.step)
        if step != each.step:
            text = f"{job!r}: {each.group} asked at step {each.step}, quorum {each.id} has it at {step}"
            yield Finding("another step", text, (each.operation,))


def _failures(job: Any, told: list[_Told]) -> Iterator[Finding]:
    """After a step that came to nothing there is another id."""
    last: dict[str, _Told] = {}
    for each in sorted(told, key=lambda each: each.operation.call):
        before = last.get(each.group)
        if each.failures and before is not None and each.id <= before.id:
            text = f"{job!r}: {each.group} failed to commit in quorum {before.id}, and is in {each.id} again"
            yield Finding("the same id after a failure", text, (before.operation, each.operation))
        last[each.group] = each
