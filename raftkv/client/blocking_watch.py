"""The blocking twin of a watch."""

from collections.abc import Iterator
from types import TracebackType
from typing import Self

from raftkv.client.loop_thread import loop_thread
from raftkv.client.subscription import WatchBatch
from raftkv.client.watch import Watch
from raftkv.errors import ClientClosedError
from raftkv.pb import kv


class BlockingWatch:
    """As `Watch`, for `with` and `for`; what it waits for, it waits for without end, or as long as `next` is told.

    with client.watch("job/7/", prefix=True) as watch:
        for batch in watch: ...

    It is for one reading thread; any other thread may close it, which ends the reader's iteration.
    """

    def __init__(self, watch: Watch) -> None:
        """For `BlockingClient.watch`."""
        self._watch = watch

    def open(self) -> None:
        """As Watch.open."""
        loop_thread().run(self._watch.open())

    def close(self) -> None:
        """As Watch.close."""
        loop_thread().run(_closed(self._watch))

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def revision(self) -> int:
        """As Watch.revision."""
        return self._watch.revision

    def request_progress(self) -> None:
        """As Watch.request_progress."""
        loop_thread().run(_progress_requested(self._watch))

    def next(self, *, timeout: float | None = None) -> WatchBatch | None:
        """As Watch.next: the next batch, None when it was closed, TimeoutError when there is none within `timeout` seconds."""
        if self._watch.inherited:
            raise ClientClosedError  # it is the parent process's
        return loop_thread().run(self._watch.next(timeout=timeout))

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> WatchBatch:
        batch = self.next()
        if batch is None:
            raise StopIteration
        return batch

    def events(self) -> Iterator[kv.Event]:
        """The events one by one, whatever revision they belong to."""
        for batch in self:
            yield from batch.events


async def _closed(watch: Watch) -> None:
    watch.close()


async def _progress_requested(watch: Watch) -> None:
    watch.request_progress()
