"""The guides to elections and recipes, and the example programs, at real servers."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.client.test_guide import DOCS, run
from tests.conftest import StartCluster
from tests.harness.raftkv import RaftkvCluster

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("guide", ["leader-election.md", "recipes.md"])
def test_examples_of_the_guide_work(endpoint: str, guide: str) -> None:
    run(DOCS / guide, endpoint)


def start(example: str, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-W", "error", str(EXAMPLES / example), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def told(process: "subprocess.Popen[str]") -> list[str]:
    out, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (0, "")
    return out.splitlines()


def test_leaders_follow_each_other_and_lose_no_step(start_cluster: StartCluster) -> None:
    endpoint = start_cluster(RaftkvCluster).endpoints[0]
    with start("leader_worker.py", endpoint, "first", "1000000") as first:
        assert first.stdout is not None
        while first.stdout.readline() != "first: step 3\n":
            assert first.poll() is None
        with start("leader_worker_blocking.py", endpoint, "second", "20") as second:
            first.kill()
            lines = told(second)
    assert lines[0].startswith("second: leads")
    steps = [int(line.rpartition(" ")[2]) for line in lines[1:]]
    assert steps == list(range(steps[0], 21))
    assert 4 <= steps[0] <= 20


def test_who_lost_the_lock_cannot_write(endpoint: str) -> None:
    assert told(start("fenced_writer.py", endpoint)) == [
        "first holds: True",
        "second holds: True",
        "first writes late: False",
    ]


def test_workers_do_each_job_once(endpoint: str) -> None:
    jobs = [f"job-{number}" for number in range(10)]
    assert told(start("job_worker.py", endpoint, "put", *jobs)) == []
    workers = [start("job_worker.py", endpoint, "work") for _ in range(2)]
    lines = [line for worker in workers for line in told(worker)]
    assert sorted(lines) == [f"{job} -> {job.upper()}" for job in jobs]
