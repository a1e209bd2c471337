"""When to ask a silent server whether it is there, and when to give it up.

    heard --silence of `after`--> PING --nothing heard for `timeout`--> DEAD
      ^------- anything at all is heard ----'

gRPC servers hang up on clients that ping more than once in 5 s (grpc/doc/keepalive.md), so pings keep that distance.
Time is an argument; the connection asks while calls wait, and acts.
"""

from enum import Enum

MIN_PING_INTERVAL_S = 5.5
"""A little more than what servers hold for abuse: the network may squeeze two pings together."""


class Verdict(Enum):
    """What the connection has to do now."""

    WAIT = "wait"
    PING = "ping"
    DEAD = "dead"


class Keepalive:
    """The silence of one server. Times are seconds of any one clock."""

    __slots__ = ("_after", "_heard_at", "_pinged_at", "timeout")

    def __init__(self, *, now: float, after: float, timeout: float) -> None:
        self.timeout = timeout
        self._after = after
        self._heard_at = now
        self._pinged_at = float("-inf")

    def heard(self, now: float) -> None:
        """Something came from the server."""
        self._heard_at = now

    def look(self, now: float) -> tuple[Verdict, float]:
        """What to do, and in how many seconds to look again."""
        if self._heard_at < self._pinged_at:
            give_up_at = self._pinged_at + self.timeout
            return (Verdict.DEAD, 0.0) if now >= give_up_at else (Verdict.WAIT, give_up_at - now)
        ping_at = max(self._heard_at + self._after, self._pinged_at + MIN_PING_INTERVAL_S)
        if now < ping_at:
            return Verdict.WAIT, ping_at - now
        self._pinged_at = now
        return Verdict.PING, self.timeout
