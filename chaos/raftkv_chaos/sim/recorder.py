"""The history of a simulation: what clients asked and heard, in the one order there is."""

import asyncio
from typing import Any

from raftkv_jepsen.history import Event, EventType, Process


class Recorder:
    """Collects events. Processes that do not know what became of an operation go on under a new name."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.events: list[Event] = []
        self.acknowledged = 0
        """Operations that had an answer."""
        self.last_acknowledged_s = 0.0
        self.longest_gap_s = 0.0

    def note(
        self, kind: EventType, process: Process, f: str, value: Any = None, error: str | None = None, *, key: Any = None
    ) -> None:
        """One event, now."""
        now = self._loop.time()
        self.events.append(Event(kind, process, f, value, key=key, time=now, error=error))
        if kind == "ok":
            self.acknowledged += 1
            self.longest_gap_s = max(self.longest_gap_s, now - self.last_acknowledged_s)
            self.last_acknowledged_s = now
