"""torchrun as processes, and what they print."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from raftkv.clock import SystemClock
from tests.harness.cluster import Cluster

EXAMPLES = Path(__file__).parents[2] / "examples"
TORCHRUN = (sys.executable, "-m", "torch.distributed.run")
CLOCK = SystemClock()
PATIENCE_S = 60.0
SHORT = {"TRAIN_STEPS": "300", "TRAIN_STEP_S": "0"}
"""For jobs that are to end."""
LONG = {"TRAIN_STEPS": "100000", "TRAIN_STEP_S": "0.05"}
"""For those that are not: leaves the machine to the processes that start meanwhile."""


class Agent:
    """A torchrun; `name` names its log."""

    def __init__(self, name: str, arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str]) -> None:
        self.log = folder / f"{name}.log"
        environment = {**os.environ, **environment, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*TORCHRUN, *arguments],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=environment,
                start_new_session=True,
            )

    def said(self, pattern: str) -> list[str]:
        return re.findall(pattern, self.log.read_text())

    def begun(self, world_size: int) -> list[tuple[int, int]]:
        """Of the workers that began in a world of that size: rank and step, in their order."""
        found: list[tuple[str, str]] = re.findall(rf"rank (\d+) of {world_size} begins at step (\d+)", self.log.read_text())
        return [(int(rank), int(step)) for rank, step in found]

    def wait(self) -> int:
        return self.process.wait(PATIENCE_S)

    def kill(self) -> None:
        """-9, with what it has started: workers have process groups of their own."""
        if self.process.poll() is None:
            for child in descendants(self.process.pid):
                os.kill(child, signal.SIGKILL)
            self.process.kill()
            self.process.wait()


def registered(
    name: str, endpoints: str, job: str, folder: Path, *, nodes: str, workers: int = 2, environment: Mapping[str, str] = SHORT
) -> Agent:
    """An agent of examples/train_registered.py. A round that is not full waits; a node that is silent is dead after two seconds."""
    conf = f"node={name},last_call_timeout=30,ttl=2,join_timeout=60"
    arguments = ["--nnodes", nodes, "--nproc-per-node", str(workers), "--max-restarts", "3", "--rdzv-backend", "raftkv"]
    arguments += ["--rdzv-endpoint", endpoints, "--rdzv-id", job, "--rdzv-conf", conf]
    arguments += [str(EXAMPLES / "train_registered.py"), str(folder / job)]
    return Agent(f"{job}-{name}", arguments, folder=folder, environment=environment)


def descendants(pid: int) -> list[int]:
    """The processes that a process has started, and theirs."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *descendants(child)]
    return found


@contextmanager
def agents(*made: Agent) -> Iterator[None]:
    """Ends them; what they said is shown where the test fails."""
    try:
        yield
    except BaseException:
        for agent in made:
            sys.stdout.write(f"--- {agent.log.name}\n{agent.log.read_text()[-6000:]}")
        raise
    finally:
        for agent in made:
            agent.kill()


def wait_until(reached: Callable[[], object], agent: Agent) -> None:
    """Looks again and again; the agent's end would make that useless."""
    deadline = CLOCK.now() + PATIENCE_S
    while not reached():
        assert CLOCK.now() < deadline, "it takes too long"
        try:
            code = agent.process.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
        assert reached(), f"it ended with {code}"


def losses(*made: Agent) -> list[str]:
    return [found for agent in made for found in agent.said(r"loss (\S+)")]


def kill_leader(cluster: Cluster) -> None:
    """-9; brought back, so that there is another to kill."""
    leader = cluster.leader()
    leader.kill()
    leader.start()
    cluster.wait_ready()
