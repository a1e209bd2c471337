"""etcdserverpb.Watch: one stream of requests, and responses that are pushed into it without a task for each.

The handler's task only takes requests. What happens to keys goes from the hub through the call's outlet to the connection,
in the turn in which it is applied.
"""

from asyncio import Future, get_running_loop
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

from raftkv.errors import Code, PermissionDeniedError, RequestError
from raftkv.pb import rpc
from raftkv.rpc.leaderless import LeaderlessStreams
from raftkv.rpc.metadata import needs_leader
from raftkv.rpc.method import Call, Kind, Method, Outlet
from raftkv.rpc.tenants import Census, Tenants, Watched
from raftkv.server.replica import Replica
from raftkv.watch import WatchStream

Authorize = Callable[[rpc.WatchCreateRequest, Call], None]
"""Raises RequestError where the caller may not watch. The request is as it came: its range_end is not yet interpreted."""


def nobody_is_denied(request: rpc.WatchCreateRequest, call: Call) -> None:
    """Where there is no authentication."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSettings:
    """How watches behave."""

    progress_interval_s: float = 600.0
    """Between two notifications of progress."""
    fragment_bytes: int = 2 * 1024 * 1024
    """Size of a response above which it comes in parts, where the client wants that."""
    election_timeout_s: float = 1.0


class Watch:
    """The service."""

    def __init__(
        self,
        replica: Replica,
        settings: WatchSettings,
        authorize: Authorize = nobody_is_denied,
        tenants: Tenants | None = None,
    ) -> None:
        self.authorize = authorize
        self.tenants = tenants
        self.settings = settings
        self.replica = replica
        replica.watches.fragment_bytes = settings.fragment_bytes
        self.leaderless = LeaderlessStreams(lambda: replica.leader, replica.watches.loop, settings.election_timeout_s)
        self.conversations: set[_Conversation] = set()
        if tenants is not None:
            tenants.open_watches = self._open_watches

    def methods(self) -> list[Method]:
        """What it offers."""
        return [Method("/etcdserverpb.Watch/Watch", Kind.BIDI, rpc.WatchRequest, rpc.WatchResponse, self.watch)]

    def watch(self, requests: AsyncIterator[rpc.WatchRequest], call: Call) -> "_Conversation":
        """Takes the requests of a stream until the client or the node ends it."""
        return _Conversation(self, requests, call)

    def _open_watches(self) -> Iterator[Watched]:
        for conversation in self.conversations:
            yield from conversation.watches()

    def recheck(self) -> None:
        """Who may watch what has changed: ends the watches that are not permitted any more. A token that is no longer good
        ends none: it was when the watch began, as in etcd.
        """
        for conversation in list(self.conversations):
            conversation.recheck()


class _Conversation:
    """One stream. It is iterated as a handler's answers are, but all that it says goes through the outlet."""

    def __init__(self, service: Watch, requests: AsyncIterator[rpc.WatchRequest], call: Call) -> None:
        assert call.outlet is not None, "streams have an outlet"
        self._service = service
        self._requests = requests
        self._call = call
        self._outlet: Outlet = call.outlet
        self._room: Future[None] | None = None
        self._stream: WatchStream

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        service, outlet = self._service, self._outlet
        census = None if service.tenants is None else Census(service.tenants, self._call)
        stream = self._stream = WatchStream(service.replica.watches, outlet, service.settings.progress_interval_s, census)
        outlet.on_drained = self._drained
        service.conversations.add(self)
        if needs_leader(self._call.metadata):
            service.leaderless.add(outlet.end)
        try:
            await self._take_requests()
            await get_running_loop().create_future()  # the client asks nothing more, and listens
        finally:
            service.leaderless.remove(outlet.end)
            service.conversations.discard(self)
            stream.close()
        raise StopAsyncIteration

    def watches(self) -> list[Watched]:
        """What is watched here."""
        return [(request, self._call) for request in self._stream.requests()]

    def recheck(self) -> None:
        """Ends what is not permitted any more."""
        self._stream.recheck(self._not_permitted)

    async def _take_requests(self) -> None:
        async for request in self._requests:
            self._take(request)
            while self._stream.full:  # a client that only asks is not answered without end
                self._room = get_running_loop().create_future()
                await self._room

    def _take(self, request: rpc.WatchRequest) -> None:
        match request.WhichOneof("request_union"):
            case "create_request":
                create = request.create_request
                self._stream.create(create, self._denied(create))
            case "cancel_request":
                self._stream.cancel(request.cancel_request.watch_id)
            case "progress_request":
                self._stream.progress()
            case _:
                pass  # as etcd: a request of a later version is no reason to end the others' watches

    def _denied(self, request: rpc.WatchCreateRequest) -> str:
        """Why the caller may not watch this, or nothing."""
        try:
            self._service.authorize(request, self._call)
        except RequestError as error:
            return _go_text(error)
        tenants = self._service.tenants
        return "" if tenants is None or not tenants.watched else tenants.watch_refusal(request, self._call)

    def _not_permitted(self, request: rpc.WatchCreateRequest) -> str:
        try:
            self._service.authorize(request, self._call)
        except PermissionDeniedError as error:
            return _go_text(error)
        except RequestError:
            return ""
        return ""

    def _drained(self) -> None:
        self._stream.drained()
        if self._room is not None and not self._room.done():
            self._room.set_result(None)


def _go_text(error: RequestError) -> str:
    """An error with its code, as grpc-go prints one: etcd's clients look for the text in it."""
    name = "Canceled" if error.code is Code.CANCELLED else error.code.name.title().replace("_", "")
    return f"rpc error: code = {name} desc = {error}"
