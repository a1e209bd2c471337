"""A rate that is kept: so many at once, and as many each second."""


class Bucket:
    """Tokens that come back with time.

    Invariant: 0 <= _tokens <= max(rate, 1).
    """

    __slots__ = ("_last", "_tokens", "rate")

    def __init__(self, rate: int, now: float) -> None:
        self.rate = rate
        """Each second, and at once; 0: none at all."""
        self._tokens = float(rate)
        self._last = now

    def has_one(self, now: float) -> bool:
        """Whether there is a token."""
        self._tokens = min(float(self.rate), self._tokens + (now - self._last) * self.rate)
        self._last = now
        return self._tokens >= 1.0

    def take(self) -> None:
        """Takes it."""
        self._tokens -= 1.0
