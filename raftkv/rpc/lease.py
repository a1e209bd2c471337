"""etcdserverpb.Lease: grant, revoke, renew, ask.

Grants and revocations go through the log. Only the leader knows the time that is left, so keepalives and questions about it go
there, all keepalives of a turn as one; their answers are pushed into the streams they came on, without a task for each.
"""

from asyncio import Future, get_running_loop
from collections.abc import AsyncIterator, Callable
from math import ceil
from random import Random
from typing import Any

from raftkv.apply.command import LEASE_GRANT, LEASE_REVOKE, body
from raftkv.errors import LeaseTooLongError, RequestError
from raftkv.mvcc.steps import SLICE_ROWS, Steps
from raftkv.pb import rpc
from raftkv.peer.asks import Kind as AskKind
from raftkv.reply import Reply
from raftkv.rpc.access import Access
from raftkv.rpc.leaderless import LeaderlessStreams
from raftkv.rpc.metadata import needs_leader, request_id
from raftkv.rpc.method import Call, Kind, Listener, Method, Outlet
from raftkv.server.lease_keeper import pack_question
from raftkv.server.quota import Quota
from raftkv.server.renewals import renewals
from raftkv.server.replica import Replica

MAX_TTL_S = 9_000_000_000
"""etcd takes no longer one."""
LEASE_COST_BYTES = 64
"""What a lease counts for the quota; as in etcd."""
MAX_PENDING = 1000
"""Keepalives of one stream that wait for the leader, beyond which no more are taken from it."""
MAX_BACKLOG_BYTES = 64 * 1024
"""Answers that a client has not collected, beyond which none of its keepalives are taken."""


def shortest_ttl_s(election_timeout_s: float) -> int:
    """A lease must outlive the election of a leader: shorter ones are granted so long, as in etcd."""
    return ceil(1.5 * election_timeout_s)


class Leases:
    """The service."""

    def __init__(self, replica: Replica, quota: Quota, access: Access, *, election_timeout_s: float, rng: Random) -> None:
        """`rng` chooses ids: it must be seeded from something that no other node has."""
        self.replica = replica
        self.renewals = renewals(replica)
        self.leaderless = LeaderlessStreams(lambda: replica.leader, replica.watches.loop, election_timeout_s)
        self._moment = (0, 0)
        """Revision and term that `_header` speaks of."""
        self._header = b""
        self._quota = quota
        self._access = access
        self._rng = rng
        self._shortest_ttl_s = shortest_ttl_s(election_timeout_s)

    def methods(self) -> list[Method]:
        """What it offers."""
        service, unary = "/etcdserverpb.Lease/", Kind.UNARY
        return [
            Method(service + "LeaseGrant", unary, rpc.LeaseGrantRequest, rpc.LeaseGrantResponse, self.grant),
            Method(service + "LeaseRevoke", unary, rpc.LeaseRevokeRequest, rpc.LeaseRevokeResponse, self.revoke),
            Method(
                service + "LeaseKeepAlive",
                Kind.BIDI,
                rpc.LeaseKeepAliveRequest,
                rpc.LeaseKeepAliveResponse,
                self.keep_alive,
            ),
            Method(
                service + "LeaseTimeToLive",
                unary,
                rpc.LeaseTimeToLiveRequest,
                rpc.LeaseTimeToLiveResponse,
                self.time_to_live,
            ),
            Method(service + "LeaseLeases", unary, rpc.LeaseLeasesRequest, rpc.LeaseLeasesResponse, self.leases),
        ]

    def grant(self, request: rpc.LeaseGrantRequest, call: Call) -> Reply[Any]:
        """Adds a lease. Its id and TTL are settled here, so that replicas cannot disagree about them."""
        if request.TTL > MAX_TTL_S:
            raise LeaseTooLongError
        self._quota.check(LEASE_COST_BYTES)
        settled = rpc.LeaseGrantRequest(TTL=max(request.TTL, self._shortest_ttl_s), ID=request.ID or self._new_id())
        return self.replica.propose(body(LEASE_GRANT, settled.SerializeToString()), request_id(call.metadata), call.author)

    def revoke(self, request: rpc.LeaseRevokeRequest, call: Call) -> Reply[Any]:  # noqa: ARG002 (a handler's shape)
        """Removes a lease and its keys."""
        return self.replica.propose(body(LEASE_REVOKE, call.body), request_id(call.metadata), call.author)

    def keep_alive(self, requests: AsyncIterator[rpc.LeaseKeepAliveRequest], call: Call) -> "_KeepAlives":
        """Renews leases as long as the client asks for it."""
        return _KeepAlives(self, requests, call)

    async def time_to_live(self, request: rpc.LeaseTimeToLiveRequest, call: Call) -> rpc.LeaseTimeToLiveResponse:
        """What is left of a lease, and which keys hang on it."""
        answer = await self.replica.ask_leader(AskKind.LEASE_TIME_TO_LIVE, pack_question(request.ID, keys=request.keys))
        response = rpc.LeaseTimeToLiveResponse.FromString(answer)
        for key in response.keys:  # these very keys: what hangs on the lease here may be something else
            self._access.check(call, rpc.RangeRequest(key=key))
        self.fill(response.header)
        return response

    def leases(self, request: rpc.LeaseLeasesRequest, call: Call) -> Reply[Any]:  # noqa: ARG002 (a handler's shape)
        """All leases."""
        return self.replica.read(self._all)

    def fill(self, header: rpc.ResponseHeader) -> None:
        """The header of an answer that changes nothing."""
        self.replica.fill(header)
        header.revision = self.replica.store.revision

    def encoded_header(self) -> bytes:
        """The header as answers begin with it, for many answers of the same moment."""
        moment = (self.replica.store.revision, self.replica.term)
        if moment != self._moment:
            answer = rpc.LeaseKeepAliveResponse()
            self.fill(answer.header)
            self._moment, self._header = moment, answer.SerializeToString()
        return self._header

    def _all(self) -> Steps[rpc.LeaseLeasesResponse]:
        response = rpc.LeaseLeasesResponse()
        self.fill(response.header)
        ids = sorted(self.replica.machine.lessor.leases)
        for first in range(0, len(ids), SLICE_ROWS):
            response.leases.extend([rpc.LeaseStatus(ID=lease_id) for lease_id in ids[first : first + SLICE_ROWS]])
            yield
        return response

    def _new_id(self) -> int:
        """Positive, and nobody else's: of 2^63, two are the same by chance once in an age."""
        return self._rng.randrange(1, 2**63)


