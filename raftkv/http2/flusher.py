"""When connections write: once for all that one turn of the loop produced."""

import asyncio
from collections.abc import Callable


class Flusher:
    """Runs flushes at the end of what the loop is doing, or earlier, when somebody knows that no more will come now."""

    __slots__ = ("_due", "_waiting")

    def __init__(self) -> None:
        self._waiting: list[Callable[[], None]] = []
        self._due = False

    def add(self, flush: Callable[[], None]) -> None:
        """A connection has something to write."""
        self._waiting.append(flush)
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._run)

    def run(self) -> None:
        """Writes now."""
        waiting, self._waiting = self._waiting, []
        for flush in waiting:
            flush()

    def _run(self) -> None:
        self._due = False
        self.run()
