"""v3lockpb.Lock: a lock for clients that cannot keep up a conversation themselves (etcd server/etcdserver/api/v3lock)."""

from typing import Any

from raftkv.pb import rpc
from raftkv.pb.lock import LockRequest, LockResponse, UnlockRequest, UnlockResponse
from raftkv.recipes.line import enter, wait_for_turn
from raftkv.rpc.conversation import Conversations
from raftkv.rpc.method import Call, Kind, Method
from raftkv.rpc.standing import no_trace, own_lease, unmapped


class Lock:
    """The service."""

    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations

    def methods(self) -> list[Method]:
        """What it offers."""
        return [
            Method("/v3lockpb.Lock/Lock", Kind.UNARY, LockRequest, LockResponse, unmapped(self.lock)),
            Method("/v3lockpb.Lock/Unlock", Kind.UNARY, UnlockRequest, UnlockResponse, unmapped(self.unlock)),
        ]

    async def lock(self, request: LockRequest, call: Call) -> LockResponse:
        """Waits in line, and answers with the key that holds the lock while it exists. Who gives up leaves no key behind."""
        store = self._conversations.of(call)
        async with own_lease(store, request.lease) as lease:
            prefix = request.name + b"/"
            key = prefix + b"%x" % lease
            async with no_trace(store, key):
                entry = await enter(store, prefix, key, lease)
                header = entry.header if entry.first else await wait_for_turn(store, prefix, entry.place)
            return LockResponse(header=header, key=key)

    async def unlock(self, request: UnlockRequest, call: Call) -> Any:
        """Deletes the key, whoever asks for it."""
        response = await self._conversations.of(call).delete(rpc.DeleteRangeRequest(key=request.key))
        return UnlockResponse(header=response.header)
