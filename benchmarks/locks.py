"""One lock passed among contenders, each on a connection of its own, by the recipe of etcd's own client."""

from benchmarks.bench import Bench
from benchmarks.figures import Quantity, Row
from benchmarks.load import LoadFailedError

CONTENDERS = (2, 8)
HAND_OVERS = Quantity("Lock handed over", "/s", more_is_better=True)


def run_locks(bench: Bench, *, rounds: int, seconds: float) -> None:
    """A few contenders, then more, on a fresh cluster of each target in turn."""
    for number in range(1, rounds + 1):
        for target in bench.targets:
            bench.tell(f"locks {number} of {rounds}: {target.target}")
            with bench.cluster(target, f"locks{number}") as cluster:
                for contenders in CONTENDERS:
                    try:
                        seen = bench.load.run(
                            "lock", cluster.endpoints, clients=contenders, seconds=seconds, options=[f"-conns={contenders}"]
                        )
                    except LoadFailedError as error:
                        bench.failed(cluster.target, error)
                        continue
                    row = Row(HAND_OVERS, f"{contenders} contenders")
                    bench.figures.add(row, target.target, seen.per_second, round_number=number)
