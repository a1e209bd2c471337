"""Reads against the log: linearizable, serializable, of bounded staleness, and of the past.

An answer names its revision, and the log says what the store held there. That leaves the question of how old the revision may
be: not older than what had been acknowledged to anybody when a linearizable read was called, or that much earlier where
staleness is bounded; a serializable read may be of any age. None may be of the future.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

from raftkv_jepsen.errors import HistoryError
from raftkv_jepsen.history import UNKNOWN, Operation
from raftkv_jepsen.replay import Replay
from raftkv_jepsen.store import Range, parse_request
from raftkv_jepsen.verdict import Finding, Verdict, judged


class Acknowledged:
    """The highest revision that any answer had told of, by place in the history and by time."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        told = [(o.end, o.end_time, revision) for o in operations if o.end is not None and (revision := _revision(o))]
        told.sort(key=lambda item: item[0])
        self._ends = [end for end, _, _ in told]
        self._times = [time for _, time, _ in told if time is not None]
        self._highest = []
        highest = 0
        for _, _, revision in told:
            highest = max(highest, revision)
            self._highest.append(highest)
        self._timed = len(self._times) == len(told) and self._times == sorted(self._times)

    def before(self, place: int) -> int:
        """What had been acknowledged before a place in the history."""
        count = bisect_left(self._ends, place)
        return self._highest[count - 1] if count else 0

    def before_time(self, time: float) -> int:
        """What had been acknowledged before a time.

        Raises:
            HistoryError: the history tells no times, or they do not follow its order.
        """
        if not self._timed:
            raise HistoryError("bounded staleness needs a time on every event, in order")
        count = bisect_left(self._times, time)
        return self._highest[count - 1] if count else 0


def _revision(operation: Operation) -> int:
    """The revision in an answer; 0 where there is none."""
    if not isinstance(operation.outcome, tuple):
        return 0
    return int(dict(operation.outcome).get("revision") or 0)


def check_reads(operations: Sequence[Operation], replay: Replay) -> Verdict:
    """Checks every read that has an answer.

    Raises:
        HistoryError: a read cannot be understood.
    """
    acknowledged = Acknowledged(operations)
    findings: list[Finding] = []
    counts = {"linearizable": 0, "serializable": 0, "bounded": 0, "past": 0}
    for operation in operations:
        if operation.f != "range" or operation.end is None or operation.outcome is UNKNOWN:
            continue
        request = parse_request(operation.f, operation.argument)
        assert isinstance(request, Range)
        told = dict(operation.outcome or ())
        if "error" not in told:
            counts[_kind(request)] += 1
            findings.extend(_check(operation, request, told, replay, acknowledged))
    return judged(findings, counts)


def _kind(request: Range) -> str:
    if request.revision:
        return "past"
    if request.max_staleness_s is not None:
        return "bounded"
    return "serializable" if request.serializable else "linearizable"


def _check(
    operation: Operation, request: Range, told: dict[str, Any], replay: Replay, acknowledged: Acknowledged
) -> list[Finding]:
    label = told.get("revision")
    if label is None:
        raise HistoryError(f"{operation}: a read needs the revision of its answer")
    if max(label, request.revision) > replay.revision:
        return [Finding("future read", f"{operation}: the log ends at {replay.revision}", (operation,))]
    found = _difference(request, told, replay, request.revision or label)
    if found:
        return [Finding("wrong read", f"{operation}: {found}", (operation,))]
    needed = _needed(operation, request, acknowledged)
    if label < needed:
        return [Finding("stale read", f"{operation}: revision {label}, where {needed} had been acknowledged", (operation,))]
    return []


def _needed(operation: Operation, request: Range, acknowledged: Acknowledged) -> int:
    if request.max_staleness_s is not None:
        if operation.call_time is None:
            raise HistoryError("bounded staleness needs a time on every event, in order")
        return acknowledged.before_time(operation.call_time - request.max_staleness_s)
    return 0 if request.serializable else acknowledged.before(operation.call)


def _difference(request: Range, told: dict[str, Any], replay: Replay, revision: int) -> str:
    """What is not as the log has it, in words; empty where all is."""
    rows = replay.range(request.key, request.range_end, revision)
    if "count" in told and told["count"] != len(rows):
        return f"{told['count']} keys at revision {revision}, in the log {len(rows)}"
    kept = () if request.count_only else tuple(rows[: request.limit or None])
    if "kvs" in told and told["kvs"] != kept:
        return f"in the log, at revision {revision}: {kept}"
    return ""
