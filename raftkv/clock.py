"""Time, handed in. Nothing outside this module reads a clock, so the simulator can run a node under virtual time."""

import time
from typing import Protocol


class Clock(Protocol):
    """Monotonic time: never jumps, has no relation to the calendar."""

    def now(self) -> float:
        """Seconds since an arbitrary, fixed point."""
        ...


def unix_time() -> float:
    """Seconds since 1970: for what has a date, as certificates do, and for nothing that must not jump."""
    return time.time()


class SystemClock:
    """The machine's monotonic clock."""

    def now(self) -> float:
        return time.monotonic()


class ManualClock:
    """A clock that stands still until it is told to move: for tests."""

    def __init__(self, start: float = 0.0) -> None:
        self._now = start

    def now(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        """Moves forward; a monotonic clock cannot move back."""
        if seconds < 0:
            raise ValueError(f"a monotonic clock cannot move back by {-seconds} s")
        self._now += seconds
