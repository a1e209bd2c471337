"""Barriers: one that is up or down, and one that so many enter and leave together."""

import asyncio
from types import TracebackType

from raftkv.errors import LostError
from raftkv.recipes.acquisition import DEFAULT_TTL_S, take_back
from raftkv.recipes.held import Held
from raftkv.recipes.line import Place
from raftkv.recipes.requests import created_at, delete, found, get, last_created_before, none_under, one, put, txn, under
from raftkv.recipes.session import Session, insist
from raftkv.recipes.sessions import Sessions
from raftkv.recipes.watching import DELETES, PUTS, changed


class Barrier:
    """Whoever waits goes on when nobody holds the barrier. It stays up until it is released, whoever raised it."""

    def __init__(self, sessions: Sessions, name: str) -> None:
        self.name = name
        self._store = sessions.store
        self._key = name.encode()

    async def hold(self) -> None:
        """Raises it, if it is not up already."""
        await insist(lambda: self._store.txn(txn([created_at(self._key, 0)], [put(self._key, b"")])))

    async def release(self) -> None:
        """Lets all go on who wait."""
        await insist(lambda: self._store.txn(txn([], [delete(self._key)])))

    async def wait(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 # as asyncio's primitives have it
        """Returns when it is down. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            while (response := await self._store.range(one(self._key))).kvs:
                await changed(self._store, self._key, b"", response.header.revision, DELETES)


class DoubleBarrier:
    """`count` processes begin together and end together: `async with`, or `enter` and `leave`.

        name/in/...  who is in, or wants to be     name/ready  that all were there; put by the last to come,
                                                               deleted by the last to go

    Whoever comes while the others leave waits for the next round. One that dies counts as gone.

    Args:
        name: Which barrier.
        count: How many must come.
        ttl: Seconds after which one that is gone without a word is not waited for any more.
        timeout: Seconds to wait for the others at most, on the way in and on the way out; None: as long as it takes.
    """

    def __init__(
        self,
        sessions: Sessions,
        name: str,
        count: int,
        *,
        ttl: float = DEFAULT_TTL_S,
        timeout: float | None = None,
    ) -> None:
        if count < 1:
            raise ValueError(f"a double barrier is for at least one, not {count}")
        self.name = name
        self._count = count
        self._sessions = sessions
        self._ttl = ttl
        self._timeout = timeout
        self._inside = name.encode() + b"/in/"
        self._ready = name.encode() + b"/ready"
        self._places: dict[object, Held] = {}
        self._began: dict[int, int] = {}
        """By token, the revision in which the round began."""

    async def enter(self) -> Held:
        """Returns when all are there. Who gives up before that leaves no trace. Raises TimeoutError, LostError."""
        async with asyncio.timeout(self._timeout):
            return await self._sessions.use(self._ttl, self._enter)

    async def _enter(self, session: Session) -> Held:
        key = session.key(self._inside)
        while True:
            entering = session.start(insist(lambda: self._come_in(session, key)))
            try:
                came = await session.wait(self.name, entering)
                if isinstance(came, Place):
                    self._began[came.revision] = await session.run(self.name, self._all_there(came))
                    return Held(self.name, session, came)
            except BaseException:
                await session.undo(take_back(session, entering, key))
                raise
            await session.run(self.name, changed(session.store, self._ready, b"", came, DELETES))

    async def leave(self, held: Held) -> None:
        """Returns when all have left who were in. Raises TimeoutError."""
        began = self._began.pop(held.token)
        await held.release()
        async with asyncio.timeout(self._timeout):
            await self._all_gone(began)

    async def __aenter__(self) -> Held:
        held = self._places[asyncio.current_task()] = await self.enter()
        return held

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.leave(self._places.pop(asyncio.current_task()))

    async def _come_in(self, session: Session, key: bytes) -> Place | int:
        """Into the round that has not begun yet; the revision in which there was none, if others are still in one."""
        store = session.store
        everybody = [get(one(self._ready)), get(one(key))]
        while True:
            response = await store.txn(txn([created_at(self._ready, 0)], [put(key, b"", session.lease)], everybody))
            if response.succeeded:
                return Place(key, response.header.revision)
            own = found(response, 1)
            if own is not None:
                return Place(key, own.create_revision)
            if not await self._begin_afresh():
                return response.header.revision

    async def _begin_afresh(self) -> bool:
        """Ends a round in which nobody is any more."""
        request = txn([none_under(self._inside)], [delete(self._ready)])
        return (await insist(lambda: self._sessions.store.txn(request))).succeeded

    async def _all_there(self, place: Place) -> int:
        """Returns when the round has begun: the revision in which it did."""
        store = self._sessions.store
        while True:
            response = await store.txn(txn([], [get(one(self._ready)), get(under(self._inside, keys_only=True))]))
            ready, inside = (answer.response_range.kvs for answer in response.responses)
            if ready:
                return ready[0].create_revision
            if not any(each.key == place.key and each.create_revision == place.revision for each in inside):
                raise LostError(self.name, "its key was deleted while it waited")
            if len(inside) >= self._count:
                await insist(lambda: store.txn(txn([created_at(self._ready, 0)], [put(self._ready, b"")])))
            else:
                await changed(store, self._ready, b"", place.revision, PUTS)

    async def _all_gone(self, began: int) -> None:
        """Returns when nobody is in who was when the round began."""
        store = self._sessions.store
        while not await self._begin_afresh():
            request = txn([created_at(self._ready, began)], [get(last_created_before(self._inside, began))])
            response = await store.txn(request)
            last = found(response, 0) if response.succeeded else None
            if last is None:
                return
            await changed(store, last.key, b"", response.header.revision, DELETES)
