"""The workloads, on fresh three-node clusters of both targets in turn: A B A B ..., never both at once.

A fresh cluster for each round keeps the one round's history out of the next; alternating spreads what else the machine
does over both targets.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.bench import Bench
from benchmarks.figures import Quantity, Row
from benchmarks.load import Load, LoadFailedError, Seen
from benchmarks.machine import cpu_seconds
from tests.harness.cluster import Cluster

SMALL_STORE_KEYS = 10_000
WARM_UP_S = 2.0
WARM_UP_CLIENTS = 50

THROUGHPUT = Quantity("Requests per second", "1/s", more_is_better=True)
MEDIAN_LATENCY = Quantity("Latency, median", "ms", more_is_better=False)
TAIL_LATENCY = Quantity("Latency, 99th percentile", "ms", more_is_better=False)
CPU = Quantity("CPU time of the three servers per 100,000 requests", "s", more_is_better=False)


@dataclass(frozen=True, slots=True)
class Workload:
    """One operation of etcdload with a number of clients."""

    operation: str
    clients: int

    @property
    def label(self) -> str:
        """How the tables call it."""
        return f"{self.operation}, {self.clients} client{'s' if self.clients > 1 else ''}"


def workloads(operations: Sequence[str], clients: Sequence[int]) -> list[Workload]:
    """Every operation with every number of clients."""
    return [Workload(operation, count) for operation in operations for count in clients]


def run_rounds(bench: Bench, plan: Sequence[Workload], *, rounds: int, seconds: float) -> None:
    """All rounds of all workloads."""
    for number in range(1, rounds + 1):
        for target in bench.targets:
            bench.tell(f"round {number} of {rounds}: {target.target}, {len(plan)} workloads of {seconds:g} s")
            with bench.cluster(target, f"round{number}") as cluster:
                warm_up(cluster, bench.load)
                for workload in plan:
                    measure(bench, cluster, workload, seconds=seconds, round_number=number)


def warm_up(cluster: Cluster, load: Load) -> None:
    """Fills the small key space, so that reads find something, and lets both sides reach their stride."""
    load.run("load", cluster.endpoints, clients=10, seconds=WARM_UP_S, options=[f"-keys={SMALL_STORE_KEYS}"])
    load.run("mixed", cluster.endpoints, clients=WARM_UP_CLIENTS, seconds=WARM_UP_S)


def measure(bench: Bench, cluster: Cluster, workload: Workload, *, seconds: float, round_number: int) -> None:
    """One workload on one cluster; a failure becomes a line of the report."""
    before = servers_cpu_seconds(cluster)
    try:
        seen = bench.load.run(workload.operation, cluster.endpoints, clients=workload.clients, seconds=seconds)
    except LoadFailedError as error:
        bench.failed(cluster.target, error)
        return
    used = (servers_cpu_seconds(cluster) - before) / seen.requests * 100_000
    for quantity, value in (*samples(seen), (CPU, used)):
        bench.figures.add(Row(quantity, workload.label), cluster.target, value, round_number=round_number)
    if seen.errors:  # a throughput with errors looks better than it is
        bench.figures.failures.append(
            f"{cluster.target}: {workload.label}: {seen.errors} errors beside {seen.requests} answers"
        )


def samples(seen: Seen) -> list[tuple[Quantity, float]]:
    """What the clients saw, by quantity."""
    return [(THROUGHPUT, seen.per_second), (MEDIAN_LATENCY, seen.p50_ms), (TAIL_LATENCY, seen.p99_ms)]


def servers_cpu_seconds(cluster: Cluster) -> float:
    """What all nodes together have used so far."""
    return sum(cpu_seconds(node.process.pid) for node in cluster.nodes)
