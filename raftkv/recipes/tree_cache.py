"""A copy of everything under a prefix, as of one revision, that follows the cluster.

The copy is always the state of some revision as a whole, never a mixture: it begins with a read, and each step applies whole
revisions. It may be behind; `wait_for` waits until it has come to where a write was.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from types import MappingProxyType, TracebackType
from typing import NamedTuple, Self

from raftkv.errors import CompactedError, RaftKVError
from raftkv.pb import kv, rpc
from raftkv.recipes.protocol import KV
from raftkv.recipes.requests import prefix_end, under
from raftkv.recipes.sessions import Sessions


class Snapshot(NamedTuple):
    """What was there in a revision."""

    revision: int
    entries: Mapping[bytes, kv.KeyValue]


class TreeCache(Mapping[bytes, bytes]):
    """`async with`, and then read it as a dict of keys and values: without a wait, and without asking anybody."""

    def __init__(self, sessions: Sessions, prefix: str | bytes) -> None:
        self.prefix = prefix.encode() if isinstance(prefix, str) else prefix
        self.revision = 0
        """Of the state that the copy has."""
        self._store: KV = sessions.store
        self._entries: dict[bytes, kv.KeyValue] = {}
        self._following: asyncio.Task[None] | None = None
        self._turned: asyncio.Future[None]

    async def open(self) -> None:
        """Reads everything, and follows from there."""
        loop = asyncio.get_running_loop()
        self._turned = loop.create_future()
        await self._read()
        self._following = loop.create_task(self._follow())

    async def close(self) -> None:
        """Follows no more; the copy stays as it is."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait([self._following])

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __getitem__(self, key: bytes | str) -> bytes:
        return self._entries[_bytes(key)].value

    def __contains__(self, key: object) -> bool:
        return isinstance(key, bytes | str) and _bytes(key) in self._entries

    def __iter__(self) -> Iterator[bytes]:
        return iter(sorted(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def entry(self, key: bytes | str) -> kv.KeyValue | None:
        """A key with its revisions and lease."""
        return self._entries.get(_bytes(key))

    def snapshot(self) -> Snapshot:
        """The whole state, which does not change any more."""
        return Snapshot(self.revision, MappingProxyType(dict(self._entries)))

    async def wait_for(self, revision: int, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 # a wait, not a call
        """Returns when the copy shows what was written under the prefix in that revision. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            while self.revision < revision:
                await self._turn()

    async def changes(self) -> AsyncGenerator[Snapshot, None]:
        """The state, now and after each change; whoever is slow is told the newest. To be closed (`contextlib.aclosing`)."""
        while True:
            told = self.revision
            yield self.snapshot()
            while self.revision == told:
                await self._turn()

    async def _turn(self) -> None:
        """Returns after the next change. Raises what has ended the following."""
        if self._following is not None and self._following.done():
            self._following.result()
            raise RuntimeError("the cache is closed")
        await asyncio.shield(self._turned)

    async def _follow(self) -> None:
        try:
            while True:
                try:
                    await self._watch()
                except CompactedError:
                    await self._read()
                    self._tell()
        except RaftKVError:
            self._tell()
            raise

    async def _watch(self) -> None:
        request = rpc.WatchCreateRequest(
            key=self.prefix or b"\0", range_end=prefix_end(self.prefix), start_revision=self.revision + 1
        )
        async with aclosing(self._store.watch(request)) as responses:
            async for response in responses:
                for event in response.events:
                    if event.type == kv.Event.DELETE:
                        self._entries.pop(event.kv.key, None)
                    else:
                        self._entries[event.kv.key] = event.kv
                    self.revision = event.kv.mod_revision
                self._tell()

    async def _read(self) -> None:
        request = under(self.prefix) if self.prefix else rpc.RangeRequest(key=b"\0", range_end=b"\0")
        response = await self._store.range(request)
        self._entries = {each.key: each for each in response.kvs}
        self.revision = response.header.revision

    def _tell(self) -> None:
        turned, self._turned = self._turned, asyncio.get_running_loop().create_future()
        turned.set_result(None)


def _bytes(key: bytes | str) -> bytes:
    return key.encode() if isinstance(key, str) else key
