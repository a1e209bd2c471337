"""jax.distributed.initialize(cluster_detection_method="raftkv") in real processes, while the leader of the cluster is killed -9."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from raftkv.client import BlockingClient
from raftkv.pb.rendezvous import CLOSED, SUCCEEDED
from tests.client.test_guide import DOCS, EXAMPLE
from tests.harness.raftkv import RaftkvCluster

GUIDE = DOCS / "jax.md"
SCRIPT = Path(__file__).with_name("training_process.py")
AGAIN = 75
PATIENCE_S = 60.0
NODES = ["node-0", "node-1", "node-2"]


class TrainingProcess:
    """A process, its input and what it says."""

    def __init__(self, node: str, endpoints: str, script: Path = SCRIPT) -> None:
        environment = {
            **os.environ,
            "JAX_PLATFORMS": "cpu",
            "RAFTKV_ENDPOINTS": endpoints,
            "RAFTKV_JOB": "train",
            "RAFTKV_MIN_NODES": str(len(NODES)),
            "RAFTKV_NODE": node,
            "RAFTKV_TTL": "2",
        }
        command = [sys.executable, str(script)]
        self._process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def hear(self) -> dict[str, Any]:
        """The next that it says; gloo says something, too."""
        assert self._process.stdout is not None
        while not (line := self._process.stdout.readline()).startswith("{"):
            assert line, "it has ended"
        heard: dict[str, Any] = json.loads(line)
        return heard

    def everything(self) -> str:
        """What it says until it ends well."""
        said, _ = self._process.communicate(timeout=PATIENCE_S)
        assert self._process.returncode == 0
        return said

    def add(self, number: int) -> None:
        """It is to add this, times its id and one, to what the others have."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{number}\n")
        self._process.stdin.flush()

    def finish(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> int:
        """Its exit code."""
        assert self._process.stdout is not None
        code = self._process.wait(PATIENCE_S)
        self._process.stdout.close()
        if self._process.stdin is not None:
            self._process.stdin.close()
        return code


@contextmanager
def processes(endpoints: str, *nodes: str) -> Iterator[list[TrainingProcess]]:
    started = [TrainingProcess(node, endpoints) for node in nodes]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.end()


def add(those: list[TrainingProcess], number: int) -> list[float]:
    for process in those:
        process.add(number)
    return [process.hear()["sum"] for process in those]


def test_processes_find_each_other_and_add_up_while_leaders_die(tmp_path: Path) -> None:
    with RaftkvCluster(tmp_path, size=3) as cluster:
        endpoints = ",".join(cluster.endpoints)
        with processes(endpoints, *NODES[:2]) as two:
            for process in two:
                assert process.hear() == {"started": True}
            first = cluster.leader()
            first.kill()
            with processes(endpoints, NODES[2]) as third:
                assert third[0].hear() == {"started": True}
                everybody = [*two, *third]
                told = [process.hear() for process in everybody]
                assert sorted(what["process"] for what in told) == [0, 1, 2]
                assert {(what["count"], what["round"]) for what in told} == {(3, 1)}
                assert add(everybody, 1) == [6.0] * 3
                first.start()
                cluster.wait_ready([first])
                cluster.leader().kill()
                assert add(everybody, 2) == [12.0] * 3
                for process in everybody:
                    process.finish()
                assert [process.end() for process in everybody] == [0, 0, 0]
        with BlockingClient(cluster.endpoints, timeout=20) as client:
            standing = client.rendezvous("train").look()
        assert (standing.phase, standing.outcome) == (CLOSED, SUCCEEDED)


def test_death_of_a_process_ends_the_round_and_the_next_has_the_same_ids(tmp_path: Path) -> None:
    with RaftkvCluster(tmp_path, size=1) as cluster:
        (endpoint,) = cluster.endpoints
        with processes(endpoint, *NODES) as first:
            told = [(process.hear(), process.hear())[1] for process in first]
            coordinator = next(process for process, what in zip(first, told, strict=True) if what["process"] == 0)
            doomed, other = (process for process in first if process is not coordinator)
            doomed.kill()
            assert coordinator.end() == AGAIN
            assert other.end() != 0, "by itself, or by JAX, whose coordinator is gone"
        with processes(endpoint, *NODES) as second:
            again = [(process.hear(), process.hear())[1] for process in second]
            assert [what["process"] for what in again] == [what["process"] for what in told]
            assert {what["round"] for what in again} == {2}
            assert add(second, 1) == [6.0] * 3


def test_program_of_the_guide_works(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(EXAMPLE.findall(GUIDE.read_text())[0])
    with RaftkvCluster(tmp_path / "cluster") as cluster:
        started = [TrainingProcess(node, cluster.endpoints[0], script) for node in NODES]
        said = sorted(process.everything() for process in started)
    assert said == [f"process {number} of 3\n" for number in range(3)]
