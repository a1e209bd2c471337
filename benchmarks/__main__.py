"""`python -m benchmarks`: measures, prints, and on demand writes docs/benchmarks.md."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import machine
from benchmarks.bench import Bench
from benchmarks.chart import latency_chart
from benchmarks.failover import run_failovers
from benchmarks.figures import Figures
from benchmarks.load import LoadFailedError, ToolMissingError, build
from benchmarks.locks import run_locks
from benchmarks.report import document, tables
from benchmarks.rounds import run_rounds, workloads
from benchmarks.saturation import Point, run_saturation
from benchmarks.scale import run_scale
from benchmarks.storm import run_storms
from benchmarks.watches import run_watches
from tests.harness.cluster import Cluster, NotReadyError
from tests.harness.etcd import EtcdCluster
from tests.harness.processes import ProcessEndedError
from tests.harness.raftkv import RaftkvCluster

ROOT = Path(__file__).parent.parent
PROGRAM = ROOT / "build" / "etcdload"
DOCUMENT = ROOT / "docs" / "benchmarks.md"
CHART = ROOT / "docs" / "latency.svg"
TARGETS: dict[str, type[Cluster]] = {"etcd": EtcdCluster, "raftkv": RaftkvCluster}
OPERATIONS = ("put", "range", "srange", "txn", "mixed", "scan", "count", "page", "keepalive", "renew")
PARTS = ("rounds", "failover", "scale", "storm", "watches", "locks", "offered")


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to do. The quick one takes about two minutes, the full one about twenty."""

    rounds: int = 3
    seconds: float = 5.0
    clients: tuple[int, ...] = (1, 100, 500)
    kills: int = 10
    keys: int = 1_000_000
    rates: tuple[int, ...] = (500, 1000, 2000, 3000, 4000, 6000, 8000, 10_000, 12_000)

    def words(self) -> str:
        """A line for the report."""
        return (
            f"rounds: {self.rounds}; seconds for each workload: {self.seconds:g}; losses of the leader: {self.kills} each way"
        )


QUICK = Plan(rounds=1, seconds=2.0, clients=(1, 100), kills=3, keys=100_000, rates=(500, 2000, 4000, 8000))


def main() -> int:
    """Exit status 2 where the load generator cannot be built; else 0, whatever the figures are."""
    options = _parser().parse_args()
    plan = _plan(options)
    try:
        load = build(PROGRAM)
    except ToolMissingError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    with tempfile.TemporaryDirectory(prefix="raftkv-bench-", dir=options.directory) as directory:
        facts = machine.facts(Path(directory))
        bench = Bench([TARGETS[name] for name in options.targets], load, Path(directory))
        curves = _measure(bench, plan, options.parts, options.operations)
    print("\n".join([*facts, plan.words(), "", tables(bench.figures)]))
    if options.write:
        _write(bench.figures, curves, facts, plan)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Figures of raftkv beside those of etcd.")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs")
    parser.add_argument("--rounds", type=int, help="how often to run everything (default 3, quick 1)")
    parser.add_argument("--seconds", type=float, help="how long each workload runs (default 5, quick 2)")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to measure (default: all)")
    parser.add_argument("--operations", nargs="+", choices=OPERATIONS, default=OPERATIONS, help="workloads of the rounds")
    parser.add_argument("--targets", nargs="+", choices=tuple(TARGETS), default=tuple(TARGETS), help="default: both")
    parser.add_argument(
        "--directory", type=Path, help="where the servers keep their data (default: the system's temporary folder)"
    )
    parser.add_argument("--write", action="store_true", help="also write docs/benchmarks.md and its chart")
    return parser


def _plan(options: argparse.Namespace) -> Plan:
    plan = QUICK if options.quick else Plan()
    return replace(plan, rounds=options.rounds or plan.rounds, seconds=options.seconds or plan.seconds)


def _measure(bench: Bench, plan: Plan, parts: Sequence[str], operations: Sequence[str]) -> dict[str, list[Point]]:
    """Runs the parts one after the other; the curves of the last one, the rest is in the bench's figures."""
    curves: dict[str, list[Point]] = {}
    for part in parts:
        try:
            if part == "rounds":
                run_rounds(bench, workloads(operations, plan.clients), rounds=plan.rounds, seconds=plan.seconds)
            elif part == "failover":
                run_failovers(bench, kills=plan.kills)
            elif part == "scale":
                run_scale(bench, keys=plan.keys, seconds=plan.seconds)
            elif part == "storm":
                run_storms(bench, rounds=plan.rounds)
            elif part == "locks":
                run_locks(bench, rounds=plan.rounds, seconds=plan.seconds)
            elif part == "watches":
                run_watches(bench, rounds=plan.rounds, seconds=plan.seconds)
            else:
                curves = run_saturation(bench, rates=plan.rates, seconds=plan.seconds)
        except (LoadFailedError, NotReadyError, ProcessEndedError) as error:
            bench.failed(part, error)
    return curves


def _write(figures: Figures, curves: dict[str, list[Point]], facts: list[str], plan: Plan) -> None:
    DOCUMENT.parent.mkdir(exist_ok=True)
    if curves:
        CHART.write_text(latency_chart(curves))
    text = document(figures, facts=facts, settings=plan.words(), chart=CHART.name if curves else None)
    DOCUMENT.write_text(text)


if __name__ == "__main__":
    sys.exit(main())
