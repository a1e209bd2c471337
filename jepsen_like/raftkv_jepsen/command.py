"""The command `raftkv-jepsen`.

Exit codes: 0 the history is as it should be, 1 it is not, 2 nobody knows, or the input cannot be right.
"""

import os
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import click

from raftkv.clock import SystemClock
from raftkv_jepsen import formats, page
from raftkv_jepsen.benchmark import HEADING, measure
from raftkv_jepsen.checkers import CHECKERS, Request
from raftkv_jepsen.errors import HistoryError, JepsenError
from raftkv_jepsen.linearizability.budget import Budget
from raftkv_jepsen.verdict import Validity, Verdict

UNKNOWN = 2
SPREAD_FROM = 20_000
"""Operations from which on starting processes pays."""
SHOWN = 10


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Check histories of operations."""


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--model", "-m", required=True, type=click.Choice(sorted(CHECKERS)), help="What the history is checked against.")
@click.option(
    "--log", "log_file", type=click.Path(path_type=Path), help="The committed log, as JSON lines: settles what is open."
)
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), default=300.0, show_default=True, help="Seconds.")
@click.option("--max-steps", type=click.IntRange(min=1), help="Stop the search after so many steps of the model.")
@click.option("--jobs", type=click.IntRange(min=1), help="Processes for histories of many keys.  [default: one per CPU]")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a page to look at.")
def check(  # noqa: PLR0917  (click passes them by name)
    file: Path,
    model: str,
    log_file: Path | None,
    timeout: float,
    max_steps: int | None,
    jobs: int | None,
    html: Path | None,
) -> None:
    """Check the history in FILE: JSON lines, EDN, or a console log of Jepsen."""
    clock = SystemClock()
    begun = clock.now()
    history = formats.read(file)
    if not history.operations and not history.events:
        raise HistoryError(f"{file}: no operations")
    processes = jobs or os.cpu_count() or 1
    many = processes > 1 and len(history.operations) >= SPREAD_FROM
    with ProcessPoolExecutor(processes) if many else nullcontext() as executor:
        request = Request(history, log_file, Budget(max_steps, timeout, clock), executor)
        verdict = CHECKERS[model](request)
    if html is not None:
        html.write_text(page.render(file.name, history, verdict), encoding="utf-8")
    _show(verdict, history.format, clock.now() - begun)
    sys.exit(verdict.validity.exit_code)


@cli.command()
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True), default=60.0, show_default=True, help="Seconds a history."
)
@click.option("--jobs", type=click.IntRange(min=1), help="Processes for the history of many keys.  [default: one per CPU]")
def bench(seed: int, timeout: float, jobs: int | None) -> None:
    """Measure the checkers over generated histories."""
    click.echo(HEADING)
    with ProcessPoolExecutor(jobs or os.cpu_count() or 1) as executor:
        for figure in measure(SystemClock(), seed, timeout, executor):
            click.echo(str(figure))


def _show(verdict: Verdict, format_name: str, seconds: float) -> None:
    click.echo(verdict.validity.value)
    for finding in verdict.findings[:SHOWN]:
        click.echo(f"  {finding}")
    if len(verdict.findings) > SHOWN:
        click.echo(f"  and {len(verdict.findings) - SHOWN} more")
    if verdict.validity is Validity.UNKNOWN:
        click.echo("  the search was cut off: more time (--timeout) or steps (--max-steps) may settle it")
    if verdict.impossible is not None:
        click.echo(f"longest linearizable prefix: {len(verdict.prefix)} operations")
    click.echo(f"format: {format_name}")
    for name, count in verdict.counts.items():
        click.echo(f"{name}: {count}")
    for name, rate in verdict.rates.items():
        click.echo(f"{name}: {rate:.4g}")
    click.echo(f"steps: {verdict.steps}")
    click.echo(f"seconds: {seconds:.3f}")


def run(arguments: list[str]) -> int:
    """Runs one command line and returns its exit code."""
    return _exit_code(lambda: cli.main(arguments, prog_name="raftkv-jepsen", standalone_mode=False))


def _exit_code(act: Callable[[], object]) -> int:
    try:
        result = act()
    except click.ClickException as error:
        error.show()
        return UNKNOWN
    except (JepsenError, OSError) as error:
        click.echo(f"Error: {error}", err=True)
        return UNKNOWN
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else UNKNOWN
    return result if isinstance(result, int) else 0


def main() -> None:
    """Runs the command line of this process and exits."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
