"""Numbers of a run: latency, throughput, and how long nobody's write was acknowledged, for the whole and for each fault."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from raftkv_jepsen.history import History, Operation

AFTERMATH_S = 3.0
"""A fault is charged with what comes so long after its end, too: that is where elections fall."""


@dataclass(frozen=True, slots=True)
class Span:
    """A fault in time."""

    name: str
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Point:
    """An operation that was answered."""

    time: float
    latency_s: float
    writes: bool


@dataclass(frozen=True, slots=True)
class Gap:
    """The longest time without an acknowledged write, in the whole run or around a fault."""

    name: str
    begin: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Figures:
    """All numbers of a run. Times are seconds since its beginning."""

    begin: float
    end: float
    points: list[Point]
    failed: list[float]
    faults: list[Span]
    gaps: list[Gap]
    """The whole run first, then each fault."""

    @property
    def longest_gap_s(self) -> float:
        """In the whole run."""
        return self.gaps[0].seconds

    def percentile_ms(self, share: float, *, writes: bool | None = None) -> float:
        """Of the latencies of all answered operations, or of writes or reads; 0 where there are none."""
        latencies = sorted(point.latency_s for point in self.points if writes is None or point.writes is writes)
        return 1000 * latencies[min(int(share * len(latencies)), len(latencies) - 1)] if latencies else 0.0


def measure(store: History, faults: Sequence[Span], begin: float, end: float) -> Figures:
    """The numbers of the history of the whole store."""
    answered = [each for each in store.operations if each.end is not None]
    points = [_point(each) for each in answered]
    failed = [event.time for event in store.events if event.type in {"fail", "info"} and event.time is not None]
    acknowledged = sorted(point.time for point in points if point.writes)
    gaps = [_gap("whole run", acknowledged, begin, end)]
    gaps.extend(_gap(fault.name, acknowledged, fault.begin, min(fault.end + AFTERMATH_S, end)) for fault in faults)
    return Figures(begin, end, points, failed, list(faults), gaps)


def _point(operation: Operation) -> Point:
    called, answered = operation.call_time or 0.0, operation.end_time or 0.0
    return Point(answered, answered - called, _writes(operation))


def _writes(operation: Operation) -> bool:
    return operation.f == "put" or any(f == "put" for f, _ in dict(operation.argument).get("success", ()))


def _gap(name: str, acknowledged: Sequence[float], begin: float, end: float) -> Gap:
    """The longest distance between acknowledgements that overlaps [begin, end]."""
    before = max((time for time in acknowledged if time <= begin), default=begin)
    after = min((time for time in acknowledged if time >= end), default=end)
    marks = [before, *(time for time in acknowledged if begin < time < end), after]
    distances = [(later - earlier, earlier) for earlier, later in pairwise(marks)]
    seconds, at = max(distances, default=(0.0, begin))
    return Gap(name, at, seconds)
