"""The finders bite: what found a mutant once finds it again, at the same seed, and finds nothing without it."""

import asyncio
from pathlib import Path

import pytest

from raftkv_chaos.mutants.campaign import Budget, Find, Outcome, campaign, replay
from raftkv_chaos.mutants.catalogue import MUTANTS, mutant
from raftkv_chaos.mutants.table import BEGIN, END, load_finds, page, save_finds

FINDS = load_finds()
SAMPLE = ("R3", "R5", "D4b", "K4", "K18", "W1", "W14")
"""One find of most finders, of those that take no second. All of them are replayed by `make mutants`."""
MENDED = (Find("cluster", 73, "", "applied twice after a snapshot"), Find("keys", 66, "", "a value before a creation"))
"""What the finders found in raftkv itself."""


def look(identifier: str | None, find: Find) -> Find | None:
    return asyncio.run(replay(mutant(identifier) if identifier else None, find, Budget()))


@pytest.mark.parametrize("identifier", SAMPLE)
def test_what_found_a_mutant_finds_it_again(identifier: str) -> None:
    assert look(identifier, FINDS[identifier]) is not None


@pytest.mark.parametrize("find", [*(FINDS[identifier] for identifier in SAMPLE[::3]), *MENDED], ids=str)
def test_nothing_is_found_without_a_mutant(find: Find) -> None:
    assert look(None, find) is None


def test_finds_are_of_mutants_that_there_are() -> None:
    assert FINDS.keys() <= {mutant.id for mutant in MUTANTS}


def test_a_campaign_tells_of_each_mutant_and_writes_what_it_found(tmp_path: Path) -> None:
    told: list[Outcome] = []
    chosen = [mutant("D4"), mutant("D1")]
    outcomes = asyncio.run(campaign(chosen, Budget(seeds=20), jobs=2, told=told.append))
    assert [outcome.mutant for outcome in outcomes] == chosen
    assert {outcome.mutant.id for outcome in told} == {"D1", "D4"}
    assert all(outcome.find is not None for outcome in outcomes)
    save_finds(outcomes, tmp_path / "found.toml")
    assert load_finds(tmp_path / "found.toml") == {outcome.mutant.id: outcome.find for outcome in outcomes}
    text = page(f"before\n{BEGIN}outdated\n{END}after\n", outcomes)
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "outdated" not in text
    assert "| D4 |" in text
