"""The KV protocol as recipes speak it (`raftkv.recipes.protocol.KV`), over the client.

Calls have no time limit of their own: who waits for a lock waits as long as its own limit says, through changes of the leader
and restarts, and the session's end ends the rest.
"""

from collections.abc import AsyncGenerator
from math import inf
from typing import TYPE_CHECKING

from raftkv.client.method import RANGE, READ_TXN, TXN
from raftkv.client.renewals import Renewals
from raftkv.client.transaction import is_read
from raftkv.client.watch import Watch
from raftkv.errors import ClientClosedError
from raftkv.pb import rpc

if TYPE_CHECKING:
    from raftkv.client.client import Client


class ClientKV:
    """What a client knows of the cluster."""

    def __init__(self, client: "Client") -> None:
        self._client = client
        self._renewals: dict[int, Renewals] = {}

    async def range(self, request: rpc.RangeRequest) -> rpc.RangeResponse:
        return await self._client.call(RANGE, request, timeout=inf)

    async def txn(self, request: rpc.TxnRequest) -> rpc.TxnResponse:
        return await self._client.call(READ_TXN if is_read(request) else TXN, request, timeout=inf)

    async def watch(self, request: rpc.WatchCreateRequest) -> AsyncGenerator[rpc.WatchResponse, None]:
        async with Watch(self._client._live, request, timeout=inf) as watch:  # noqa: SLF001 # of the same package
            async for batch in watch:
                if batch.events:
                    yield rpc.WatchResponse(header=batch.header, events=batch.events)
        raise ClientClosedError

    async def grant(self, ttl: int) -> rpc.LeaseGrantResponse:
        granted = await self._client.lease_grant(ttl, timeout=inf)
        session = self._client._live()  # noqa: SLF001 # of the same package
        self._renewals = {lease: renewals for lease, renewals in self._renewals.items() if not renewals.over}
        self._renewals[granted.ID] = Renewals(granted.ID, granted.TTL, session.keepalives, session.loop)
        return granted

    async def keep_alive(self, lease: int) -> int:
        ttl = await self._renewals[lease].renew()
        if ttl <= 0:
            self._forget(lease)
        return ttl

    async def revoke(self, lease: int) -> None:
        self._forget(lease)
        await self._client.lease_revoke(lease)

    def _forget(self, lease: int) -> None:
        if (renewals := self._renewals.pop(lease, None)) is not None:
            renewals.drop()
