"""Keepalives of this node's clients: all that come in one turn are one question to the leader."""

from raftkv.peer.asks import Kind
from raftkv.server.batched_asks import BatchedAsks, Batching
from raftkv.server.lease_keeper import pack_renewal, unpack_ids
from raftkv.server.replica import Replica

MAX_IDS = 10_000
MAX_WAITING = 200_000


def renewals(replica: Replica) -> BatchedAsks[int, int]:
    """Takes ids of leases, which are renewed; answers their TTLs, or 0 where one is over."""
    return BatchedAsks(
        replica.ask_leader,
        Batching(
            kind=Kind.RENEW_LEASES,
            pack=lambda lease_ids: pack_renewal(replica.term, lease_ids),
            unpack=unpack_ids,
            later=replica.at_next_turn,
            max_batch=MAX_IDS,
            max_waiting=MAX_WAITING,
        ),
    )
