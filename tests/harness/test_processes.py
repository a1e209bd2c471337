import sys
from pathlib import Path

import pytest

from tests.harness.cluster import Cluster, NotReadyError
from tests.harness.ports import Ports, _in_use
from tests.harness.processes import Process, ProcessEndedError

WAIT_FOR_INPUT = "import signal; print('up', flush=True); signal.pause()"


def python(tmp_path: Path, code: str) -> Process:
    return Process("python", [sys.executable, "-c", code], log=tmp_path / "log")


def test_ports_are_taken_once_until_released() -> None:
    with Ports() as first, Ports() as second:
        taken = [first.take() for _ in range(50)] + [second.take() for _ in range(50)]
        assert len(set(taken)) == 100
        assert not second._lock(taken[0])
        assert not any(_in_use(port) for port in taken)
    with Ports() as third:
        assert third._lock(taken[0])


def test_process_that_ends_by_itself_shows_its_log(tmp_path: Path) -> None:
    process = python(tmp_path, "raise SystemExit('no such flag')")
    process.start()
    assert process.wait_for_end(20) == 1
    with pytest.raises(ProcessEndedError, match="no such flag"):
        process.check_running()


def test_killed_process_can_be_started_again(tmp_path: Path) -> None:
    process = python(tmp_path, WAIT_FOR_INPUT)
    process.start()
    first = process.pid
    process.kill()
    assert not process.running
    process.start()
    assert process.pid != first
    process.pause()
    process.end()
    assert not process.running


def test_terminate_gives_the_exit_status(tmp_path: Path) -> None:
    process = python(tmp_path, WAIT_FOR_INPUT)
    process.start()
    assert process.terminate() == -15


def test_cluster_whose_program_fails_ends_with_its_log(tmp_path: Path) -> None:
    class Broken(Cluster):
        target = "broken"
        program = (sys.executable, "-c", "raise SystemExit('cannot serve')")

    with pytest.raises((ProcessEndedError, NotReadyError), match="cannot serve"), Broken(tmp_path, size=3):
        pass
