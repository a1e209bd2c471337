"""Failing cases are made smaller, written down and lived through again."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from raftkv.server.writer import Writer
from raftkv.storage.engine import Batch
from raftkv_chaos.command import main
from raftkv_chaos.faults import Crash
from raftkv_chaos.schedule import Schedule
from raftkv_chaos.sim.calendar import BEGAN, simulated_calendar
from raftkv_chaos.sim.campaign import ExecutorError, live_through, make_executor
from raftkv_chaos.sim.case import Case
from raftkv_chaos.sim.command import sim
from raftkv_chaos.sim.loop import VirtualLoop
from raftkv_chaos.sim.report import write_report
from raftkv_chaos.sim.run import OK, VIOLATION, Result
from raftkv_chaos.sim.shrinking import Shrinker

FAULTS = tuple(Crash(at_s=float(at), node=at % 3 + 1) for at in range(10))
CASE = Case(7, schedule=Schedule(FAULTS, 20.0), clients=frozenset(range(1, 6)))


def broken_by(case: Case, times: set[float], clients: set[int]) -> Result:
    assert case.schedule is not None
    assert case.clients is not None
    fails = times <= {fault.at_s for fault in case.schedule.faults} and clients <= case.clients
    return Result(case.seed, VIOLATION if fails else OK, found_by="durability" if fails else "")


def test_only_what_is_needed_is_left() -> None:
    shrinker = Shrinker(CASE, "durability", live=lambda case: broken_by(case, {3.0, 8.0}, {2}))
    small = shrinker.shrink()
    assert small.schedule is not None
    assert [fault.at_s for fault in small.schedule.faults] == [3.0, 8.0]
    assert small.clients == frozenset({2})
    assert shrinker.runs < 60


def test_a_case_that_breaks_something_else_is_no_smaller_case() -> None:
    shrinker = Shrinker(CASE, "log matching", live=lambda case: broken_by(case, set(), set()))
    assert shrinker.shrink() == CASE


def test_a_case_survives_being_written_down() -> None:
    assert Case.from_json(CASE.to_json()) == CASE
    assert Case.from_json(Case(1, ("crash",), 5, 3.0).to_json()) == Case(1, ("crash",), 5, 3.0)
    with pytest.raises(ValueError, match="no case"):
        Case.from_json("{}")


def test_a_case_says_how_to_live_through_it_again(tmp_path: Path) -> None:
    assert Case(9).command() == "raftkv-chaos sim --seeds 9"
    assert Case(9, ("crash", "disk"), 3, 5.0).command() == "raftkv-chaos sim --seeds 9 --nemesis crash,disk --nodes 3 --time 5"
    assert CASE.command(tmp_path / "case.json") == f"raftkv-chaos sim --case {tmp_path}/case.json"


def test_a_report_has_all_that_is_needed(tmp_path: Path) -> None:
    case = Case(3, duration_s=1.0)
    write_report(tmp_path, case, case.run(keep=True))
    names = {"case.json", "faults.txt", "history.jsonl", "log.jsonl", "report.html", "verdict.json"}
    assert {file.name for file in tmp_path.iterdir()} == names
    assert Case.from_json((tmp_path / "case.json").read_text()) == case


def test_the_command_tells_how_many_kept_their_promises() -> None:
    result = CliRunner().invoke(sim, ["--seeds", "5", "--time", "2"])
    assert result.exit_code == 0
    assert result.output.startswith("1/1 seeds, 0 failed, ")


def test_a_failing_seed_is_made_smaller_and_its_commands_live_through_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(self: Writer, batch: Batch, *, sync: bool) -> None:
        self._engine.write(batch, sync=False)

    monkeypatch.setattr(Writer, "_write", write)
    told = CliRunner().invoke(sim, ["--seeds", "1", "--time", "2", "--folder", str(tmp_path)])
    assert told.exit_code == 1
    assert "seed 1: violation  kept promises" in told.output
    assert "0 faults and 1 clients are enough" in told.output
    assert "  raftkv-chaos sim --seeds 1 --time 2\n" in told.output
    case = tmp_path / "chaos-sim-1" / "case.json"
    assert f"  raftkv-chaos sim --case {case}\n" in told.output
    assert CliRunner().invoke(sim, ["--case", str(case), "--no-shrink", "--folder", str(tmp_path)]).exit_code == 1


def test_runs_without_traffic_settle_nothing(tmp_path: Path) -> None:
    (tmp_path / "case.json").write_text(Case(3, duration_s=1.0, clients=frozenset()).to_json())
    result = CliRunner().invoke(sim, ["--case", str(tmp_path / "case.json")])
    assert result.exit_code == 2
    assert "1 void" in result.output


@pytest.mark.parametrize(
    "options", [["--seeds", "x"], ["--seeds", "5..5"], ["--nemesis", "rain"], ["--seeds", "1..3", "--executor", "nowhere:made"]]
)
def test_options_that_cannot_be_are_refused(options: list[str]) -> None:
    assert CliRunner().invoke(sim, options).exit_code == 2


def test_seeds_are_the_same_on_any_executor_even_in_threads_of_one_process() -> None:
    cases = [Case(seed, duration_s=1.5) for seed in (3, 5, 7)]
    with make_executor("concurrent.futures:ThreadPoolExecutor", 1) as executor:
        found = {case.seed: result.trace for case, result in live_through(cases, executor, 2)}
    assert found == {case.seed: case.run().trace for case in cases}
    options = ["--seeds", "3..5", "--time", "1", "--executor", "concurrent.futures:ThreadPoolExecutor"]
    told = CliRunner().invoke(sim, options)
    assert told.exit_code == 0
    assert "2/2 seeds, 0 failed" in told.output


def test_dask_is_asked_for_its_executor_and_missed_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    dialled: list[str] = []

    class Client:
        def __init__(self, address: str, *, timeout: float) -> None:
            assert timeout
            dialled.append(address)

        def get_executor(self) -> ThreadPoolExecutor:
            return ThreadPoolExecutor(1)

    monkeypatch.setitem(sys.modules, "distributed", SimpleNamespace(Client=Client))
    with make_executor("dask://scheduler:8786", 1):
        assert dialled == ["tcp://scheduler:8786"]
    monkeypatch.setitem(sys.modules, "distributed", None)
    told = CliRunner().invoke(sim, ["--seeds", "1..3", "--executor", "dask://scheduler:8786"])
    assert told.exit_code == 2
    assert "pip install 'raftkv[dask]'" in told.output


def test_a_simulation_leaves_other_threads_their_time() -> None:
    seen: list[bool] = []
    real, loop = time.time_ns, VirtualLoop()
    with closing(loop), simulated_calendar(loop):
        assert time.time_ns() == int(BEGAN * 1e9)
        other = Thread(target=lambda: seen.append(time.time_ns() != int(BEGAN * 1e9)))
        other.start()
        other.join()
    assert seen == [True]
    assert time.time_ns is real


def test_who_is_interrupted_has_found_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_case: Case) -> Result:
        raise KeyboardInterrupt

    monkeypatch.setattr(Case, "run", interrupt)
    monkeypatch.setattr(sys, "argv", ["raftkv-chaos", "sim", "--seeds", "1"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2


def test_any_executor_will_do() -> None:
    with make_executor("concurrent.futures:ThreadPoolExecutor", 1) as executor:
        assert executor.submit(len, "abc").result() == 3
    with pytest.raises(ExecutorError, match="makes no"):
        make_executor("collections:OrderedDict", 1)
