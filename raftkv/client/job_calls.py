"""What the parts of a job ask of the cluster, and through what."""

import math
from collections.abc import Sequence
from typing import Protocol, TypeVar

from google.protobuf.message import Message

from raftkv.client.lease import HeldLease
from raftkv.client.method import Method, Repeat
from raftkv.errors import BarrierFailedError
from raftkv.pb import rendezvous as pb

Answered = TypeVar("Answered", bound=Message)

_SERVICE = "/raftkv.v1.Rendezvous/"
WORLD = Method(_SERVICE + "World", pb.WorldResponse, Repeat.ALWAYS)
LIST = Method(_SERVICE + "List", pb.ListResponse, Repeat.ALWAYS)
BARRIER = Method(_SERVICE + "Barrier", pb.BarrierResponse, Repeat.ALWAYS)
BARRIERS = Method(_SERVICE + "Barriers", pb.BarriersResponse, Repeat.ALWAYS)
CHECKPOINTS = Method(_SERVICE + "Checkpoints", pb.CheckpointsResponse, Repeat.ALWAYS)
LOOK = Method(_SERVICE + "Look", pb.RendezvousResponse, Repeat.ALWAYS)
HEARTBEAT = Method(_SERVICE + "Heartbeat", pb.HeartbeatResponse, Repeat.ALWAYS)
STEPS = Method(_SERVICE + "Steps", pb.StepsResponse, Repeat.ALWAYS)


class Calls(Protocol):
    """What a job needs of its client."""

    async def call(self, method: Method[Answered], request: Message, *, timeout: float | None = None) -> Answered:  # noqa: ASYNC109
        """As Client.call."""
        ...

    @property
    def endpoints(self) -> tuple[str, ...]:
        """As Client.endpoints."""
        ...

    def lease(self, ttl: int) -> HeldLease:
        """As Client.lease."""
        ...


def change(name: str) -> Method[pb.RendezvousResponse]:
    """A method that goes through the log."""
    return Method(_SERVICE + name, pb.RendezvousResponse, Repeat.BY_ID)


def barrier_request(
    job: str, node: str, name: str, *, token: int, nodes: Sequence[str], timeout: float | None
) -> pb.BarrierRequest:
    """Arrives; `timeout` in seconds."""
    milliseconds = 0 if timeout is None else max(1, round(timeout * 1000))
    return pb.BarrierRequest(job=job, node=node, token=token, name=name, nodes=nodes, timeout_ms=milliseconds)


async def wait_at_barrier(calls: Calls, request: pb.BarrierRequest) -> None:
    """Raises BarrierFailedError, RoundOverError."""
    response = await calls.call(BARRIER, request, timeout=math.inf)
    if response.outcome != pb.BarrierResponse.PASSED:
        raise BarrierFailedError(request.name, list(response.missing), response.reason, ranks=list(response.missing_ranks))


async def latest_checkpoint(calls: Calls, job: str) -> pb.Checkpoint | None:
    """The one of the highest step that is there as a whole, with its parts by rank; None: there is none."""
    request = pb.CheckpointsRequest(job=job, latest=True, shards=True)
    found = (await calls.call(CHECKPOINTS, request)).checkpoints
    return found[0] if found else None
