"""Whether a machine is fit to train: what passes, what does not, and what it says then."""

import socket
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from raftkv.errors import ConfigError
from raftkv.preflight import (
    Check,
    CommandCheck,
    DiskCheck,
    Finding,
    GpuCheck,
    NetworkCheck,
    failures,
    parse_checks,
    run_checks,
)

GOOD = "0, NVIDIA H100 80GB HBM3, 41, 0, [N/A], No, 0\n"


def nvidia_smi(folder: Path, output: str, status: int = 0) -> GpuCheck:
    """A check that asks a program which answers this."""
    (folder / "answer").write_text(output)
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\ncat {folder}/answer\nexit {status}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return GpuCheck(command=[str(program)])


def test_gpus_that_answer_and_have_no_errors_pass(tmp_path: Path) -> None:
    found = nvidia_smi(tmp_path, GOOD + GOOD.replace("0,", "1,", 1)).look()
    assert (found.passed, found.text) == (True, "2 GPUs (NVIDIA H100 80GB HBM3)")


@pytest.mark.parametrize(
    ("output", "status", "text"),
    [
        (GOOD.replace("41, 0,", "41, 3,"), 0, "GPU 0: 3 uncorrected memory errors"),
        (
            GOOD.replace("No, 0", "Yes, 1"),
            0,
            "GPU 0: bad memory rows wait for a reset; GPU 0: bad memory rows could not be remapped",
        ),
        (GOOD.replace("41", "97"), 0, "GPU 0: 97 °C"),
        (
            "Unable to determine the device handle: GPU is lost\n",
            15,
            "nvidia-smi: Unable to determine the device handle: GPU is lost",
        ),
        ("a, b\n", 0, "nvidia-smi said something else than was asked: 'a, b\\n'"),
    ],
)
def test_gpus_with_errors_do_not_pass_and_say_which(tmp_path: Path, output: str, status: int, text: str) -> None:
    found = nvidia_smi(tmp_path, output, status).look()
    assert (found.passed, found.text) == (False, text)


