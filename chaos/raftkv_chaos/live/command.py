"""`raftkv-chaos run`: real processes under faults, and a verdict.

Exit codes: 0 everything is as it should be, 1 it is not, 2 nobody knows: too little was tried, or the options cannot be.
"""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from raftkv.clock import SystemClock, unix_time
from raftkv_chaos.live import report
from raftkv_chaos.live.errors import LiveError
from raftkv_chaos.live.namespaces import why_not
from raftkv_chaos.live.plan import NEMESES
from raftkv_chaos.live.run import Options, Outcome, Run
from raftkv_chaos.live.sources import AVAILABLE
from raftkv_chaos.live.target import TARGETS
from raftkv_chaos.live.workloads import WORKLOADS
from raftkv_chaos.schedule import Schedule
from raftkv_jepsen.verdict import Validity, worst

UNKNOWN = 2


EXAMPLES = """
\b
Examples:
  raftkv-chaos run --time 60 --seed 7
  raftkv-chaos run --nemesis partition,pause --workload register,watch --rate 300
  raftkv-chaos run --target etcd --nodes 5           the same to a real etcd
  raftkv-chaos run --seed 0 --rounds 20              seeds 0 to 19, one after the other
  raftkv-chaos run --schedule chaos-raftkv-7-*/schedule.json   the same faults again
"""


class Names(click.ParamType[tuple[str, ...]]):
    """A list with commas, each name one of a few; `none` is the empty list."""

    name = "names"

    def __init__(self, known: list[str]) -> None:
        self._known = known

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """The names, each once, in the order given."""
        names = tuple(dict.fromkeys(name.strip() for name in str(value).split(",") if name.strip() not in {"", "none"}))
        if unknown := [name for name in names if name not in self._known]:
            self.fail(f"{', '.join(unknown)}: none of {', '.join(self._known)}", param, ctx)
        return names


@click.command(epilog=EXAMPLES)
@click.option(
    "--target", type=click.Choice(sorted(TARGETS)), default="raftkv", show_default=True, help="What is put under test."
)
@click.option("--nodes", type=click.IntRange(1, 9), default=3, show_default=True, help="How many.")
@click.option(
    "--time", "seconds", type=click.FloatRange(1, 86_400), default=60.0, show_default=True, help="Seconds of traffic."
)
@click.option("--workload", "workloads", type=Names(list(WORKLOADS)), help=f"By commas.  [default: {','.join(WORKLOADS)}]")
@click.option(
    "--nemesis", "nemeses", type=Names(list(NEMESES)), default=",".join(NEMESES), show_default=True, help="By commas, or none."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Draws the plan of faults, and what clients do.")
@click.option("--rate", type=click.FloatRange(1, 100_000), default=100.0, show_default=True, help="Operations begun a second.")
@click.option("--server-option", "server_options", multiple=True, help="A flag for every node, such as --snapshot-count=100.")
@click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), help="Where everything goes.  [default: one with the date]"
)
@click.option(
    "--schedule",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Faults as schedule.json has them, in place of drawn ones.",
)
@click.option(
    "--network",
    type=click.Choice(["auto", "relays", "namespaces"]),
    default="auto",
    show_default=True,
    help="TCP proxies, or packets between network namespaces, which root may have. auto: these, where they can be.",
)
@click.option(
    "--rounds", type=click.IntRange(min=1), default=1, show_default=True, help="Runs, each with the seed after the last."
)
@click.option("--keep-data", is_flag=True, help="Keep what the servers stored, even where nothing is wrong.")
def run(  # noqa: PLR0917  (click passes them by name)
    target: str,
    nodes: int,
    seconds: float,
    workloads: tuple[str, ...] | None,
    nemeses: tuple[str, ...],
    seed: int,
    rate: float,
    server_options: tuple[str, ...],
    folder: Path | None,
    schedule: Path | None,
    network: str,
    rounds: int,
    keep_data: bool,  # noqa: FBT001  (a switch)
) -> None:
    """Run a cluster of real processes under faults, and check what its clients saw."""
    if not AVAILABLE:
        raise _refusal("this needs Linux: /proc says which node opened a connection")
    folder = (folder or Path(f"chaos-{target}-{seed}-{datetime.fromtimestamp(unix_time(), UTC):%Y%m%d-%H%M%S}")).resolve()
    if folder.exists() and any(folder.iterdir()):
        raise _refusal(f"{folder} is not empty")
    drawn = None if schedule is None else _schedule(schedule)
    try:
        namespaces = network == "namespaces" or (network == "auto" and not why_not())
        system = TARGETS[target]()
        chosen = tuple(name for name in WORKLOADS if name not in system.spared) if workloads is None else workloads
        options = Options(system, folder, nodes, seconds, chosen, nemeses, seed, rate, server_options, drawn, namespaces)
        found = _rounds(options, rounds, keep_data=keep_data)
    except (LiveError, OSError) as error:
        raise _refusal(str(error)) from error
    raise SystemExit(worst(found).exit_code)


def _rounds(options: Options, rounds: int, *, keep_data: bool) -> list[Validity]:
    """One run after the other, until they are through, or one is interrupted."""
    found = []
    for number in range(rounds):
        folder = options.folder / f"seed-{options.seed + number}" if rounds > 1 else options.folder
        outcome = asyncio.run(_run(replace(options, seed=options.seed + number, folder=folder), keep_data=keep_data))
        found.append(outcome.validity)
        if outcome.interrupted:
            break
    if rounds > 1:
        tally = Counter(validity.value for validity in found)
        click.echo(f"{len(found)} runs: " + ", ".join(f"{count} {validity}" for validity, count in tally.items()))
    return found


async def _run(options: Options, *, keep_data: bool) -> Outcome:
    run = Run(options, SystemClock(), click.echo)
    outcome = await run.go()
    page = report.write(outcome)
    if not keep_data and not outcome.validity.exit_code:
        run.cluster.delete_data()
    for line in report.lines(outcome):
        click.echo(line)
    click.echo(f"report: {page}")
    return outcome


def _refusal(text: str) -> click.ClickException:
    return _Refusal(text)


class _Refusal(click.ClickException):
    exit_code = UNKNOWN


def _schedule(path: Path) -> Schedule:
    try:
        return Schedule.from_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _refusal(f"{path}: {error}") from error
