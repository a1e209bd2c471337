"""Rendezvous of a training job: one world per round, each rank once, and nobody acts in a round after the next one formed.

Operations, with the job as key: `join` {"node"} -> {"round", "rank", "world_size"}, and `act` {"node", "round"} -> true where it was
let through. A round has formed when the first join that names it is answered. An action that is called after a later
round was seen by anybody must be refused; one that overlaps may go either way.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from raftkv_jepsen.errors import HistoryError
from raftkv_jepsen.history import Operation
from raftkv_jepsen.verdict import Finding, Verdict, judged


def check_rendezvous(operations: Sequence[Operation]) -> Verdict:
    """Checks every job in a history.

    Raises:
        HistoryError: an operation lacks a field.
    """
    jobs: dict[Any, list[Operation]] = defaultdict(list)
    for operation in operations:
        if operation.f in {"join", "act"} and operation.end is not None:
            jobs[operation.key].append(operation)
    findings: list[Finding] = []
    rounds = 0
    try:
        for job, members in jobs.items():
            joins = [each for each in members if each.f == "join" and isinstance(each.outcome, tuple)]
            rounds += len({dict(each.outcome)["round"] for each in joins})
            findings += _worlds(job, joins)
            findings += _order(job, joins)
            findings += _late_acts(job, joins, [each for each in members if each.f == "act" and each.outcome is True])
    except (KeyError, TypeError, ValueError) as error:
        raise HistoryError(f"a rendezvous operation lacks or misstates {error}") from error
    counts = {"jobs": len(jobs), "rounds": rounds, "operations": sum(map(len, jobs.values()))}
    return judged(findings, counts)


def _worlds(job: Any, joins: list[Operation]) -> list[Finding]:
    """All who joined a round were told the same size, and each a rank of its own below it."""
    findings = []
    rounds: dict[int, list[Operation]] = defaultdict(list)
    for join in joins:
        rounds[dict(join.outcome)["round"]].append(join)
    for number, members in rounds.items():
        sizes = {dict(join.outcome)["world_size"] for join in members}
        if len(sizes) > 1:
            findings.append(Finding("two worlds", f"{job!r}: round {number} has sizes {sorted(sizes)}", tuple(members)))
        ranks: dict[int, Operation] = {}
        for join in members:
            rank, node = dict(join.outcome)["rank"], dict(join.argument)["node"]
            if not 0 <= rank < max(sizes):
                text = f"{job!r}: round {number} gave rank {rank} of {max(sizes)} to {node!r}"
                findings.append(Finding("rank out of range", text, (join,)))
            known = ranks.setdefault(rank, join)
            if dict(known.argument)["node"] != node:
                text = f"{job!r}: round {number} gave rank {rank} to {dict(known.argument)['node']!r} and {node!r}"
                findings.append(Finding("rank twice", text, (known, join)))
        findings += _two_ranks(job, number, members)
    return findings


def _two_ranks(job: Any, number: int, members: list[Operation]) -> list[Finding]:
    findings = []
    ranks: dict[Any, int] = {}
    for join in members:
        rank, node = dict(join.outcome)["rank"], dict(join.argument)["node"]
        if ranks.setdefault(node, rank) != rank:
            text = f"{job!r}: round {number} gave {node!r} ranks {ranks[node]} and {rank}"
            findings.append(Finding("two ranks", text, (join,)))
    return findings


def _order(job: Any, joins: list[Operation]) -> list[Finding]:
    """A join called after a round was seen formed leads to that round or a later one."""
    findings = []
    for join in joins:
        number = dict(join.outcome)["round"]
        later = next((o for o in joins if (o.end or 0) < join.call and dict(o.outcome)["round"] > number), None)
        if later is not None:
            text = f"{job!r}: a join led to round {number} after round {dict(later.outcome)['round']} had formed"
            findings.append(Finding("round went back", text, (later, join)))
    return findings


def _late_acts(job: Any, joins: list[Operation], acts: list[Operation]) -> list[Finding]:
    """`acts` that were let through, against the earliest sight of a later round."""
    formed: dict[int, Operation] = {}
    for join in sorted(joins, key=lambda each: each.end or 0):
        formed.setdefault(dict(join.outcome)["round"], join)
    findings = []
    for act in acts:
        number = dict(act.argument)["round"]
        later = [join for other, join in formed.items() if other > number and (join.end or 0) < act.call]
        if later:
            text = f"{job!r}: {dict(act.argument)['node']!r} acted in round {number} after a later one had formed"
            findings.append(Finding("acted too late", text, (later[0], act)))
    return findings
