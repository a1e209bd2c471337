"""What all duties of the leader share (leases, jobs, lighthouses): in which term they are this node's, what time it is, a look now and then.

    this node leads, and an entry of its term is applied here    `term` is that term, and `begin` was told so
    anything else                                                `term` is 0, and `begin` was told so

Time is the monotonic clock of this process, less the time in which the process itself stood still (stopped, swapped out): it
heard nobody then, so it counts none of that against anybody.
"""

from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable

from raftkv.clock import Clock
from raftkv.errors import StoppedError
from raftkv.server.replica import Replica

STALL_S = 0.5
"""A look that is so late means that the process stood still."""


class LeaderDuty:
    """Every node has each; the leader's are at work."""

    def __init__(
        self,
        replica: Replica,
        clock: Clock,
        loop: AbstractEventLoop,
        *,
        look_s: float,
        begin: Callable[[int], None],
        look: Callable[[float], None],
    ) -> None:
        """`look` is called with the time every `look_s`, in a term of this node only; it may raise StoppedError."""
        self._replica = replica
        self._clock = clock
        self._loop = loop
        self._look_s = look_s
        self._begin = begin
        self._on_look = look
        self._looked_at = clock.now()
        self._stood_still_s = 0.0
        self._timer: TimerHandle | None = None
        self.term = 0
        """As it was when `leads` was asked last."""

    def start(self) -> None:
        """Begins to look."""
        self._timer = self._loop.call_later(self._look_s, self._look)

    def stop(self) -> None:
        """Looks no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def looks(self) -> bool:
        """Whether it was started, and not stopped."""
        return self._timer is not None

    def now(self) -> float:
        """Seconds in which this process was there to hear anybody."""
        now = self._clock.now()
        late = now - self._looked_at - self._look_s
        if late > STALL_S:
            self._stood_still_s += late
        self._looked_at = now
        return now - self._stood_still_s

    def leads(self) -> bool:
        """Whether the duty is this node's; it begins or ends here where that has changed."""
        replica = self._replica
        term = replica.term if replica.is_leader and replica.machine.applied_term == replica.term else 0
        if term != self.term:
            self.term = term
            self._begin(term)
        return term != 0

    def _look(self) -> None:
        if self._replica.failed.done():
            return
        self._timer = self._loop.call_later(self._look_s, self._look)
        now = self.now()
        if not self.leads():
            return
        try:
            self._on_look(now)
        except StoppedError:
            self.stop()
