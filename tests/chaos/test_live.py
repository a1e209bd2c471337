"""`raftkv-chaos run` as its users start it: real clusters under faults, verdicts, reports, exit codes."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.chaos.runs import COMMAND, chaos


def test_raftkv_keeps_its_promises_for_twenty_seconds_under_faults(tmp_path: Path) -> None:
    done = chaos(tmp_path / "run", "--time", "18", "--seed", "5", "--rate", "60", "--network", "relays")
    assert done.returncode == 0, done.stdout + done.stderr
    facts = json.loads((tmp_path / "run" / "verdicts.json").read_text())
    assert facts["validity"] == "ok"
    assert {
        "store",
        "register",
        "append",
        "watch",
        "lock",
        "lease",
        "election",
        "compaction",
        "log",
        "nodes",
        "output",
    } <= facts["verdicts"].keys()
    assert facts["not_done"] == {}
    assert facts["gaps"][0]["fault"] == "whole run"
    assert len(facts["gaps"]) > 4
    for name in ("report.html", "latency.svg", "throughput.svg", "schedule.json", "history/store.jsonl", "nodes/n1/log"):
        assert (tmp_path / "run" / name).stat().st_size
    assert not (tmp_path / "run" / "nodes" / "n1" / "data").exists()


def test_interrupted_run_reports_what_there_is_and_leaves_no_process(tmp_path: Path) -> None:
    command = [*COMMAND, "--folder", str(tmp_path / "run"), "--time", "60", "--nemesis", "pause", "--workload", "register"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if "answer" in line:
                break
        nodes = children(running.pid)
        assert len(nodes) == 3
        running.send_signal(signal.SIGINT)
        told = running.stdout.read()
        assert running.wait(30) == 2
    assert "interrupted" in told
    assert (tmp_path / "run" / "report.html").exists()
    assert not any(Path(f"/proc/{node}").exists() for node in nodes)


def children(process: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--nemesis", "meteor"], "meteor: none of partition"),
        (["--workload", "bank"], "bank: none of register"),
        (["--schedule", os.devnull], "/dev/null"),
        (["--server-option=--no-such-flag=1"], "does not come up"),
    ],
)
def test_options_that_cannot_be_are_refused_with_exit_code_2(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = chaos(tmp_path / "run", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
