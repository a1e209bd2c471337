"""How far a snapshot is on its way: in the log, every few seconds, on both sides; and as numbers, for who waits for a new member."""

from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)

TELL_EVERY_S = 5.0


class Transfer:
    """One snapshot, being sent or received."""

    def __init__(self, doing: str, done: str, peer: int, *, about_bytes: int, now: Callable[[], float]) -> None:
        """`doing` and `done`: what it is called in the log, under way and in the end; `about_bytes`: how large it may be."""
        self.bytes = 0
        """What is through."""
        self.about_bytes = about_bytes
        self._doing = doing
        self._done = done
        self._peer = f"{peer:x}"
        self._now = now
        self._began = self._told = now()

    def advance(self, size: int) -> None:
        """So many bytes more."""
        self.bytes += size
        now = self._now()
        if now - self._told >= TELL_EVERY_S:
            self._told = now
            log.info(self._doing, peer=self._peer, bytes=self.bytes, about_bytes=self.about_bytes, percent=self.percent)

    @property
    def percent(self) -> int:
        """Of what it may be, on disk; never quite all, for only the end is the end."""
        return min(99, self.bytes * 100 // max(self.about_bytes, self.bytes, 1))

    def finish(self) -> float:
        """It is there; how many seconds it took."""
        took = self._now() - self._began
        log.info(self._done, peer=self._peer, bytes=self.bytes, seconds=round(took, 3))
        return took
