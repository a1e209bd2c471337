"""What the log says about leases.

    grant        a client, through any node: the TTL is final, whoever proposed it has raised it to what the cluster takes
    revoke       a client: the lease's keys go in one revision, in their order
    expire       the leader: as if each lease were revoked, one revision for each that has keys
    checkpoint   the leader: what is left of leases, so that the next leader need not begin anew

What a leader believes about time counts only in its own term. An entry of another term that says so is refused: it was
proposed by a leader that was deposed since, and renewals that it knew nothing of may have been promised.
"""

from collections.abc import Sequence

from raftkv.errors import NotLeaderError
from raftkv.lease.lessor import Lessor
from raftkv.mvcc import Event, Steps, Store
from raftkv.pb.command import CheckpointLeases, ExpireLeases
from raftkv.pb.rpc import LeaseGrantRequest, LeaseGrantResponse, LeaseRevokeRequest, LeaseRevokeResponse

LeaseResponse = LeaseGrantResponse | LeaseRevokeResponse
Events = Sequence[Event]


class LeaseCommands:
    """Applies them, to the leases and to the store."""

    def __init__(self, lessor: Lessor, store: Store) -> None:
        self._lessor = lessor
        self._store = store
        self.granted = 0
        """Leases granted since this process started."""
        self.revoked = 0
        """Leases revoked since then, the expired ones among them."""
        self.expired = 0

    def grant(self, request: LeaseGrantRequest) -> tuple[LeaseGrantResponse, Events]:
        """Adds a lease."""
        lease = self._lessor.grant(request.ID, request.TTL)
        self.granted += 1
        response = LeaseGrantResponse(ID=lease.id, TTL=lease.ttl_s)
        response.header.revision = self._store.revision
        return response, ()

    def revoke(self, request: LeaseRevokeRequest) -> Steps[tuple[LeaseRevokeResponse, Events]]:
        """Removes a lease and its keys."""
        events: Events = ()
        if self._lessor.exists(request.ID):  # if not, remove says so
            keys = yield from self._lessor.sorted_keys(request.ID)
            events = yield from self._store.delete_each([keys])
        self._lessor.remove(request.ID)
        self.revoked += 1
        response = LeaseRevokeResponse()
        response.header.revision = self._store.revision
        return response, events

    def expire(self, request: ExpireLeases, term: int) -> Steps[tuple[None, Events]]:
        """Removes leases and their keys, those that are still there. `term` is the entry's own.

        Raises:
            NotLeaderError: the entry comes from a leader that was deposed before it was appended.
        """
        _check_term(request.term, term)
        doomed = [lease_id for lease_id in dict.fromkeys(request.ids) if self._lessor.exists(lease_id)]
        keys: dict[int, list[bytes]] = {}
        for lease_id in doomed:
            keys[lease_id] = yield from self._lessor.sorted_keys(lease_id)
        events = yield from self._store.delete_each(list(keys.values()))
        for lease_id in doomed:
            self._lessor.remove(lease_id)
        self.revoked += len(doomed)
        self.expired += len(doomed)
        return None, events

    def checkpoint(self, request: CheckpointLeases, term: int) -> tuple[None, Events]:
        """Notes what is left of leases. `term` is the entry's own.

        Raises:
            NotLeaderError: as above.
        """
        _check_term(request.term, term)
        for lease_id, remaining_s in zip(request.ids, request.remaining_s, strict=True):
            self._lessor.checkpoint(lease_id, remaining_s)
        return None, ()


def _check_term(leader: int, entry: int) -> None:
    if leader != entry:
        raise NotLeaderError
