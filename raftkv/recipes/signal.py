"""A fact that others wait for: set at once, and told at once to callbacks as well as to those who wait."""

import asyncio
from collections.abc import Callable


class Signal:
    """Like asyncio.Event, with callbacks. They run within `set`, on the event loop's thread, each once."""

    __slots__ = ("_callbacks", "_set", "_waiters")

    def __init__(self) -> None:
        self._set = False
        self._callbacks: dict[Callable[[], None], None] = {}
        self._waiters: set[asyncio.Future[None]] = set()

    def is_set(self) -> bool:
        """Whether it is so."""
        return self._set

    def set(self) -> None:
        """It is so now."""
        if self._set:
            return
        self._set = True
        callbacks, self._callbacks = self._callbacks, {}
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        for callback in callbacks:
            callback()

    def clear(self) -> None:
        """It is so no more."""
        self._set = False

    async def wait(self) -> None:
        """Returns when it is so."""
        if self._set:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)

    def add_callback(self, callback: Callable[[], None]) -> None:
        """Calls `callback` when it is so: at once, if it is so already."""
        if self._set:
            callback()
        else:
            self._callbacks[callback] = None

    def remove_callback(self, callback: Callable[[], None]) -> None:
        """Forgets a callback."""
        self._callbacks.pop(callback, None)
