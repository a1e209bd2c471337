"""An asyncio event loop under virtual time: where a real one would wait, this one moves its clock.

Hours pass in moments, and nothing depends on how fast the machine is. Sockets, threads and signals have no place here: what
is simulated runs in callbacks and tasks alone. A loop on which nothing can ever happen again is a deadlock, and raises.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from heapq import heappop
from typing import Any, TypeVar

T = TypeVar("T")


class DeadlockError(RuntimeError):
    """Everybody waits, and no timer is set."""


class _NoSelector(selectors.BaseSelector):
    """There are no sockets. The loop's own wake-up pipe is registered, and never rings."""

    def __init__(self) -> None:
        self.elapsed = 0.0
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        descriptor = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        key = self._keys[fileobj] = selectors.SelectorKey(fileobj, descriptor, events, data)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:  # noqa: ARG002 (there are none)
        return []

    def get_map(self) -> dict[Any, selectors.SelectorKey]:
        return self._keys


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop. `time()` starts at 0."""

    def __init__(self) -> None:
        self._virtual = _NoSelector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.elapsed

    def _run_once(self) -> None:
        """As the loop above it, without what only sockets need, which would be a fifth of everything."""
        loop: Any = self  # what stands in the base class is not in its stubs
        ready, scheduled, virtual = loop._ready, loop._scheduled, self._virtual
        if not ready:
            while scheduled and scheduled[0]._cancelled:
                loop._timer_cancelled_count -= 1
                heappop(scheduled)._scheduled = False
            if scheduled:
                virtual.elapsed = max(virtual.elapsed, scheduled[0].when())
            elif not loop._stopping:
                raise DeadlockError("nothing can happen any more")
        while scheduled and scheduled[0].when() <= virtual.elapsed:
            handle = heappop(scheduled)
            handle._scheduled = False
            if handle._cancelled:
                loop._timer_cancelled_count -= 1
            else:
                ready.append(handle)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()


class LoopClock:
    """raftkv's Clock, told by an event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.now = loop.time


def run(main: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end under virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
