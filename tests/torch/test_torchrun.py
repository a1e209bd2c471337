"""torchrun with unmodified training code: the leader is killed -9, an agent is killed -9, a late node joins."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from raftkv.client import BlockingClient
from raftkv.clock import SystemClock
from raftkv.pb import rendezvous as pb
from tests.harness.cluster import Cluster
from tests.harness.raftkv import RaftkvCluster

TRAIN = Path(__file__).parents[2] / "examples" / "train.py"
CLOCK = SystemClock()
PATIENCE_S = 60.0


class Agent:
    """One torchrun, with two workers."""

    def __init__(self, endpoints: str, job: str, nodes: str, node: str, folder: Path, *, steps: int) -> None:
        self.log = folder / f"{node}.log"
        conf = f"node={node},last_call_timeout=0.5,ttl=2,join_timeout=60"
        command = [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--nnodes",
            nodes,
            "--nproc-per-node",
            "2",
            "--max-restarts",
            "3",
        ]
        command += ["--rdzv-backend", "raftkv", "--rdzv-endpoint", endpoints, "--rdzv-id", job, "--rdzv-conf", conf]
        environment = {**os.environ, "TRAIN_STEPS": str(steps), "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
        self._file = self.log.open("w")
        self.process = subprocess.Popen(
            [*command, str(TRAIN), str(folder / "checkpoint.pt")],
            stdout=self._file,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )

    def said(self, pattern: str) -> list[str]:
        return re.findall(pattern, self.log.read_text())

    def wait(self) -> int:
        return self.process.wait(PATIENCE_S)

    def end(self) -> None:
        """Kills it and what it has started: workers have process groups of their own."""
        if self.process.poll() is None:
            for child in descendants(self.process.pid):
                os.kill(child, signal.SIGKILL)
            self.process.kill()
            self.process.wait()
        self._file.close()


def descendants(pid: int) -> list[int]:
    """The processes that a process has started, and theirs."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *descendants(child)]
    return found


@contextmanager
def agents(*made: Agent) -> Iterator[None]:
    try:
        yield
    except BaseException:
        for agent in made:
            sys.stdout.write(f"--- {agent.log.name}\n{agent.log.read_text()[-6000:]}")
        raise
    finally:
        for agent in made:
            agent.end()


def wait_until(reached: Callable[[], object], agent: Agent) -> None:
    """Looks again and again; the agent's end would make that useless."""
    deadline = CLOCK.now() + PATIENCE_S
    while not reached():
        assert CLOCK.now() < deadline, agent.log.read_text()[-4000:]
        try:
            code = agent.process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
        assert reached(), f"it ended with {code}\n{agent.log.read_text()[-4000:]}"


def anybody_said(made: list[Agent], pattern: str) -> bool:
    return any(agent.said(pattern) for agent in made)


def loss(*made: Agent) -> list[str]:
    return [found for agent in made for found in agent.said(r"loss (\S+)")]


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., Agent]:
    def start(endpoints: str, job: str, nodes: str, node: str, *, steps: int = 200) -> Agent:
        folder = tmp_path / job
        folder.mkdir(exist_ok=True)
        return Agent(endpoints, job, nodes, node, folder, steps=steps)

    return start


def test_job_does_not_notice_that_leaders_die(tmp_path: Path, start: Callable[..., Agent]) -> None:
    with RaftkvCluster(tmp_path / "cluster", size=3) as cluster:
        endpoints = ",".join(cluster.endpoints)
        calm = [start(endpoints, "calm", "2", node) for node in ("a", "b")]
        with agents(*calm):
            assert [agent.wait() for agent in calm] == [0, 0]
        shaken = [start(endpoints, "shaken", "2", node) for node in ("a", "b")]
        with agents(*shaken):
            for progress in ("begins", "step 20 ", "step 120 "):
                wait_until(partial(anybody_said, shaken, progress), shaken[0])
                kill_leader(cluster)
            assert [agent.wait() for agent in shaken] == [0, 0]
        assert loss(*shaken) == loss(*calm)
        assert len(loss(*calm)) == 1
        assert sum(len(agent.said("begins at step")) for agent in shaken) == 4, "no worker was started again"
        with BlockingClient(cluster.endpoints) as client:
            standing = client.rendezvous("shaken").look()
        assert (standing.phase, standing.outcome, standing.round) == (pb.CLOSED, pb.SUCCEEDED, 1)


def kill_leader(cluster: Cluster) -> None:
    """And brings it back, so that there is another to kill."""
    leader = cluster.leader()
    leader.kill()
    leader.start()
    cluster.wait_ready()


def test_rest_forms_again_when_an_agent_is_killed(endpoints: str, start: Callable[..., Agent]) -> None:
    first, doomed = (start(endpoints, "widowed", "1:2", node, steps=400) for node in ("a", "b"))
    with agents(first, doomed):
        wait_until(lambda: first.said("step 30 ") or doomed.said("step 30 "), first)
        doomed.end()
        wait_until(lambda: first.said(r"rank 0 of 2 begins at step \d+"), first)
        resumed = first.said(r"rank 0 of 2 begins at step (\d+)")
        assert int(resumed[-1]) >= 30, "it goes on from the checkpoint"
        assert first.wait() == 0
        assert len(loss(first)) == 1


def test_late_node_joins(endpoints: str, start: Callable[..., Agent]) -> None:
    first = start(endpoints, "grown", "1:2", "a", steps=100_000)  # more than there is time for
    with agents(first):
        wait_until(lambda: first.said("step 10 "), first)
        late = start(endpoints, "grown", "1:2", "b", steps=100_000)
        with agents(late):
            for agent in (first, late):
                wait_until(partial(agent.said, r"of 4 begins at step \d+"), agent)
            assert int(late.said(r"of 4 begins at step (\d+)")[0]) >= 10, "it goes on from the checkpoint"
