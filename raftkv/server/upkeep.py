"""What operators ask of a node's disk while it works: a copy of everything, and room.

Both take long and disturb nobody: a copy is read from a frozen view, a chunk at a time on the storage thread, as fast as its
reader takes it; room is made on a thread beside it.
"""

from asyncio import AbstractEventLoop
from collections.abc import AsyncGenerator, Callable, Iterator
from itertools import islice

from raftkv.apply.progress import read_snapshot_point
from raftkv.errors import TooManyRequestsError
from raftkv.reply import Reply
from raftkv.server.measured import Measured
from raftkv.server.parts import Parts
from raftkv.server.snapshots import on_storage
from raftkv.storage.archive import Blob, archive_blobs

MAX_ARCHIVES = 4
"""Copies being read; each keeps old data on disk. More are refused."""
BLOBS_AT_ONCE = 4
"""Read in one job: 1 to 2 ms on the storage thread, which log entries may have to wait for."""


class Upkeep:
    """The upkeep of one node's disk."""

    def __init__(self, parts: Parts, loop: AbstractEventLoop, *, flush: Callable[[], None], measured: Measured) -> None:
        """`flush` hands all that is applied to the storage thread."""
        self._engine = parts.engine
        self._storage = parts.storage
        self._loop = loop
        self._flush = flush
        self._clock = parts.clock
        self._measured = measured
        self._defragmentation_began = 0.0
        self._archives = 0
        self._defragmenting: list[Reply[None]] = []

    async def archive(self) -> AsyncGenerator[list[Blob], None]:
        """The present state as a file (raftkv.storage.archive), with everything in it that was answered before the call."""
        if self._archives >= MAX_ARCHIVES:
            raise TooManyRequestsError
        self._archives += 1
        began = self._clock.now()
        try:
            self._flush()
            view = await on_storage(self._storage, self._loop, self._engine.view)
            try:
                point = await on_storage(self._storage, self._loop, lambda: read_snapshot_point(view))
                blobs = archive_blobs(view, point)
                while some := await on_storage(self._storage, self._loop, lambda: _take(blobs)):
                    yield some
                self._measured.archive_s.observe(self._clock.now() - began)
            finally:
                await on_storage(self._storage, self._loop, view.release)
        finally:
            self._archives -= 1

    @property
    def defragmenting(self) -> bool:
        """Whether room is being made."""
        return bool(self._defragmenting)

    def defragment(self) -> Reply[None]:
        """Makes room; who asks while that is under way waits for its end."""
        reply: Reply[None] = Reply()
        self._defragmenting.append(reply)
        if len(self._defragmenting) == 1:
            self._defragmentation_began = self._clock.now()
            self._storage.submit_aside(self._engine.compact, self._defragmented)
        return reply

    def _defragmented(self, result: BaseException | None) -> None:
        waiting, self._defragmenting = self._defragmenting, []
        self._measured.defragment_s.observe(self._clock.now() - self._defragmentation_began)
        for reply in waiting:
            if reply.done():
                continue
            if isinstance(result, BaseException):
                reply.set_exception(result)
            else:
                reply.set_result(None)


def _take(blobs: Iterator[Blob]) -> list[Blob]:
    return list(islice(blobs, BLOBS_AT_ONCE))
