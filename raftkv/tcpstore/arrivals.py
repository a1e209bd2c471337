"""Waiting for keys by watches: whoever waits for the same key shares one."""

import asyncio
from collections.abc import Awaitable, Callable

from raftkv.client import Client
from raftkv.errors import WatchCompactedError
from raftkv.pb.kv import KeyValue

Look = Callable[[bytes], Awaitable[tuple[KeyValue | None, int]]]
"""What a key, or the front of its queue, is, and as of which revision."""


class _Following:
    """One watch of one key, and who waits for it."""

    __slots__ = ("start", "task", "waiters")

    def __init__(self, start: int) -> None:
        self.start = start
        """The first revision whose changes it sees."""
        self.waiters: list[tuple[int, asyncio.Future[KeyValue]]] = []
        """Each with the revision at which the key was not there."""
        self.task: asyncio.Task[None]


class Arrivals:
    """The keys that are waited for."""

    def __init__(self, client: Client, look: Look, tasks: asyncio.TaskGroup) -> None:
        self._client = client
        self._look = look
        self._tasks = tasks
        self._by_key: dict[bytes, _Following] = {}

    def expect(self, key: bytes, end: bytes, missing_at: int) -> "asyncio.Future[KeyValue]":
        """What is put in [key, end) after the revision at which nothing was there. Cancel it to give up."""
        future: asyncio.Future[KeyValue] = asyncio.get_running_loop().create_future()
        following = self._by_key.get(key)
        if following is None or following.start > missing_at + 1:
            following = _Following(missing_at + 1)
            following.task = self._tasks.create_task(self._follow(key, end, following))
            self._by_key[key] = following
        following.waiters.append((missing_at, future))
        watched = following
        future.add_done_callback(lambda _: self._leave(key, watched))
        return future

    def _leave(self, key: bytes, following: _Following) -> None:
        following.waiters = [waiter for waiter in following.waiters if not waiter[1].done()]
        if not following.waiters:
            following.task.cancel()
            if self._by_key.get(key) is following:
                del self._by_key[key]

    async def _follow(self, key: bytes, end: bytes, following: _Following) -> None:
        start = following.start
        while True:
            try:
                async with self._client.watch(key, end, start_revision=start, deletes=False) as watch:
                    async for batch in watch:
                        if batch.events:
                            _tell(following, batch.events[-1].kv, batch.revision)
            except WatchCompactedError:
                found, revision = await self._look(key)
                if found is not None:
                    _tell(following, found, revision)
                start = revision + 1


def _tell(following: _Following, arrived: KeyValue, revision: int) -> None:
    for missing_at, future in following.waiters:
        if revision > missing_at and not future.done():
            future.set_result(arrived)
