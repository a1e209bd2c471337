"""`raftkv-chaos mutants`: plants every bug of the catalogue, one at a time, and says what found it."""

import asyncio
from pathlib import Path

import click

from raftkv_chaos.mutants.campaign import Budget, CampaignError, Outcome, campaign
from raftkv_chaos.mutants.catalogue import MUTANTS
from raftkv_chaos.mutants.hunt import ROOT
from raftkv_chaos.mutants.mutant import Mutant
from raftkv_chaos.mutants.table import load_finds, page, save_finds, summary

PAGE = ROOT / "docs" / "mutants.md"
DEFAULTS = Budget()


@click.command("mutants")
@click.option("--only", default="", help="Ids or first letters of them, by commas: R3,W,K1b. All, where not given.")
@click.option("--budget", default=DEFAULTS.seeds, show_default=True, help="Seeds for each mutant and finder.")
@click.option("--seconds", default=DEFAULTS.finder_s, show_default=True, help="Processor time for each mutant and finder.")
@click.option("--first-seed", default=0, show_default=True, help="Where the seeds begin.")
@click.option("--kept", is_flag=True, help="Try only the seeds that found them before: do they still?")
@click.option("--jobs", default=2, show_default=True, help="Worker processes.")
@click.option(
    "--write", "page_path", type=click.Path(dir_okay=False, path_type=Path), help="Also write the page, and keep the finds."
)
def mutants(*, only: str, budget: int, seconds: float, first_seed: int, kept: bool, jobs: int, page_path: Path | None) -> None:
    """Plants every bug of the catalogue, one at a time, and says what found it. Runs in a checkout; exits 1 if one survives."""
    if not (ROOT / "tests" / "raft").is_dir():
        raise click.ClickException("the finders stand on the rigs of the tests: run this in a checkout of raftkv")
    chosen = _chosen(only)
    if kept and page_path is not None:
        raise click.UsageError("--kept looks at the finds that there are, and --write makes new ones: choose one of them")
    told = _Progress(len(chosen))
    limits = Budget(seeds=budget, finder_s=seconds)
    try:
        finds = load_finds() if kept else None
        outcomes = asyncio.run(campaign(chosen, limits, jobs=jobs, told=told, first_seed=first_seed, kept=finds))
    except* CampaignError as errors:
        raise click.ClickException(str(errors.exceptions[0])) from None
    click.echo("\n" + summary(outcomes))
    if page_path is not None:
        page_path.write_text(page(page_path.read_text() if page_path.exists() else "", outcomes))
        save_finds(outcomes)
    if any(outcome.find is None and not outcome.mutant.equivalent for outcome in outcomes):
        raise SystemExit(1)


def _chosen(only: str) -> list[Mutant]:
    names = [name.strip() for name in only.split(",") if name.strip()]
    if not names:
        return list(MUTANTS)
    known = {mutant.id for mutant in MUTANTS}
    chosen = [mutant for mutant in MUTANTS if mutant.id in names or mutant.id[0] in names]
    unknown = [name for name in names if name not in known and not any(identifier[0] == name for identifier in known)]
    if unknown:
        raise click.BadParameter(f"no such mutants: {', '.join(unknown)}", param_hint="--only")
    return chosen


class _Progress:
    """A line for each mutant."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0

    def __call__(self, outcome: Outcome) -> None:
        self._done += 1
        find, mutant = outcome.find, outcome.mutant
        if find is not None:
            verdict = f"found by {find.finder} at seed {find.seed}: {find.where} {find.what}"
        else:
            verdict = f"equivalent: {mutant.equivalent}" if mutant.equivalent else "NOT FOUND"
        click.echo(
            f"[{self._done}/{self._total}] {mutant.id:5} {mutant.title} - {verdict} ({outcome.seeds} seeds, {outcome.seconds:.1f} s)"
        )
        if outcome.broken:
            click.echo(f"        cannot be planted any more: {outcome.broken}")
        for unsound in outcome.unsound:
            click.echo(f"        found WITHOUT the mutant, too: {unsound}")
