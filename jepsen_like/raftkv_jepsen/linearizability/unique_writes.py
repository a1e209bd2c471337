"""Registers whose writes all differ: decided by looking at intervals, without a search (Gibbons and Korach, 1997, section 4).

A write and the reads of its value form a cluster. Between the first end in a cluster and the last call in it the register must
hold the cluster's value: a *forward zone*, where the first end comes first. Where the last call comes first, all of the
cluster's operations overlap, and can take place together at one moment of that *backward zone*. An order exists exactly if
no read ends before its write is called, no two forward zones overlap, and no backward zone lies within a forward one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from raftkv_jepsen.history import UNKNOWN, Operation

FOREVER = 1 << 60
BEFORE_ALL = -1


@dataclass(slots=True)
class Cluster:
    """A value's write and reads: the write's call, the earliest end and the latest call."""

    written: int
    first_end: int
    last_call: int
    seen: bool


def applies(operations: Sequence[Operation]) -> bool:
    """Whether there are only reads and writes, and no value is written twice."""
    written: set[Any] = {None}
    for operation in operations:
        if operation.f == "write":
            if operation.argument in written:
                return False
            written.add(operation.argument)
        elif operation.f != "read" or operation.outcome is UNKNOWN:
            return False
    return True


def linearizable(operations: Sequence[Operation], until: int = FOREVER) -> bool:
    """Whether the history up to the event `until` has an order. What ends after it counts as open."""
    clusters = _clusters(operations, until)
    if clusters is None:
        return False
    forward: list[tuple[int, int]] = []
    backward: list[tuple[int, int]] = []
    for cluster in clusters:
        begin, end = cluster.first_end, cluster.last_call
        if begin < end:
            forward.append((begin, end))
        else:
            backward.append((end, begin))
    forward.sort()
    if any(after[0] < before[1] for before, after in pairwise(forward)):
        return False
    return not _any_within(sorted(backward), forward)


def _clusters(operations: Sequence[Operation], until: int) -> list[Cluster] | None:
    """None where a read saw what was not yet, or never, being written."""
    by_value: dict[Any, Cluster] = {None: Cluster(BEFORE_ALL, BEFORE_ALL, BEFORE_ALL, seen=True)}
    for operation in operations:
        if operation.f == "write" and operation.call <= until:
            ended = operation.end is not None and operation.end <= until
            end = operation.end if ended and operation.end is not None else FOREVER
            by_value[operation.argument] = Cluster(operation.call, end, operation.call, seen=ended)
    for operation in operations:
        if operation.f == "read" and operation.end is not None and operation.end <= until:
            cluster = by_value.get(operation.outcome)
            if cluster is None or operation.end < cluster.written:
                return None
            cluster.first_end = min(cluster.first_end, operation.end)
            cluster.last_call = max(cluster.last_call, operation.call)
            cluster.seen = True
    return [cluster for cluster in by_value.values() if cluster.seen]


def _any_within(backward: list[tuple[int, int]], forward: list[tuple[int, int]]) -> bool:
    """Both sorted; the forward zones do not overlap, so the last one that begins before a backward zone is the only candidate."""
    place = 0
    for begin, end in backward:
        while place < len(forward) and forward[place][0] < begin:
            place += 1
        if place and end < forward[place - 1][1]:
            return True
    return False


def first_impossible(operations: Sequence[Operation]) -> Operation:
    """The operation with whose end a history that has no order loses its last one. Found by halving: beginnings of good ones are good."""
    ending = sorted((o for o in operations if o.end is not None), key=lambda o: o.end or 0)
    good, bad = -1, len(ending) - 1
    while bad - good > 1:
        middle = (good + bad) // 2
        if linearizable(operations, ending[middle].end or 0):
            good = middle
        else:
            bad = middle
    return ending[bad]
