"""How fast changes reach watchers: many of them under load, and all of them after one put."""

from benchmarks.bench import Bench
from benchmarks.figures import Quantity, Row
from benchmarks.load import LoadFailedError, Seen
from tests.harness.cluster import Cluster

WRITERS = 100
FEW, MANY = 500, 1000

EVENTS = Quantity("Events that reach watchers of one prefix, per second", "1/s", more_is_better=True)
DELAY = Quantity("From a write's call to its event, median, while 100 clients write", "ms", more_is_better=False)
REACH = Quantity("From a put's call to its event at the last watcher, median", "ms", more_is_better=False)
REACH_TAIL = Quantity("From a put's call to its event at the last watcher, 99th percentile", "ms", more_is_better=False)


def run_watches(bench: Bench, *, rounds: int, seconds: float) -> None:
    """Both, on a fresh cluster of each target, in turn."""
    for number in range(1, rounds + 1):
        for target in bench.targets:
            bench.tell(f"watches {number} of {rounds}: {target.target}")
            with bench.cluster(target, f"watches{number}") as cluster:
                for watchers in (FEW, MANY):
                    seen = _run(bench, cluster, "fanout", watchers, seconds, f"-writers={WRITERS}")
                    if seen is not None:
                        label = f"{watchers:,} watchers, {WRITERS} writers"
                        bench.figures.add(Row(EVENTS, label), target.target, seen.per_second, round_number=number)
                        bench.figures.add(Row(DELAY, label), target.target, seen.p50_ms, round_number=number)
                seen = _run(bench, cluster, "reach", MANY, seconds)
                if seen is not None:
                    label = f"{MANY:,} watchers, 1 writer"
                    bench.figures.add(Row(REACH, label), target.target, seen.p50_ms, round_number=number)
                    bench.figures.add(Row(REACH_TAIL, label), target.target, seen.p99_ms, round_number=number)


def _run(bench: Bench, cluster: Cluster, operation: str, watchers: int, seconds: float, *options: str) -> Seen | None:
    try:
        seen = bench.load.run(operation, cluster.endpoints, clients=watchers, seconds=seconds, options=options)
    except LoadFailedError as error:
        bench.failed(cluster.target, error)
        return None
    if seen.errors:
        bench.figures.failures.append(f"{cluster.target}: {operation}, {watchers} watchers: {seen.errors} errors")
    return seen
