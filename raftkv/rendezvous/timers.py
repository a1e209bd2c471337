"""What is to happen when a time is over, as all replicas know it: how long, not since when. Only the leader reckons
(raftkv.server.rendezvous_keeper), and tells the log; each leader begins anew.
"""

from typing import NamedTuple, Protocol

from raftkv.pb.rendezvous import JobTimer


class Timer(NamedTuple):
    """One of them. `number` tells it from an earlier one of the same job and kind."""

    job: str
    kind: JobTimer.Kind
    subject: str
    number: int


class TimerObserver(Protocol):
    """Who reckons with time; what it does must not change what is replicated."""

    def armed(self, timer: Timer, duration_ms: int) -> None:
        """A time begins."""
        ...

    def disarmed(self, timer: Timer) -> None:
        """It does not matter any more."""
        ...


class _Nobody:
    def armed(self, timer: Timer, duration_ms: int) -> None:
        """Nobody reckons."""

    def disarmed(self, timer: Timer) -> None:
        """Nobody reckons."""


class Timers:
    """Those that run."""

    def __init__(self) -> None:
        self.running: dict[Timer, int] = {}
        """How long each of them takes, in milliseconds."""
        self.observer: TimerObserver = _Nobody()

    def arm(self, timer: Timer, duration_ms: int) -> None:
        self.running[timer] = duration_ms
        self.observer.armed(timer, duration_ms)

    def disarm(self, timer: Timer) -> None:
        if self.running.pop(timer, None) is not None:
            self.observer.disarmed(timer)
