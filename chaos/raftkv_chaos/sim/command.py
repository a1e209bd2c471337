"""`raftkv-chaos sim`: seeds, lived through in virtual time.

Exit codes: 0 every seed is as it should be, 1 one is not, 2 nobody knows: nothing but runs without traffic, or the options cannot be.
"""

import sys
from collections import Counter
from contextlib import closing, nullcontext
from pathlib import Path

import click

from raftkv.clock import SystemClock
from raftkv_chaos.schedule import KINDS
from raftkv_chaos.sim.campaign import ExecutorError, live_through, make_executor
from raftkv_chaos.sim.case import Case
from raftkv_chaos.sim.knobs import DURATION_S, STORE, WORKLOADS
from raftkv_chaos.sim.report import CASE, write_report
from raftkv_chaos.sim.run import OK, UNKNOWN, VIOLATION, VOID, Result
from raftkv_chaos.sim.shrinking import Shrinker

UNDECIDED = 2
TELLS_EVERY_S = 2.0
TEXT_LENGTH = 300

EXAMPLES = """
\b
Examples:
  raftkv-chaos sim --seeds 0..1000 --jobs 4
  raftkv-chaos sim --seeds 94                           one seed again
  raftkv-chaos sim --seeds 0..200 --nemesis crash,disk  these faults alone
  raftkv-chaos sim --seeds 0..200 --workload training   jobs, replica groups and tenants with quotas
  raftkv-chaos sim --case chaos-sim-94/case.json        a shrunk case again
  raftkv-chaos sim --seeds 0..100000 --jobs 64 --executor dask://scheduler:8786
"""


class Seeds(click.ParamType[range]):
    """A seed, or A..B: from A on, before B."""

    name = "seeds"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> range:
        """The seeds in order."""
        first, dots, end = str(value).partition("..")
        try:
            seeds = range(int(first), int(end) if dots else int(first) + 1)
        except ValueError:
            self.fail(f"{value!r}: a number, or A..B", param, ctx)
        if not seeds:
            self.fail(f"{value!r} is empty", param, ctx)
        return seeds


class Kinds(click.ParamType[tuple[str, ...]]):
    """Kinds of faults, by commas."""

    name = "kinds"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """The kinds, each once."""
        names = tuple(dict.fromkeys(name.strip() for name in str(value).split(",") if name.strip() not in {"", "none"}))
        if unknown := [name for name in names if name not in KINDS]:
            self.fail(f"{', '.join(unknown)}: none of {', '.join(KINDS)}", param, ctx)
        return names


@click.command(epilog=EXAMPLES)
@click.option("--seeds", type=Seeds(), default="0..100", show_default=True, help="One, or A..B: from A on, before B.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
@click.option(
    "--nemesis", "kinds", type=Kinds(), default=",".join(KINDS), show_default=True, help="Kinds of faults, by commas, or none."
)
@click.option("--workload", type=click.Choice(WORKLOADS), default=STORE, show_default=True, help="Who the clients are.")
@click.option("--nodes", type=click.IntRange(1, 7), help="Size of the cluster.  [default: drawn]")
@click.option(
    "--time",
    "duration_s",
    type=click.FloatRange(1, 3600),
    default=DURATION_S,
    show_default=True,
    help="Virtual seconds of faults.",
)
@click.option(
    "--case", "case_file", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="A case.json, in place of seeds."
)
@click.option("--executor", default="", help="dask://host:port, or module:factory of a concurrent.futures.Executor.")
@click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Where reports go.  [default: here]"
)
@click.option("--shrink/--no-shrink", default=True, show_default=True, help="Make failing cases smaller.")
@click.option("--failures", type=click.IntRange(min=1), default=5, show_default=True, help="Stop after so many.")
def sim(  # noqa: PLR0917  (click passes them by name)
    seeds: range,
    jobs: int,
    kinds: tuple[str, ...],
    workload: str,
    nodes: int | None,
    duration_s: float,
    case_file: Path | None,
    executor: str,
    folder: Path,
    *,
    shrink: bool,
    failures: int,
) -> None:
    """Live through seeds in virtual time: the very code of the nodes, with faults drawn from each seed.

    A seed always stands for the same run. One that breaks a promise leaves a folder with its history, its log, a report and the
    smallest case that was found to break the same promise.
    """
    if case_file is not None:
        try:
            cases = [Case.from_json(case_file.read_text(encoding="utf-8"))]
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--case") from error
    else:
        cases = [Case(seed, kinds, nodes, duration_s, workload=workload) for seed in seeds]
    progress = Progress(len(cases))
    try:
        pool = make_executor(executor, jobs) if len(cases) > 1 or executor else None
    except ExecutorError as error:
        raise click.BadParameter(str(error), param_hint="--executor") from error
    failing: list[tuple[Case, Result]] = []
    results = ((case, case.run()) for case in cases) if pool is None else live_through(cases, pool, jobs)
    with closing(results), nullcontext() if pool is None else pool:
        for case, result in results:
            progress.count(result)
            if result.verdict == VIOLATION:
                click.echo(str(result)[:TEXT_LENGTH])
                failing.append((case, result))
                if len(failing) >= failures:
                    results.close()
                    break
    progress.end()
    for case, result in failing:
        _explain(case, result, folder / f"chaos-sim-{case.seed}", shrink=shrink)
    sys.exit(progress.exit_code)


