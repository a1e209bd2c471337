"""How long a lease can be relied on, as far as its holder can know. No I/O; times are seconds of one monotonic clock.

    sent          + TTL/3       + 2 TTL/3     + TTL
      | renewed ... | renew again | at risk ... | lost

The server counts from when it handled the last renewal, so from the moment when that was *sent* the lease lives at least its
time to live. Later than that nothing is known, whatever the network has done to the answer: the lease counts as lost.

Between two thirds and the whole of its time to live without a renewal the lease is at risk: the time to bring what it
protects into good order.
"""

from enum import Enum

MIN_ANSWER_S = 0.5


class LeaseState(Enum):
    """What its holder knows of a lease."""

    NEW = "new"
    """Not granted yet."""
    ALIVE = "alive"
    AT_RISK = "at risk"
    LOST = "lost"
    """It has expired, or was revoked by somebody else, or may have been: for good."""
    REVOKED = "revoked"
    """Given back."""


class Act(Enum):
    """What is due for a lease."""

    NOTHING = "nothing"
    RENEW = "renew"
    LEAVE = "leave"
    """The server has not answered a renewal in time: ask another."""


class LeaseTerm:
    """The present term of one lease: from its last renewal to its end."""

    __slots__ = ("_asked_at", "_begun", "ttl")

    def __init__(self, *, sent_at: float, ttl: int) -> None:
        self.ttl = ttl
        """Seconds."""
        self._begun = sent_at
        self._asked_at: float | None = None  # when the renewal that is under way was sent

    @property
    def ends_at(self) -> float:
        """From then on it cannot be relied on."""
        return self._begun + self.ttl

    def renewed(self, ttl: int) -> None:
        """The renewal under way has succeeded."""
        if self._asked_at is not None:
            self._begun = self._asked_at
            self.ttl = ttl
            self._asked_at = None

    def asked(self, now: float) -> None:
        """A renewal is sent."""
        self._asked_at = now

    def unasked(self) -> None:
        """The renewal under way, if any, was lost with its stream."""
        self._asked_at = None

    def state(self, now: float) -> LeaseState:
        """By the clock alone."""
        age = now - self._begun
        if age >= self.ttl:
            return LeaseState.LOST
        return LeaseState.AT_RISK if age >= self.ttl * 2 / 3 else LeaseState.ALIVE

    def act(self, now: float) -> Act:
        """What is due now."""
        if self._asked_at is None:
            return Act.RENEW if now >= self.renew_at else Act.NOTHING
        return Act.LEAVE if now >= self._asked_at + answer_s(self.ttl) else Act.NOTHING

    def look_again_at(self, now: float) -> float:
        """When there may be something to be done, or the state changes. What is overdue waits for a stream, not for time."""
        due = self.renew_at if self._asked_at is None else self._asked_at + answer_s(self.ttl)
        at_risk = self._begun + self.ttl * 2 / 3
        return min((moment for moment in (due, at_risk) if now < moment < self.ends_at), default=self.ends_at)

    @property
    def renew_at(self) -> float:
        """When the next renewal is due."""
        return self._begun + self.ttl / 3


def answer_s(ttl: int) -> float:
    """What an answer may take: half a period, so that two servers can be asked before the lease is at risk."""
    return max(MIN_ANSWER_S, ttl / 6)
