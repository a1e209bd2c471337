"""Every planted bug still fits the source: when code changes, the catalogue changes with it."""

import pytest

from raftkv_chaos.mutants.catalogue import GROUPS, IMPOSSIBLE, MUTANTS
from raftkv_chaos.mutants.finders import FINDERS
from raftkv_chaos.mutants.hunt import ROOT
from raftkv_chaos.mutants.mutant import Edit, Impossible, Mutant, StaleEditError, source_of

ALL: tuple[Mutant | Impossible, ...] = (*MUTANTS, *IMPOSSIBLE)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.id)
def test_each_edit_fits_exactly_once_and_leaves_a_module_that_compiles(mutant: Mutant) -> None:
    for module in mutant.modules:
        path = source_of(module)
        source = path.read_text()
        edited = mutant.apply(module, source)
        assert edited != source
        compile(edited, path, "exec")


def test_ids_are_given_once_and_belong_to_a_group() -> None:
    ids = [each.id for each in ALL]
    assert len(set(ids)) == len(ids)
    assert {identifier[0] for identifier in ids} == set(GROUPS)


def test_every_bug_of_the_literature_is_planted_or_said_to_be_impossible() -> None:
    counts = {"R": 43, "D": 15, "K": 18, "W": 16, "L": 13, "E": 8, "O": 8}
    covered = {each.id.rstrip("abcdefgh") for each in ALL}
    missing = [f"{letter}{n}" for letter, count in counts.items() for n in range(1, count + 1) if f"{letter}{n}" not in covered]
    assert missing == []


def test_finders_are_known_and_tests_are_there() -> None:
    for name in {name for mutant in MUTANTS for name in mutant.finders}:
        path = name.removeprefix("tests:")
        assert name in FINDERS or (path != name and (ROOT / path).exists()), name


def test_an_edit_that_does_not_fit_is_refused() -> None:
    edit = Edit("raftkv.raft.raft", "a = 1", "a = 2")
    assert edit.apply("a = 1\n") == "a = 2\n"
    for source in ("a = 3\n", "a = 1\na = 1\n"):
        with pytest.raises(StaleEditError):
            edit.apply(source)
