"""Who is there: members that come and go, each with some data."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import NamedTuple

from raftkv.errors import CompactedError
from raftkv.pb import kv, rpc
from raftkv.recipes.acquisition import DEFAULT_TTL_S, Acquirable, take_back
from raftkv.recipes.held import Held
from raftkv.recipes.line import Place
from raftkv.recipes.requests import created_at, get, one, prefix_end, put, txn, under
from raftkv.recipes.session import Session, insist
from raftkv.recipes.sessions import Sessions


class Member(NamedTuple):
    """One who is there."""

    data: bytes
    token: int
    """The revision in which it joined: older members have smaller ones."""
    key: bytes


class Seat(Held):
    """A membership that lasts until it is released or lost."""

    async def update(self, data: bytes | str) -> None:
        """Says new data. Raises LostError."""
        await self.txn(success=[put(self.key, _bytes(data), self.lease)])


class Joining(Acquirable[Seat]):
    """`async with party.join(data)`, or `await party.join(data).acquire()`."""

    def __init__(self, sessions: Sessions, name: str, data: bytes, *, ttl: float) -> None:
        super().__init__(sessions, name, ttl=ttl, timeout=None, blocking=True)
        self._data = data

    @property
    def _identity(self) -> object:
        return object()  # one owner may join several times

    async def _acquire(self, session: Session, *, blocking: bool) -> Seat:  # noqa: ARG002 (there is nobody to wait for)
        key = session.key(self.name.encode() + b"/")
        joining = session.start(insist(lambda: self._put(session, key)))
        try:
            place = await session.wait(self.name, joining)
        except BaseException:
            await session.undo(take_back(session, joining, key))
            raise
        return Seat(self.name, session, place)

    async def _put(self, session: Session, key: bytes) -> Place:
        request = txn([created_at(key, 0)], [put(key, self._data, session.lease)], [get(one(key))])
        response = await session.store.txn(request)
        if response.succeeded:
            return Place(key, response.header.revision)
        return Place(key, response.responses[0].response_range.kvs[0].create_revision)


class Party:
    """The members of a group.

    Args:
        name: Which group.
        ttl: Seconds after which one that is gone without a word counts as gone.
    """

    def __init__(self, sessions: Sessions, name: str, *, ttl: float = DEFAULT_TTL_S) -> None:
        self.name = name
        self._sessions = sessions
        self._ttl = ttl
        self._prefix = name.encode() + b"/"

    def join(self, data: bytes | str = b"") -> Joining:
        """To be there while the block lasts."""
        return Joining(self._sessions, self.name, _bytes(data), ttl=self._ttl)

    async def members(self) -> list[Member]:
        """Who is there now, the oldest first."""
        return _members((await self._sessions.store.range(under(self._prefix))).kvs)

    async def watch(self) -> AsyncGenerator[list[Member], None]:
        """Who is there, now and after each change, the oldest first; to be closed (`contextlib.aclosing`)."""
        while True:
            response = await self._sessions.store.range(under(self._prefix))
            present = {each.key: each for each in response.kvs}
            yield _members(present.values())
            request = rpc.WatchCreateRequest(
                key=self._prefix, range_end=prefix_end(self._prefix), start_revision=response.header.revision + 1
            )
            try:
                async with aclosing(self._sessions.store.watch(request)) as changes:
                    async for change in changes:
                        _apply(present, change)
                        yield _members(present.values())
            except CompactedError:
                continue


def _apply(present: dict[bytes, kv.KeyValue], change: rpc.WatchResponse) -> None:
    for event in change.events:
        if event.type == kv.Event.DELETE:
            present.pop(event.kv.key, None)
        else:
            present[event.kv.key] = event.kv


def _members(key_values: Iterable[kv.KeyValue]) -> list[Member]:
    oldest_first = sorted(key_values, key=lambda each: each.create_revision)
    return [Member(each.value, each.create_revision, each.key) for each in oldest_first]


def _bytes(data: bytes | str) -> bytes:
    return data.encode() if isinstance(data, str) else data
