"""Puts while 10,000 leases with a key each expire at about the same time: does it stall writers?"""

from benchmarks.bench import Bench
from benchmarks.figures import Quantity, Row
from benchmarks.load import LoadFailedError

LEASES = 10_000
CLIENTS = 100
SECONDS = 14.0
"""Both targets revoke about 1,000 leases a second."""

LABEL = "10,000 leases expire, 1,000 puts a second"
TAIL_LATENCY = Quantity("Latency of puts while leases expire, 99th percentile", "ms", more_is_better=False)


def run_storms(bench: Bench, *, rounds: int) -> None:
    """A storm on a fresh cluster of each target, in turn."""
    for number in range(1, rounds + 1):
        for target in bench.targets:
            bench.tell(f"storm {number} of {rounds}: {target.target}")
            with bench.cluster(target, f"storm{number}") as cluster:
                try:
                    seen = bench.load.run(
                        "storm", cluster.endpoints, clients=CLIENTS, seconds=SECONDS, options=[f"-keys={LEASES}"]
                    )
                except LoadFailedError as error:
                    bench.failed(cluster.target, error)
                    continue
            bench.figures.add(Row(TAIL_LATENCY, LABEL), target.target, seen.p99_ms, round_number=number)
