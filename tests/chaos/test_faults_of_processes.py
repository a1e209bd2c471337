"""What is done to single processes: who dialled is found out, clocks and disks lie, and a power failure takes what was not synced."""

import errno
import os
import socket
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from raftkv.clock import ManualClock, unix_time
from raftkv_chaos.faults import ClockFault, Crash, MemberChange
from raftkv_chaos.live import power
from raftkv_chaos.live.plan import NEMESES, draw
from raftkv_chaos.live.preload import Control, build
from raftkv_chaos.live.sources import source_of


def test_process_behind_a_connection_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as dialled:
        port = dialled.getsockname()[1]
        assert source_of(port, {"me": os.getpid()}) == "me"
        assert source_of(port, {"another": os.getppid()}) is None


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("library"))


def python_under(control: Control, program: str) -> str:
    environment = {**os.environ, **control.environment}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_clocks_are_off_by_what_they_were_told(tmp_path: Path, library: Path) -> None:
    control = Control(library, folder=tmp_path, data=tmp_path, clock=ManualClock())
    control.change(wall_offset_s=3600.0)
    said = float(python_under(control, "import time; print(time.time())"))
    assert 3500 < said - unix_time() < 3700
    before, after = map(float, python_under(control, SPAN).split())
    control.change(rate=0.5)
    slow_before, slow_after = map(float, python_under(control, SPAN).split())
    assert slow_after - slow_before < (after - before) * 0.9 + 0.02


SPAN = "import time; a = time.monotonic(); [None for _ in iter(lambda: time.thread_time() < 0.05, False)]; print(a, time.monotonic())"


def test_disk_fails_only_where_the_data_lies(tmp_path: Path, library: Path) -> None:
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    data.mkdir()
    control = Control(library, folder=tmp_path, data=data, clock=ManualClock())
    control.change(sync_errno=errno.EIO, write_errno=errno.ENOSPC)
    assert python_under(control, WRITE.format(data / "file")) == str(errno.ENOSPC)
    assert python_under(control, WRITE.format(elsewhere)) == "0"
    control.change(write_errno=0)
    assert python_under(control, WRITE.format(data / "file")) == str(errno.EIO)


WRITE = """
import os
try:
    file = os.open("{}", os.O_CREAT | os.O_WRONLY)
    os.write(file, b"bytes")
    os.fsync(file)
except OSError as error:
    print(error.errno)
else:
    print(0)
"""


def test_power_failure_keeps_what_was_synced(tmp_path: Path, library: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    control = Control(library, folder=tmp_path, data=data, clock=ManualClock())
    python_under(control, SYNC_AND_MORE.format(data / "log.tmp", data / "log", data / "unsynced"))
    lost = power.fail(data, control.journal, Always())
    assert (data / "log").read_bytes() == b"synced"
    assert (data / "unsynced").read_bytes() == b""
    assert lost == len(b" and more") + len(b"never")
    (data / "unsynced").write_bytes(b"")
    assert power.fail(data, control.journal, Always()) == 0  # what was left counts as synced


SYNC_AND_MORE = """
import os
file = os.open("{0}", os.O_CREAT | os.O_WRONLY)
os.write(file, b"synced")
os.fdatasync(file)
os.write(file, b" and more")
os.rename("{0}", "{1}")
os.close(os.open("{2}.old", os.O_CREAT | os.O_WRONLY))
old = os.open("{2}.old", os.O_WRONLY)
os.write(old, bytes(100))
os.fsync(old)
os.close(old)
os.unlink("{2}.old")  # its inode is free again
with open("{2}", "wb") as unsynced:
    unsynced.write(b"never")
"""


class Always(Random):
    """Dice that lose all that can be lost."""

    def choice(self, seq: Any) -> Any:
        return seq[0]


@pytest.mark.parametrize("seed", range(20))
def test_plan_is_the_same_for_a_seed_and_fits_its_time(seed: int) -> None:
    schedule = draw(seed, tuple(NEMESES), nodes=3, seconds=60.0)
    assert schedule == draw(seed, tuple(NEMESES), nodes=3, seconds=60.0)
    assert all(fault.at_s >= 1.0 and fault.end_s <= 60.0 for fault in schedule.faults)
    assert not any(isinstance(fault, ClockFault) and fault.drift > 0 for fault in schedule.faults)
    for fault, following in pairwise(schedule.faults):
        if isinstance(fault, MemberChange):
            assert following.at_s > fault.at_s + 5


def test_no_nemesis_is_no_fault() -> None:
    assert draw(1, (), nodes=3, seconds=60.0).faults == ()


def test_only_what_was_asked_for_is_drawn() -> None:
    kinds = {type(fault) for seed in range(5) for fault in draw(seed, ("clock",), nodes=3, seconds=30.0).faults}
    assert kinds == {ClockFault}
    crashes = [fault for seed in range(20) for fault in draw(seed, ("kill",), nodes=3, seconds=30.0).faults]
    assert {fault.node for fault in crashes if isinstance(fault, Crash)} == {0, 1, 2, 3}
