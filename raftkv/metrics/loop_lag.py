"""How late the event loop is: the one number that says whether anything holds it up."""

import asyncio
from typing import Final

from raftkv.server.measured import Histogram

INTERVAL_S: Final = 0.1
LAG_BOUNDS_S: Final = tuple(0.0005 * 2**power for power in range(13))
"""0.5 ms to 2 s."""


class LoopLag:
    """Sets an alarm again and again, and notes how late each one rings."""

    def __init__(self) -> None:
        self.seconds = Histogram(LAG_BOUNDS_S)
        self._loop = asyncio.get_running_loop()
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begins to measure."""
        self._due = self._loop.time() + INTERVAL_S
        self._timer = self._loop.call_at(self._due, self._ring)

    def stop(self) -> None:
        """Ends."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self.seconds.observe(max(self._loop.time() - self._due, 0.0))
        self.start()