class _KeepAlives(Listener):
    """One stream; what it says goes through the outlet, in the order of the requests."""

    __slots__ = ("_call", "_ended", "_outlet", "_pending", "_requests", "_room", "_service")

    def __init__(self, service: Leases, requests: AsyncIterator[rpc.LeaseKeepAliveRequest], call: Call) -> None:
        assert call.outlet is not None, "streams have an outlet"
        self._service = service
        self._requests = requests
        self._call = call
        self._outlet: Outlet = call.outlet
        self._pending: list[tuple[int, Reply[int]]] = []
        self._room: Future[None] | None = None
        self._ended: Callable[[], None] | None = None
        if needs_leader(call.metadata):
            service.leaderless.add(call.outlet.end)

    @property
    def full(self) -> bool:
        """Too much waits for the leader, or for the client."""
        return len(self._pending) >= MAX_PENDING or self._outlet.backlog > MAX_BACKLOG_BYTES

    def take(self, request: rpc.LeaseKeepAliveRequest) -> None:
        """Renews one lease."""
        reply = self._service.renewals.ask(request.ID)
        self._pending.append((request.ID, reply))
        reply.add_done_callback(self._answered)

    def finish(self, ended: Callable[[], None]) -> None:
        """See Listener."""
        if self._pending:
            self._ended = ended
        else:
            ended()

    def close(self) -> None:
        """See Listener."""
        self._service.leaderless.remove(self._outlet.end)
        pending, self._pending = self._pending, []
        for _, reply in pending:
            reply.cancel()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        """For carriers that know no listeners. All is said through the outlet, so this only ends."""
        self._outlet.on_drained = self._make_room
        try:
            async for request in self._requests:
                self.take(request)
                while self.full:
                    await self._more_room()
            while self._pending:
                await self._more_room()
        finally:
            self.close()
        raise StopAsyncIteration

    def _answered(self, _: Reply[int]) -> None:
        pending, answered = self._pending, 0
        for lease_id, reply in pending:
            if not reply.done():
                break
            answered += 1
            error = reply.exception()
            if error is not None:
                assert isinstance(error, RequestError)
                self._outlet.end(error)
                return
            response = rpc.LeaseKeepAliveResponse(ID=lease_id, TTL=reply.result())
            self._outlet.send(self._service.encoded_header() + response.SerializeToString())
        del pending[:answered]
        if not pending and self._ended is not None:
            self._ended()
        self._make_room()

    async def _more_room(self) -> None:
        self._room = get_running_loop().create_future()
        await self._room

    def _make_room(self) -> None:
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
