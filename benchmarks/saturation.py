"""Latency against offered load: puts that are due at a fixed rate, whatever the answers do (open loop).

A target's curve ends where it no longer keeps up: beyond that point latency measures only how long the run took.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.bench import Bench
from benchmarks.load import Load, LoadFailedError
from benchmarks.rounds import warm_up
from tests.harness.cluster import Cluster

CLIENTS = 500
KEEPS_UP = 0.95


@dataclass(frozen=True, slots=True)
class Point:
    """One rate, held for a while."""

    offered_per_second: float
    p50_ms: float
    p99_ms: float


def run_saturation(bench: Bench, *, rates: Sequence[int], seconds: float) -> dict[str, list[Point]]:
    """A curve for each target."""
    curves: dict[str, list[Point]] = {}
    for target in bench.targets:
        bench.tell(f"offered load: {target.target}, {rates[0]} to {rates[-1]} puts per second")
        with bench.cluster(target, "offered") as cluster:
            warm_up(cluster, bench.load)
            try:
                curves[target.target] = _curve(cluster, bench.load, rates, seconds)
            except LoadFailedError as error:
                bench.failed(f"{target.target}, offered load", error)
    return curves


def _curve(cluster: Cluster, load: Load, rates: Sequence[int], seconds: float) -> list[Point]:
    points: list[Point] = []
    for rate in rates:
        seen = load.run("put", cluster.endpoints, clients=CLIENTS, seconds=seconds, options=[f"-offered={rate}"])
        points.append(Point(rate, seen.p50_ms, seen.p99_ms))
        if seen.per_second < KEEPS_UP * rate:
            break
    return points
