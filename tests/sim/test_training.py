"""Seeds with training jobs, replica groups and tenants as clients."""

import pytest

from raftkv_chaos.sim.case import Case
from raftkv_chaos.sim.knobs import TRAINING, draw_setup
from raftkv_chaos.sim.recount import counted
from raftkv_chaos.sim.run import OK, VIOLATION, run_seed

SHORT_S = 4.0
ONCE_FAILED = (
    20,  # a group that had failed to commit was told of the quorum that it had failed in
    46,  # a group's call of before was heard of last, and counted; its present one was answered with that quorum
)


@pytest.mark.parametrize("seed", [3, 9, 17])
def test_training_keeps_every_promise(seed: int) -> None:
    result = run_seed(seed, workload=TRAINING, duration_s=SHORT_S)
    assert result.verdict == OK, str(result)


@pytest.mark.parametrize("seed", ONCE_FAILED)
def test_a_seed_of_training_that_once_failed_keeps_every_promise(seed: int) -> None:
    result = run_seed(seed, workload=TRAINING)
    assert result.verdict != VIOLATION, str(result)


def test_a_seed_draws_the_same_cluster_and_faults_for_both_workloads() -> None:
    store, training = draw_setup(7), draw_setup(7, workload=TRAINING)
    assert (store.nodes, store.knobs, store.schedule) == (training.nodes, training.knobs, training.schedule)
    assert store.crew is None
    assert training.crew is not None
    assert training.clients == training.crew.clients


def test_a_case_says_which_workload_it_is_of() -> None:
    case = Case(7, workload=TRAINING)
    assert Case.from_json(case.to_json()) == case
    assert case.command() == "raftkv-chaos sim --seeds 7 --workload training"
    with pytest.raises(ValueError, match="a workload 'x'"):
        Case.from_json(case.to_json().replace('"training"', '"x"'))


def test_a_count_that_is_wrong_is_found_by_the_recount(monkeypatch: pytest.MonkeyPatch) -> None:
    def another(machine: object, prefix: bytes) -> tuple[int, int]:
        size, keys = counted(machine, prefix)  # type: ignore[arg-type] # a state machine
        return size, keys + 1

    monkeypatch.setattr("raftkv_chaos.sim.recount.counted", another)
    result = run_seed(0, workload=TRAINING, duration_s=1.0)
    assert (result.verdict, result.found_by) == (VIOLATION, "quota recount")
