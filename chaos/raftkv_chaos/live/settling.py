"""The history of the whole store, made ready for the search: nothing is left open, and every write has its revision.

What clients did not hear is looked up in the log (`truth`), where values that never come twice tell whose write it was:

* an open write that is in the log took place at its revision, and anything else about it is unknown;
* an open write that is not in the log never took place;
* revisions that no client's request accounts for (locks, leases that ran out) are the cluster's own.

The revision of an answer pins a request to its place, and what the log says took place before an answered write of a later
revision did: the search has nothing to guess.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from raftkv_chaos.live.truth import Truth, line_of
from raftkv_jepsen.history import Operation, freeze
from raftkv_jepsen.store import LeaseGrant
from raftkv_jepsen.verdict import Finding

CLUSTER = "cluster"


def settle(operations: Sequence[Operation], truth: Truth) -> list[Operation]:
    """The operations to search."""
    last = 1 + max((max(each.call, each.end or 0) for each in operations), default=0)
    answered = [each for each in operations if each.end is not None]
    ends = _ends(answered, truth.last, last)
    found = [_looked_up(each, truth) for each in operations if each.end is None]
    opened = [_ending(each, ends, last) for each in found if each is not None]
    claimed = {_revision(each) for each in (*answered, *opened) if _writes(each)}
    own = (_ending(each, ends, last) for each in _own(truth, claimed))
    return sorted((*answered, *opened, *own, *_grants(truth)), key=lambda operation: operation.call)


def unfounded(operations: Sequence[Operation], truth: Truth) -> list[Finding]:
    """Acknowledged writes that the log does not have at their revision."""
    found = []
    for operation in operations:
        if operation.end is None or not _writes(operation):
            continue
        revision = _revision(operation)
        if any(revision not in truth.writers.get(put, ()) for put in _puts(operation)):
            found.append(Finding("lost write", f"{operation} is not in the log at revision {revision}", (operation,)))
    return found


def out_of_order(operations: Sequence[Operation]) -> list[Finding]:
    """Answers older than what somebody had heard before the request was made. Serializable reads may be."""
    marks = [(place, each) for each in _ordered(operations) for place in ((each.call, 0), (each.end or 0, 1))]
    return list(_walk(sorted(marks, key=lambda mark: mark[0])))


def _walk(marks: list[tuple[tuple[int, int], Operation]]) -> Iterator[Finding]:
    newest, heard = 0, ""
    known: dict[int, tuple[int, str]] = {}
    for (_, ended), operation in marks:
        if not ended:
            known[operation.call] = (newest, heard)
            continue
        before, whose = known.pop(operation.call)
        if _revision(operation) < before + _writes(operation):
            text = f"{operation}, after revision {before} had been answered ({whose})"
            yield Finding("stale", text, (operation,))
        if _revision(operation) > newest:
            newest, heard = _revision(operation), str(operation)[:120]


def _ordered(operations: Sequence[Operation]) -> Iterator[Operation]:
    for operation in operations:
        if operation.end is not None and not dict(operation.argument).get("serializable"):
            yield operation


def _ends(answered: Sequence[Operation], revisions: int, last: int) -> list[int]:
    """For each revision, the earliest end of an answered write of that revision or a later one."""
    ends = [last] * (revisions + 2)
    for operation in answered:
        if _writes(operation) and _revision(operation) <= revisions:
            ends[_revision(operation)] = operation.end or last
    for revision in range(revisions, -1, -1):
        ends[revision] = min(ends[revision], ends[revision + 1])
    return ends


def _ending(operation: Operation, ends: Sequence[int], last: int) -> Operation:
    """A write that the log knows ended before the next one that was answered."""
    end = ends[_revision(operation) + 1]
    return replace(operation, end=end if end > operation.call else last)


def _looked_up(operation: Operation, truth: Truth) -> Operation | None:
    """An open operation as the log tells it; None where it never took place, or changed nothing."""
    for key, value in _puts(operation):
        revisions = truth.writers.get((key, value), ())
        if revisions:
            answer: dict[str, Any] = {"revision": revisions[0]}
            if operation.f == "txn":
                answer["succeeded"] = True
            return replace(operation, outcome=freeze(answer))
    return None


def _puts(operation: Operation) -> Iterator[tuple[str, str]]:
    fields = dict(operation.argument)
    if operation.f == "put":
        yield fields["key"], fields["value"]
    for f, step in fields.get("success", ()):
        if f == "put":
            yield dict(step)["key"], dict(step)["value"]


def _writes(operation: Operation) -> bool:
    return any(True for _ in _puts(operation)) and bool(dict(operation.outcome).get("succeeded", True))


def _revision(operation: Operation) -> int:
    revision: int = dict(operation.outcome)["revision"]
    return revision


def _grants(truth: Truth) -> Iterator[Operation]:
    """Leases are granted before all else: the store is only asked which keys they hold."""
    for entry in truth.replay.entries:
        if isinstance(entry.request, LeaseGrant):
            yield Operation(CLUSTER, "lease_grant", freeze({"id": entry.request.id}), None, -2, -1)


def _own(truth: Truth, claimed: set[int]) -> Iterator[Operation]:
    for revision, events in truth.changes.items():
        if revision not in claimed:
            line = line_of(events)
            yield Operation(CLUSTER, line["f"], freeze(line["value"]), freeze({"revision": revision}), 0, None)
