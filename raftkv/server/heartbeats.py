"""Heartbeats of this node's clients: all that come within a moment are one question to the leader."""

from asyncio import AbstractEventLoop
from collections.abc import Sequence

from raftkv.errors import Code, RequestError, error_of_status
from raftkv.pb.rendezvous import HeartbeatAnswers, HeartbeatRequest, HeartbeatResponse, Heartbeats
from raftkv.peer.asks import Kind
from raftkv.server.batched_asks import BatchedAsks, Batching
from raftkv.server.replica import Replica

MOMENT_S = 0.02
"""Nobody waits for the answer, so they may wait for each other."""
MAX_BATCH = 5_000
MAX_WAITING = 100_000


def heartbeats(replica: Replica, loop: AbstractEventLoop) -> BatchedAsks[HeartbeatRequest, HeartbeatResponse]:
    """Takes what workers say, answers what the leader makes of it."""
    return BatchedAsks(
        replica.ask_leader,
        Batching(
            kind=Kind.HEARTBEATS,
            pack=lambda requests: Heartbeats(each=requests).SerializeToString(),
            unpack=_unpack,
            later=lambda ask: loop.call_later(MOMENT_S, ask),
            max_batch=MAX_BATCH,
            max_waiting=MAX_WAITING,
        ),
    )


def _unpack(data: bytes) -> Sequence[HeartbeatResponse | RequestError]:
    answers = HeartbeatAnswers.FromString(data).each
    return [each.response if each.code == Code.OK else error_of_status(each.code, each.error) for each in answers]
