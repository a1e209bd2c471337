"""The event loop behind all blocking clients of a process: one thread, started when first needed.

A forked child has the parent's memory but not its threads, so there it starts anew, with a new loop.
"""

import asyncio
import atexit
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any, TypeVar

from raftkv.client import forked

Result = TypeVar("Result")


class LoopThread:
    """A loop that runs in a daemon thread until `stop`."""

    def __init__(self) -> None:
        self._loop = asyncio.SelectorEventLoop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="raftkv-client", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Runs the coroutine on the loop and waits for it; when the wait is interrupted, it is cancelled.

        From any thread but the loop's own, so also from a coroutine of another loop, which it blocks meanwhile.
        """
        assert threading.current_thread() is not self._thread, (
            "a blocking call on the client's own thread would wait for itself"
        )
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # without effect on one that has ended
            raise

    def stop(self) -> None:
        """Ends what runs, and the thread."""
        with suppress(CancelledError):
            self.run(_end_everything())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class _Holder:
    """The process's one loop thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: LoopThread | None = None
        self._inherited: list[LoopThread] = []

    def get(self) -> LoopThread:
        with self._lock:
            if self._running is None:
                self._running = LoopThread()
            return self._running

    def start_afresh(self) -> None:
        """In a forked child. The parent's loop is kept, untouched, so that nothing finalises it (`forked`)."""
        self._lock = threading.Lock()
        if self._running is not None:
            self._inherited.append(self._running)
            self._running = None

    def stop(self) -> None:
        with self._lock:
            running, self._running = self._running, None
        if running is not None:
            running.stop()


async def _end_everything() -> None:
    """Cancels all other tasks, waits for them, and closes the connections."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    loop = asyncio.get_running_loop()
    await forked.close_all(loop)
    await loop.shutdown_asyncgens()
    await loop.shutdown_default_executor()


_HOLDER = _Holder()
os.register_at_fork(after_in_child=_HOLDER.start_afresh)
atexit.register(_HOLDER.stop)


def loop_thread() -> LoopThread:
    """The loop thread of this process."""
    return _HOLDER.get()
