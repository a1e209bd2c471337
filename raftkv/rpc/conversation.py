"""The KV protocol as a recipe on this node speaks it: each question is a call of the node's own methods on behalf of the caller.

So a lock or an election has no way past any check that a client's own requests meet: authentication, quota, alarms, limits.
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, TypeVar

from google.protobuf.message import Message

from raftkv.errors import CompactedError, PermissionDeniedError, RequestError
from raftkv.pb import rpc
from raftkv.rpc.access import Access
from raftkv.rpc.method import Call, Method
from raftkv.rpc.news import News
from raftkv.server.replica import Replica
from raftkv.watch import WatchStream

NO_PROGRESS_S = 1e9
"""Nobody here asks to be told that nothing happens."""
OWN_METADATA = "raftkv-"
"""What the caller says of its own request holds for none of those that are made for it."""

Answered = TypeVar("Answered", bound=Message)


class Conversations:
    """What the conversations of a node have in common."""

    def __init__(self, replica: Replica, access: Access, methods: Mapping[str, Method]) -> None:
        self.replica = replica
        self.access = access
        self.methods = methods
        self.rechecks: set[Callable[[], None]] = set()
        """Of the watches under way."""

    def recheck(self) -> None:
        """Who may read what has changed: ends the watches that are not permitted any more."""
        for recheck in list(self.rechecks):
            recheck()

    def of(self, call: Call) -> "Conversation":
        """On behalf of who made this call."""
        return Conversation(self, call)


class Conversation:
    """A raftkv.recipes.protocol.KV."""

    def __init__(self, node: Conversations, call: Call) -> None:
        self._node = node
        self._call = call
        self._metadata = {name: value for name, value in call.metadata.items() if not name.startswith(OWN_METADATA)}

    async def range(self, request: rpc.RangeRequest) -> rpc.RangeResponse:
        return await self._ask("/etcdserverpb.KV/Range", request, rpc.RangeResponse)

    async def txn(self, request: rpc.TxnRequest) -> rpc.TxnResponse:
        return await self._ask("/etcdserverpb.KV/Txn", request, rpc.TxnResponse)

    async def delete(self, request: rpc.DeleteRangeRequest) -> rpc.DeleteRangeResponse:
        """Deletes keys, as only Unlock does it: with no comparison."""
        return await self._ask("/etcdserverpb.KV/DeleteRange", request, rpc.DeleteRangeResponse)

    async def grant(self, ttl: int) -> rpc.LeaseGrantResponse:
        return await self._ask("/etcdserverpb.Lease/LeaseGrant", rpc.LeaseGrantRequest(TTL=ttl), rpc.LeaseGrantResponse)

    async def revoke(self, lease: int) -> None:
        await self._ask("/etcdserverpb.Lease/LeaseRevoke", rpc.LeaseRevokeRequest(ID=lease), rpc.LeaseRevokeResponse)

    async def keep_alive(self, lease: int) -> int:
        """How long the lease has left. Who asks a node for a lock keeps its own lease alive."""
        request = rpc.LeaseTimeToLiveRequest(ID=lease)
        answer = await self._ask("/etcdserverpb.Lease/LeaseTimeToLive", request, rpc.LeaseTimeToLiveResponse)
        return int(max(0, answer.TTL))

    async def watch(self, request: rpc.WatchCreateRequest) -> AsyncGenerator[rpc.WatchResponse, None]:
        """Straight from the hub: a waiter costs a watch, and no task."""
        hub, access = self._node.replica.watches, self._node.access
        access.check(self._call, request)
        news = News()
        stream = WatchStream(hub, news, NO_PROGRESS_S)
        news.on_room = stream.drained

        def recheck() -> None:
            stream.recheck(lambda asked: _refusal(access, self._call, asked))

        self._node.rechecks.add(recheck)
        try:
            stream.create(request)
            while True:
                response = await news.next()
                if response.canceled:
                    access.check(self._call, request)  # what it was cancelled for, unless that has changed again
                    raise CompactedError if response.compact_revision else RequestError(response.cancel_reason)
                if response.events:
                    access.check(self._call, request)
                    yield response
        finally:
            self._node.rechecks.discard(recheck)
            stream.close()

    async def _ask(self, path: str, request: Message, answer_type: type[Answered]) -> Answered:
        call = self._call
        body = request.SerializeToString()
        inner = Call(path, self._metadata, call.deadline, call.peer, call.identity, body, call.author)
        answer: Any = await self._node.methods[path].handler(request, inner)  # type: ignore[misc] # unary: it can be awaited
        if isinstance(answer, list):
            answer = b"".join(answer)
        if isinstance(answer, bytes):
            return answer_type.FromString(answer)
        assert isinstance(answer, answer_type)
        return answer


def _refusal(access: Access, call: Call, request: Message) -> str:
    """Why its caller may not ask this any more, or nothing."""
    try:
        access.check_stream(call, request)
    except PermissionDeniedError as error:
        return str(error)
    except RequestError:
        return ""  # a token that is no longer good ends no watch
    return ""
