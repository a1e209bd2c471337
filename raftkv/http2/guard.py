"""What a client may do as often as it likes, and what it may not.

Rapid reset (CVE-2023-44487): a client that opens and resets streams pays nothing while the server works. Ping and settings
floods: each frame demands an answer. All of them are legal frame by frame, so only their rate tells.
"""

from typing import Final

MAX_PING_STRIKES: Final = 2
IDLE_PING_INTERVAL_SECONDS: Final = 7200.0
"""How often gRPC servers let a client without calls ping, unless they are told otherwise."""


class TokenBucket:
    """At most `burst` at once and `per_second` in the long run.

    Invariant: 0 <= _tokens <= _burst.
    """

    __slots__ = ("_burst", "_last", "_per_second", "_tokens")

    def __init__(self, *, burst: float, per_second: float, now: float) -> None:
        self._burst = burst
        self._per_second = per_second
        self._tokens = burst
        self._last = now

    def take(self, now: float) -> bool:
        """Whether one more is within the limits."""
        self._tokens = min(self._burst, self._tokens + (now - self._last) * self._per_second)
        self._last = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class PingGuard:
    """gRPC's keepalive enforcement (proposal A8): a ping too soon is a strike, the third strike ends the connection.

    Traffic from the server resets the strikes: clients measure bandwidth with pings while data arrives.
    """

    __slots__ = ("_idle_interval", "_interval", "_last", "_strikes")

    def __init__(self, *, interval: float, permit_without_calls: bool) -> None:
        self._interval = interval
        self._idle_interval = interval if permit_without_calls else IDLE_PING_INTERVAL_SECONDS
        self._last: float | None = None
        self._strikes = 0

    def allow(self, *, traffic: bool, calls: int, now: float) -> bool:
        """Whether the connection survives a ping at `now`, with so many calls in progress.

        `traffic`: headers or data were sent since the ping before.
        """
        last, self._last = self._last, now
        if traffic:
            self._strikes = 0
            return True
        interval = self._interval if calls else self._idle_interval
        if last is not None and now - last < interval:
            self._strikes += 1
        return self._strikes <= MAX_PING_STRIKES
