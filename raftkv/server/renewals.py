"""Keepalives of this node's clients: all that come in one turn are one question to the leader, which this node may be."""

from raftkv.errors import TooManyRequestsError
from raftkv.peer.asks import Kind
from raftkv.reply import Reply
from raftkv.server.lease_keeper import pack_renewal, unpack_ids
from raftkv.server.replica import Replica

MAX_IDS = 10_000
"""Leases in one question."""
MAX_WAITING = 200_000
"""Renewals that may wait for an answer."""


class Renewals:
    """What waits for the leader."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._next: list[tuple[int, Reply[int]]] = []
        """What this turn has brought."""
        self._waiting = 0

    def renew(self, lease_id: int) -> Reply[int]:
        """Renews a lease: the reply gets its TTL, or 0 if it is over.

        Raises:
            TooManyRequestsError: too many wait already.
        """
        if self._waiting >= MAX_WAITING:
            raise TooManyRequestsError
        self._waiting += 1
        reply: Reply[int] = Reply()
        if not self._next:
            self._replica.at_next_turn(self._ask)
        self._next.append((lease_id, reply))
        return reply

    def _ask(self) -> None:
        waiting, self._next = self._next, []
        for first in range(0, len(waiting), MAX_IDS):
            batch = waiting[first : first + MAX_IDS]
            question = pack_renewal(self._replica.term, [lease_id for lease_id, _ in batch])
            answer = self._replica.ask_leader(Kind.RENEW_LEASES, question)
            answer.add_done_callback(lambda reply, batch=batch: self._answered(batch, reply))  # type: ignore[misc] # bound now

    def _answered(self, batch: list[tuple[int, Reply[int]]], answer: Reply[bytes]) -> None:
        self._waiting -= len(batch)
        error = answer.exception()
        if error is not None:
            for _, reply in batch:
                if not reply.done():
                    reply.set_exception(error)
            return
        ttls = unpack_ids(answer.result())
        assert len(ttls) == len(batch), "the leader answered another question"
        for (_, reply), ttl in zip(batch, ttls, strict=True):
            if not reply.done():
                reply.set_result(ttl)
