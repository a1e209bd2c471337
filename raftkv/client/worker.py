"""A process at work in a world: what a training loop asks, whoever has formed the world for it.

    agent (a Participant, torchrun's handler) --forms the world, starts--> workers (one Worker each)

A worker learns who it is from its environment, where torchrun started it: `client.job()`.
"""

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from raftkv.client.job_calls import Calls, barrier_request, change, latest_checkpoint, wait_at_barrier
from raftkv.client.job_config import JobConfig
from raftkv.client.preemption import Preemption
from raftkv.client.session import Session
from raftkv.client.steps import Steps
from raftkv.errors import ConfigError
from raftkv.pb import rendezvous as pb

JOB, NODE, TOKEN = "RAFTKV_JOB", "RAFTKV_NODE", "RAFTKV_TOKEN"
_LOCAL_RANK, _LOCAL_WORLD_SIZE = "LOCAL_RANK", "LOCAL_WORLD_SIZE"
"""As torchrun sets them."""


@dataclass(frozen=True, slots=True)
class Place:
    """Who a worker is."""

    job: str
    node: str
    token: int
    """Of the world."""
    worker: int = 0
    """Which of the node's workers."""
    workers: int = 1
    """How many it has."""

    def environment(self) -> dict[str, str]:
        """What an agent gives its workers; which of them one is, torchrun says."""
        return {JOB: self.job, NODE: self.node, TOKEN: str(self.token)}


def place_from(environment: Mapping[str, str] = os.environ) -> Place:
    """Who this process is, as its agent says.

    Raises:
        ConfigError: no agent of raftkv started it.
    """
    try:
        return Place(
            environment[JOB],
            environment[NODE],
            int(environment[TOKEN]),
            int(environment.get(_LOCAL_RANK, "0")),
            int(environment.get(_LOCAL_WORLD_SIZE, "1")),
        )
    except KeyError as missing:
        raise ConfigError(f"{missing.args[0]} is not set: was this process started by an agent of raftkv?") from None
    except ValueError as error:
        raise ConfigError(f"{TOKEN}, {_LOCAL_RANK} and {_LOCAL_WORLD_SIZE} are numbers: {error}") from None


class Worker:
    """One process of a world. Making it asks nothing of the cluster."""

    def __init__(self, calls: Calls, session: Callable[[], Session], place: Place) -> None:
        """For `Client.job` and `Participant.worker`."""
        self.place = place
        self.config = JobConfig(calls, session, place.job)
        """Run-wide values."""
        self._calls = calls
        self._session = session

    def steps(self) -> Steps:
        """Heartbeats of the training loop, for `async with`."""
        place = self.place
        about = pb.HeartbeatRequest(
            job=place.job, node=place.node, token=place.token, worker=place.worker, workers=place.workers
        )
        return Steps(self._calls, self._session, about)

    def preemption(self, signals: Sequence[signal.Signals] = (signal.SIGTERM,)) -> Preemption:
        """A notice of preemption, for `async with`: all workers of the world listen, and stop after the same step.

        Args:
            signals: What gives notice when it comes to this process; only the main thread can listen to any.
        """
        place = self.place
        about = pb.AcknowledgePreemptionRequest(
            job=place.job, node=place.node, token=place.token, worker=place.worker, workers=place.workers
        )
        return Preemption(self._calls, self._session, about, signals)

    async def progress(self, step: int) -> None:
        """As Participant.progress."""
        place = self.place
        kind = pb.ReportRequest.PROGRESS
        request = pb.ReportRequest(job=place.job, node=place.node, token=place.token, kind=kind, step=step)
        await self._calls.call(change("Report"), request)

    async def barrier(self, name: str, *, nodes: Sequence[str] = (), timeout: float | None = None) -> None:  # noqa: ASYNC109
        """As Participant.barrier: a node is there with the first of its workers."""
        place = self.place
        request = barrier_request(place.job, place.node, name, token=place.token, nodes=nodes, timeout=timeout)
        await wait_at_barrier(self._calls, request)

    async def announce(self, step: int, location: str, data: str = "") -> None:
        """As Participant.announce: one of a node's workers says it, when all of the node's part is saved."""
        place = self.place
        request = pb.AnnounceRequest(job=place.job, node=place.node, token=place.token, step=step, location=location, data=data)
        await self._calls.call(change("Announce"), request)

    async def latest(self) -> pb.Checkpoint | None:
        """As Rendezvous.latest."""
        return await latest_checkpoint(self._calls, self.place.job)
