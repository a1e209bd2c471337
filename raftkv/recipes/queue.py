"""A queue of work, shared by those who put and those who take.

    name/items/<priority><revision>-<unique>   what is to be done, in order: by priority, the smallest first, then by age
    name/claims/<as above>                     who does it now, hanging on the session: if that ends, it is to be done again
    name/line/...                              who waits for work; only the first watches, so an item wakes one

An item's age is the revision that the cluster had reached when `put` began: what was put before another put began comes out
before it. Two that are put at the same time may come in either order.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from raftkv.errors import LostError
from raftkv.pb import kv
from raftkv.recipes.acquisition import DEFAULT_TTL_S, Block, take_turn
from raftkv.recipes.held import Held
from raftkv.recipes.line import Place
from raftkv.recipes.requests import changed_at, created_at, delete, get, one, prefix_end, put, txn, under
from raftkv.recipes.session import Session, insist
from raftkv.recipes.sessions import Sessions
from raftkv.recipes.watching import changed

HALF_OF_PRIORITIES = 1 << 31
LOOK_AHEAD = 16
"""Items that are read besides as many as are claimed: whoever finds one taken meanwhile has more to choose from."""


class Item(NamedTuple):
    """Something in the queue."""

    key: bytes
    value: bytes
    revision: int
    """That put it."""


class Job(Held):
    """An item that is being worked on: held until `done`, which removes it, or `release`, which puts it back in its place."""

    def __init__(self, name: str, session: Session, place: Place, item: Item) -> None:
        super().__init__(name, session, place)
        self.value = item.value
        self._item = item

    async def done(self) -> None:
        """Removes the item: the work is done. Raises LostError if the claim was lost, and somebody else may do it again."""
        self.check()
        self._let_go()
        item = self._item
        request = txn([self.guard(), changed_at(item.key, item.revision)], [delete(item.key), delete(self.key)])
        if not (await self.store.txn(request)).succeeded:
            raise LostError(self.name, "its claim is gone")


class Queue:
    """Use `put`, and either `get` or `take`.

    Args:
        name: Which queue.
        ttl: Seconds after which the work of one that is gone without a word is given to another.
    """

    def __init__(self, sessions: Sessions, name: str, *, ttl: float = DEFAULT_TTL_S) -> None:
        self.name = name
        self._sessions = sessions
        self._store = sessions.store
        self._ttl = ttl
        self._items = name.encode() + b"/items/"
        self._claims = name.encode() + b"/claims/"
        self._line = name.encode() + b"/line/"

    async def put(self, value: bytes | str, *, priority: int = 0) -> Item:
        """Adds an item. Smaller priorities come out first; they may be negative."""
        if not -HALF_OF_PRIORITIES <= priority < HALF_OF_PRIORITIES:
            raise ValueError(f"a priority has 32 bits, which {priority} has not")
        session = await self._sessions.get(self._ttl)
        revision = (await self._store.range(one(self._items))).header.revision
        key = session.key(self._items + b"%08x%016x-" % (priority + HALF_OF_PRIORITIES, revision))
        data = value.encode() if isinstance(value, str) else value
        response = await insist(lambda: self._store.txn(txn([created_at(key, 0)], [put(key, data)])))
        return Item(key, data, response.header.revision)

    async def size(self) -> int:
        """How many items are there, those that are worked on included."""
        return (await self._store.range(under(self._items, keys_only=True))).count

    async def get(self, *, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 # as asyncio.timeout, within
        """Removes the first item, and waits for one if there is none. Who dies right after has taken it along: see `take`.

        Raises:
            TimeoutError: there was none in time.
        """
        job = await self.claim(timeout=timeout)
        await job.done()
        return job.value

    @asynccontextmanager
    async def take(self, *, timeout: float | None = None) -> AsyncGenerator[Job, None]:  # noqa: ASYNC109 # as get
        """The first item, to be worked on in the block: removed if that ends well, back in its place if it does not.

        The block is cancelled, with LostError, when the session is lost: somebody else may have begun by then.
        """
        job = await self.claim(timeout=timeout)
        block = Block(job)
        try:
            yield job
        except BaseException as error:
            try:
                block.leave(type(error))
            finally:
                await job.release()
            raise
        block.leave(None)
        await job.done()

    async def claim(self, *, timeout: float | None = None) -> Job:  # noqa: ASYNC109 # as get
        """As `take`, to be ended by hand: with `done` or `release` of what comes back."""
        async with asyncio.timeout(timeout):
            return await self._sessions.use(self._ttl, self._claim_or_wait)

    async def _claim_or_wait(self, session: Session) -> Job:
        job = await self._first(session)
        if job is not None:
            return job
        place = await take_turn(session, self.name, session.key(self._line), self._line)
        waiting = Held(self.name, session, place)
        try:
            return await self._next(session, waiting)
        finally:
            await waiting.release()

    async def _next(self, session: Session, waiting: Held) -> Job:
        """The first in the line waits for an item."""
        while True:
            revision = (await self._store.range(one(self._items))).header.revision
            job = await self._first(session)
            if job is not None:
                return job
            await session.run(self.name, changed(self._store, self._claims, prefix_end(self._items), revision))
            waiting.check()

    async def _first(self, session: Session) -> Job | None:
        """The first item that nobody works on, claimed; None if there is none."""
        claims = 0
        while True:
            items = get(under(self._items, limit=claims + LOOK_AHEAD))
            response = await self._store.txn(txn([], [get(under(self._claims, keys_only=True)), items]))
            claimed, found = (answer.response_range for answer in response.responses)
            taken = {claim.key.removeprefix(self._claims) for claim in claimed.kvs}
            free = [item for item in found.kvs if item.key.removeprefix(self._items) not in taken]
            if not free and not found.more:
                return None
            claims = len(claimed.kvs) if free else max(len(claimed.kvs), 2 * claims + LOOK_AHEAD)
            job = await self._claim(session, free)
            if job is not None:
                return job

    async def _claim(self, session: Session, items: Sequence[kv.KeyValue]) -> Job | None:
        for item in items:
            key = self._claims + item.key.removeprefix(self._items)
            claiming = session.start(insist(lambda key=key, item=item: self._try(session, key, item)))  # type: ignore[misc] # bound now
            try:
                place = await session.wait(self.name, claiming)
            except BaseException:
                await session.undo(_take_back(session, claiming))
                raise
            if place is not None:
                return Job(self.name, session, place, Item(item.key, item.value, item.mod_revision))
        return None

    async def _try(self, session: Session, key: bytes, item: kv.KeyValue) -> Place | None:
        own = b"%x" % session.lease
        request = txn(
            [created_at(key, 0), changed_at(item.key, item.mod_revision)], [put(key, own, session.lease)], [get(one(key))]
        )
        response = await self._store.txn(request)
        return Place(key, response.header.revision) if response.succeeded else None


async def _take_back(session: Session, claiming: "asyncio.Task[Place | None]") -> None:
    await asyncio.wait([claiming])
    place = None if claiming.cancelled() else claiming.result()
    if place is not None:
        await insist(lambda: session.store.txn(txn([created_at(place.key, place.revision)], [delete(place.key)])))
