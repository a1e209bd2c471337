"""The finders bite: what found a mutant once finds it again, at the same seed, and finds nothing without it."""

import asyncio
from pathlib import Path

import pytest

from raftkv_chaos.mutants.campaign import Budget, Find, Outcome, campaign, replay
from raftkv_chaos.mutants.catalogue import MUTANTS, mutant
from raftkv_chaos.mutants.table import BEGIN, END, load_finds, page, save_finds

FINDS = load_finds()
SAMPLE = ("R3", "R5", "D4b", "K4", "K18b", "W1", "W14")
"""One find of most finders, of those that take no second and depend on little code. `raftkv-chaos mutants --kept` replays all."""


def look(identifier: str | None, find: Find) -> Find | None:
    return asyncio.run(replay(mutant(identifier) if identifier else None, find, Budget()))


@pytest.mark.parametrize("identifier", SAMPLE)
def test_what_found_a_mutant_finds_it_again(identifier: str) -> None:
    assert look(identifier, FINDS[identifier]) is not None


@pytest.mark.parametrize("find", [FINDS[identifier] for identifier in SAMPLE[::3]], ids=str)
def test_nothing_is_found_without_a_mutant(find: Find) -> None:
    assert look(None, find) is None


def test_a_mutant_that_does_not_fit_is_no_find(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"seeds": 1, "seconds": 0.0, "found": {"seed": 0, "broken": True, "where": "log", "what": "NameError"}}

    async def worker(*_: object) -> dict[str, object]:
        return answer

    monkeypatch.setattr("raftkv_chaos.mutants.campaign._worker", worker)
    outcome = asyncio.run(campaign([mutant("D4")], Budget(seeds=1), jobs=1, told=lambda _: None))[0]
    assert outcome.find is None
    assert outcome.broken == "log NameError"


def test_kept_finds_are_tried_and_nothing_else() -> None:
    chosen = [mutant("D4"), mutant("D1")]
    outcomes = asyncio.run(campaign(chosen, Budget(), jobs=2, told=lambda _: None, kept={"D4": FINDS["D4"]}))
    assert [(outcome.find, outcome.seeds) for outcome in outcomes] == [(FINDS["D4"], 1), (None, 0)]


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