def _explain(case: Case, result: Result, folder: Path, *, shrink: bool) -> None:
    """Leaves a report of the smallest case that breaks the same promise."""
    small = case
    if shrink:
        shrinker = Shrinker(case, result.found_by)
        small = shrinker.shrink()
        assert small.schedule is not None, "a shrunk case is spelt out"
        assert small.clients is not None, "a shrunk case is spelt out"
        click.echo(
            f"seed {case.seed}: {len(small.schedule.faults)} faults and {len(small.clients)} clients are enough "
            f"({shrinker.runs} runs)"
        )
    write_report(folder, small, small.run(keep=True))
    click.echo(f"  {case.command()}")
    if shrink:
        click.echo(f"  {small.command(folder / CASE)}")
    click.echo(f"  {folder / 'report.html'}")


class Progress:
    """What is told meanwhile, and in the end."""

    def __init__(self, total: int) -> None:
        self._clock = SystemClock()
        self._total = total
        self._began = self._told = self._clock.now()
        self._verdicts: Counter[str] = Counter()
        self._virtual_s = 0.0
        self._acknowledged = 0
        self._struck: Counter[str] = Counter()

    def count(self, result: Result) -> None:
        """One more seed."""
        self._verdicts[result.verdict] += 1
        self._struck.update(result.struck)
        self._virtual_s += result.figures.get("virtual_s", 0.0)
        self._acknowledged += result.counts.get("acknowledged", 0)
        if self._clock.now() - self._told >= TELLS_EVERY_S:
            self._told = self._clock.now()
            click.echo(self._line(), err=True)

    def end(self) -> None:
        """The last word."""
        click.echo(self._line())
        if self._struck:
            click.echo("struck: " + ", ".join(f"{count} {what}" for what, count in sorted(self._struck.items())))
        if self._verdicts[VOID]:
            click.echo(f"{self._verdicts[VOID]} void: too little was acknowledged to say anything")
        if self._verdicts[UNKNOWN]:
            click.echo(f"{self._verdicts[UNKNOWN]} unknown: a checker came to no end")

    @property
    def exit_code(self) -> int:
        """0, 1 or 2 as at the head of the module."""
        if self._verdicts[VIOLATION]:
            return 1
        return 0 if self._verdicts[OK] and not self._verdicts[UNKNOWN] else UNDECIDED

    def _line(self) -> str:
        took = max(self._clock.now() - self._began, 1e-6)
        lived = self._verdicts.total()
        return (
            f"{lived}/{self._total} seeds, {self._verdicts[VIOLATION]} failed, {lived / took:.2f} seeds/s, "
            f"{self._virtual_s / 3600:.2f} h of virtual time, {self._acknowledged} operations"
        )
