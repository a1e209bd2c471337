"""Heartbeats of this node's clients: all that come within a moment are one question to the leader, which this node may be."""

from asyncio import AbstractEventLoop

from raftkv.errors import Code, TooManyRequestsError, error_of_status
from raftkv.pb.rendezvous import HeartbeatAnswers, HeartbeatRequest, HeartbeatResponse, Heartbeats
from raftkv.peer.asks import Kind
from raftkv.reply import Reply
from raftkv.server.replica import Replica

MOMENT_S = 0.02
"""Nobody waits for the answer, so they may wait for each other."""
MAX_BATCH = 5_000
"""In one question."""
MAX_WAITING = 100_000
"""That wait for an answer."""

Waiting = tuple[HeartbeatRequest, Reply[HeartbeatResponse]]


class HeartbeatRelay:
    """What waits for the leader."""

    def __init__(self, replica: Replica, loop: AbstractEventLoop) -> None:
        self._replica = replica
        self._loop = loop
        self._next: list[Waiting] = []
        """What this moment has brought."""
        self._waiting = 0

    def tell(self, request: HeartbeatRequest) -> Reply[HeartbeatResponse]:
        """Tells the leader.

        Raises:
            TooManyRequestsError: too many wait already.
        """
        if self._waiting >= MAX_WAITING:
            raise TooManyRequestsError
        self._waiting += 1
        reply: Reply[HeartbeatResponse] = Reply()
        if not self._next:
            self._loop.call_later(MOMENT_S, self._ask)
        self._next.append((request, reply))
        return reply

    def _ask(self) -> None:
        waiting, self._next = self._next, []
        for first in range(0, len(waiting), MAX_BATCH):
            batch = waiting[first : first + MAX_BATCH]
            question = Heartbeats(each=[request for request, _ in batch]).SerializeToString()
            answer = self._replica.ask_leader(Kind.HEARTBEATS, question)
            answer.add_done_callback(lambda reply, batch=batch: self._answered(batch, reply))  # type: ignore[misc] # bound now

    def _answered(self, batch: list[Waiting], answer: Reply[bytes]) -> None:
        self._waiting -= len(batch)
        error = answer.exception()
        if error is not None:
            for _, reply in batch:
                if not reply.done():
                    reply.set_exception(error)
            return
        answers = HeartbeatAnswers.FromString(answer.result()).each
        assert len(answers) == len(batch), "the leader answered another question"
        for (_, reply), each in zip(batch, answers, strict=True):
            if reply.done():
                continue
            if each.code != Code.OK:
                reply.set_exception(error_of_status(each.code, each.error))
            else:
                reply.set_result(each.response)
