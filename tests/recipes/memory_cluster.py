"""A cluster in memory under virtual time: the real store, leases that expire, watches, and a network that delays."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from raftkv.errors import CompactedError, LeaseNotFoundError, OutcomeUnknownError, RequestError
from raftkv.mvcc.steps import finish
from raftkv.mvcc.store import Store
from raftkv.pb import kv, rpc
from raftkv.recipes.sessions import Sessions
from raftkv.storage.memory import MemoryEngine
from raftkv.storage.overlay import Overlay
from raftkv_chaos.sim.loop import run

T = TypeVar("T")

ROUND_TRIP_S = 0.01
LONG_S = 3600.0
"""Virtual seconds after which a scenario has got stuck."""


class MemoryCluster:
    """Use `simulate`."""

    def __init__(self, seed: int = 1) -> None:
        self.rng = random.Random(seed)
        self.leases: dict[int, tuple[int, asyncio.TimerHandle]] = {}
        self.store = Store(Overlay(MemoryEngine()), lambda lease: lease in self.leases)
        finish(self.store.load())
        self.changed: set[asyncio.Event] = set()
        self.watches = 0

    def caller(self) -> "MemoryKV":
        """A client of its own."""
        return MemoryKV(self)

    def keys(self, prefix: bytes = b"") -> list[bytes]:
        """The keys that are there, but for those of no interest."""
        response = finish(self.store.range(rpc.RangeRequest(key=prefix or b"\0", range_end=b"\0")))
        return [each.key for each in response.kvs if each.key.startswith(prefix)]

    def txn(self, request: rpc.TxnRequest) -> rpc.TxnResponse:
        written = finish(self.store.txn(request))
        response = written.response
        assert isinstance(response, rpc.TxnResponse)
        response.header.revision = self.store.revision
        self.notify()
        return response

    def notify(self) -> None:
        for event in self.changed:
            event.set()

    def delete(self, *keys: bytes) -> None:
        """An operator's hand."""
        deletes = [rpc.RequestOp(request_delete_range=rpc.DeleteRangeRequest(key=key)) for key in keys]
        self.txn(rpc.TxnRequest(success=deletes))

    def compact(self) -> None:
        finish(self.store.compact(rpc.CompactionRequest(revision=self.store.revision)))

    def grant(self, ttl: int) -> int:
        lease = self.rng.getrandbits(40)
        self.leases[lease] = (ttl, self._expiry(lease, ttl))
        return lease

    def keep_alive(self, lease: int) -> int:
        if lease not in self.leases:
            return 0
        ttl, timer = self.leases[lease]
        timer.cancel()
        self.leases[lease] = (ttl, self._expiry(lease, ttl))
        return ttl

    def revoke(self, lease: int) -> None:
        if lease not in self.leases:
            raise LeaseNotFoundError
        self.leases.pop(lease)[1].cancel()
        response = finish(self.store.range(rpc.RangeRequest(key=b"\0", range_end=b"\0")))
        self.delete(*(each.key for each in response.kvs if each.lease == lease))

    def _expiry(self, lease: int, ttl: int) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(ttl, self.revoke, lease)


class MemoryKV:
    """What one caller sees of it."""

    def __init__(self, cluster: MemoryCluster) -> None:
        self._cluster = cluster
        self._open = asyncio.Event()
        self._open.set()
        self.lose_answers = 0
        self.calls = 0

    def stop(self) -> None:
        """The caller's process, or the network in front of it, stands still."""
        self._open.clear()

    def go_on(self) -> None:
        self._open.set()

    async def _way(self) -> None:
        await asyncio.sleep(ROUND_TRIP_S * self._cluster.rng.random())
        await self._open.wait()

    async def range(self, request: rpc.RangeRequest) -> rpc.RangeResponse:
        self.calls += 1
        await self._way()
        response = finish(self._cluster.store.range(request))
        response.header.revision = self._cluster.store.revision
        await self._way()
        return response

    async def txn(self, request: rpc.TxnRequest) -> rpc.TxnResponse:
        """A cancelled one is executed all the same: it was under way."""
        self.calls += 1
        loop = asyncio.get_running_loop()
        done: asyncio.Future[rpc.TxnResponse] = loop.create_future()

        def execute() -> None:
            try:
                response = self._cluster.txn(request)
            except RequestError as error:
                if not done.done():
                    done.set_exception(error)
                return
            if not done.done():
                done.set_result(response)

        await self._open.wait()
        loop.call_later(ROUND_TRIP_S / 2, execute)
        response = await done
        await self._way()
        if self.lose_answers:
            self.lose_answers -= 1
            raise OutcomeUnknownError
        return response

    async def watch(self, request: rpc.WatchCreateRequest) -> AsyncGenerator[rpc.WatchResponse, None]:
        cluster, news = self._cluster, asyncio.Event()
        cluster.changed.add(news)
        cluster.watches += 1
        try:
            await self._way()
            position = request.start_revision or cluster.store.revision + 1
            while True:
                await self._open.wait()
                if position < cluster.store.compact_revision:
                    raise CompactedError
                last = cluster.store.revision
                events = [event for batch in cluster.store.changes(position, last) for event in batch if position <= last]
                position = max(position, last + 1)
                wanted = [event for event in map(_event, events) if _matches(request, event)]
                if wanted:
                    await self._way()
                    yield rpc.WatchResponse(header=rpc.ResponseHeader(revision=last), events=wanted)
                await news.wait()
                news.clear()
        finally:
            cluster.changed.discard(news)
            cluster.watches -= 1

    async def grant(self, ttl: int) -> rpc.LeaseGrantResponse:
        await self._way()
        lease = self._cluster.grant(ttl)
        await self._way()
        return rpc.LeaseGrantResponse(ID=lease, TTL=ttl)

    async def keep_alive(self, lease: int) -> int:
        await self._way()
        ttl = self._cluster.keep_alive(lease)
        await self._way()
        return ttl

    async def revoke(self, lease: int) -> None:
        await self._way()
        self._cluster.revoke(lease)


def _event(event: Any) -> kv.Event:
    return kv.Event(type=kv.Event.DELETE if event.encoded is None else kv.Event.PUT, kv=event.kv)


def _matches(request: rpc.WatchCreateRequest, event: kv.Event) -> bool:
    key, end = event.kv.key, request.range_end
    if key != request.key if not end else not (request.key <= key and (end == b"\0" or key < end)):
        return False
    unwanted = rpc.WatchCreateRequest.NODELETE if event.type == kv.Event.DELETE else rpc.WatchCreateRequest.NOPUT
    return unwanted not in request.filters


def simulate(scenario: Callable[[MemoryCluster], Coroutine[Any, Any, T]], *, seed: int = 1) -> T:
    """Runs a scenario beside a fresh cluster under virtual time."""

    async def main() -> T:
        async with asyncio.timeout(LONG_S):
            return await scenario(MemoryCluster(seed))

    return run(main())


@asynccontextmanager
async def client(cluster: MemoryCluster) -> AsyncGenerator[Sessions, None]:
    """A client's sessions, over a connection of their own."""
    sessions = Sessions(cluster.caller())
    try:
        yield sessions
    finally:
        await sessions.close()


def line_of(sessions: Sessions) -> MemoryKV:
    """The connection of a client."""
    store = sessions.store
    assert isinstance(store, MemoryKV)
    return store


async def settle(seconds: float = 1.0) -> None:
    """Virtual time in which everything that is under way arrives."""
    await asyncio.sleep(seconds)


async def cancelled(task: "asyncio.Task[Any]") -> None:
    """Cancels a task and waits for it."""
    task.cancel()
    await asyncio.wait([task])