def test_driver_that_knows_fewer_fields_is_asked_for_fewer(tmp_path: Path) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(
        """#!/bin/sh
        case "$1" in *remapped*) echo 'Field "remapped_rows.pending" is not a valid field to query.'; exit 2;; esac
        echo '0, Tesla K80, 41, 7'
        """
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    found = GpuCheck(1, command=[str(program)]).look()
    assert (found.passed, found.text) == (False, "GPU 0: 7 uncorrected memory errors")


def test_gpus_must_be_as_many_as_are_needed() -> None:
    (needed,) = parse_checks("gpu:8")
    assert isinstance(needed, GpuCheck)
    nobody = GpuCheck(8, command=["no-such-program"])
    assert nobody.look() == Finding("gpu:8", passed=False, text="0 of 8 GPUs: there is no nvidia-smi")
    assert GpuCheck(command=["no-such-program"]).look().passed


def test_disk_that_keeps_what_is_written_passes_and_is_left_as_it_was(tmp_path: Path) -> None:
    found = DiskCheck(tmp_path, free_gib=0.001, size_mib=2).look()
    assert found.passed, found.text
    assert "MiB/s written" in found.text
    assert list(tmp_path.iterdir()) == []


def test_disk_that_is_full_slow_or_not_there_does_not_pass(tmp_path: Path) -> None:
    full = DiskCheck(tmp_path, free_gib=1e9).look()
    assert (full.passed, full.text.endswith("GiB free, 1e+09 needed")) == (False, True)
    ticks = iter(range(100))
    slow = DiskCheck(tmp_path, free_gib=0.001, size_mib=1, write_mib_s=10, now=lambda: float(next(ticks))).look()
    assert (slow.passed, "0 MiB/s written" in slow.text or "1 MiB/s written" in slow.text) == (False, True)
    gone = DiskCheck(tmp_path / "gone").look()
    assert gone == Finding(f"disk:{tmp_path}/gone", passed=False, text="No such file or directory")


def test_disk_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    ticks = iter(range(0, 10_000, 100))
    found = DiskCheck(tmp_path, free_gib=0.001, size_mib=3, timeout_s=50, now=lambda: float(next(ticks))).look()
    assert (found.passed, found.text) == (False, "writing took longer than 50 s")


@pytest.fixture
def listening() -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()


@pytest.fixture
def refusing() -> tuple[str, int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address: tuple[str, int] = server.getsockname()
        return address


def test_cluster_must_be_reached_by_most_of_its_endpoints(listening: tuple[str, int], refusing: tuple[str, int]) -> None:
    assert NetworkCheck([listening, listening, refusing]).look().passed
    found = NetworkCheck([listening, refusing, refusing]).look()
    assert (found.passed, found.text.startswith("1 of 3 reached: 127.0.0.1:")) == (False, True)
    assert not NetworkCheck([listening, refusing]).look().passed


def test_other_node_that_refuses_is_reached_and_half_of_them_are_enough(refusing: tuple[str, int]) -> None:
    nowhere = ("no-such-host.invalid", 1)
    assert NetworkCheck(peers=[refusing, nowhere]).look().passed
    assert not NetworkCheck(peers=[refusing, nowhere, nowhere]).look().passed
    assert NetworkCheck().look() == Finding("network", passed=True, text="0 of 0 reached")


def test_command_decides_by_its_exit_status_and_its_output_is_kept() -> None:
    good = CommandCheck(["sh", "-c", "echo fine"]).look()
    assert (good.passed, good.text, good.output) == (True, "exit status 0", "fine")
    bad = CommandCheck(["sh", "-c", "seq 10000; echo broken >&2; exit 3"]).look()
    assert (bad.passed, bad.text, bad.output.endswith("10000\nbroken"), len(bad.output) <= 4096) == (
        False,
        "exit status 3",
        True,
        True,
    )
    killed = CommandCheck(["sh", "-c", "kill -9 $$"]).look()
    assert (killed.passed, killed.text) == (False, "was ended by signal 9")
    missing = CommandCheck(["no-such-program"]).look()
    assert (missing.passed, missing.text) == (False, "cannot be run: No such file or directory")


def test_command_that_takes_too_long_is_killed_with_what_it_has_started() -> None:
    found = CommandCheck(["sh", "-c", "echo begun; sleep 1000 & sleep 1000"], timeout_s=0.2).look()
    assert (found.passed, found.text, found.output) == (False, "took longer than 0.2 s", "begun")


@dataclass(frozen=True)
class Stuck:
    """Looks until it is let go."""

    go: threading.Event
    name: str = "stuck"
    timeout_s: float = 0.01

    def look(self) -> Finding:
        self.go.wait()
        return Finding(self.name, passed=True, text="late")


async def test_check_that_is_stuck_holds_nobody_up() -> None:
    go = threading.Event()
    checks: list[Check] = [Stuck(go), CommandCheck(["true"])]
    findings = await run_checks(checks, grace_s=0.01)
    go.set()
    assert [finding.passed for finding in findings] == [False, True]
    assert failures(findings) == ["stuck: took longer than 0.01 s"]


def test_checks_are_read_as_people_write_them() -> None:
    gpu, disk, network, command = parse_checks(
        "gpu:8; disk:/ckpt?free_gib=500&write_mib_s=200&timeout=30; network ;command:/opt/check.sh --why 'all is ? well'",
        endpoints=["h1:2379", "[::1]:2379"],
        peers=["h2:29500", "h3"],
    )
    assert gpu == GpuCheck(8)
    assert isinstance(disk, DiskCheck)
    assert (disk.folder, disk.free_gib, disk.write_mib_s, disk.timeout_s) == (Path("/ckpt"), 500, 200, 30)
    assert network == NetworkCheck([("h1", 2379), ("::1", 2379)], [("h2", 29500)])
    assert command == CommandCheck(["/opt/check.sh", "--why", "all is ? well"])
    assert parse_checks("network:h5:1+h6:2") == [NetworkCheck([], [("h5", 1), ("h6", 2)])]
    assert parse_checks("command:true?timeout=5") == [CommandCheck(["true"], timeout_s=5.0)]
    assert parse_checks("command:sh -c 'true; true';gpu") == [CommandCheck(["sh", "-c", "true; true"]), GpuCheck()]
    assert parse_checks("") == []


@pytest.mark.parametrize(
    "spec",
    [
        "cpu",
        "gpu:many",
        "disk",
        "disk:/x?speed=1",
        "disk:/x?free_gib=much",
        "network:h1",
        "command:",
        "command:'",
        "gpu?free_gib=1",
    ],
)
def test_what_is_no_check_is_refused(spec: str) -> None:
    with pytest.raises(ConfigError):
        parse_checks(spec)
