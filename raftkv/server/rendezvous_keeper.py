"""The leader's part in jobs: it alone reckons how long last calls, rounds and exclusions take, and tells the log when one is over.

As with leases (raftkv.server.lease_keeper): a leader begins every time anew, counts none in which its process stood still, and
what it tells the log counts in its own term only.
"""

from asyncio import AbstractEventLoop, TimerHandle
from heapq import heappop, heappush
from itertools import count

from raftkv.apply.command import RENDEZVOUS_TIMEOUTS, body
from raftkv.clock import Clock
from raftkv.errors import StoppedError
from raftkv.pb.rendezvous import JobTimeouts
from raftkv.rendezvous import Timer
from raftkv.server.pace_keeper import PaceKeeper
from raftkv.server.replica import Replica

LOOK_S = 0.05
"""Between two looks at the times."""
STALL_S = 0.5
"""A look that is so late means that the process stood still."""
MAX_RUNG = 1000
"""Times that one entry says are over."""


class RendezvousKeeper:
    """Every node has one; the leader's is at work."""

    def __init__(self, replica: Replica, clock: Clock, loop: AbstractEventLoop) -> None:
        self._replica = replica
        self._clock = clock
        self._loop = loop
        self._timers = replica.machine.rendezvous.timers
        self._term = 0
        """In which this node keeps the times; 0: it does not."""
        self._queue: list[tuple[float, int, Timer]] = []
        self._order = count()
        """Timers cannot be compared."""
        self._looked_at = clock.now()
        self._stood_still_s = 0.0
        self._proposed = False
        """Whether an entry is under way. One at a time: so it is bounded."""
        self._handle: TimerHandle | None = None
        self.pace = PaceKeeper(replica, self._now)
        """How fast the jobs' workers are; looked at with the times."""

    def start(self) -> None:
        """Begins to look."""
        self._timers.observer = self
        self.pace.serve()
        self._handle = self._loop.call_later(LOOK_S, self._look)

    def stop(self) -> None:
        """Looks no more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    # --- what the log says (TimerObserver) -------------------------------------------------------------------------

    def armed(self, timer: Timer, duration_ms: int) -> None:
        if self._term:
            self._begin(timer, duration_ms)

    def disarmed(self, timer: Timer) -> None:
        """It is passed over when its time comes."""

    # --- time and leadership ---------------------------------------------------------------------------------------

    def _now(self) -> float:
        now = self._clock.now()
        late = now - self._looked_at - LOOK_S
        if late > STALL_S:
            self._stood_still_s += late
        self._looked_at = now
        return now - self._stood_still_s

    def _begin(self, timer: Timer, duration_ms: int) -> None:
        heappush(self._queue, (self._now() + duration_ms / 1000, next(self._order), timer))

    def _leads(self) -> bool:
        replica = self._replica
        term = replica.term if replica.is_leader and replica.machine.applied_term == replica.term else 0
        if term != self._term:
            self._term, self._queue, self._proposed = term, [], False
            self.pace.begin(term)
            if term:
                for timer, duration_ms in self._timers.running.items():
                    self._begin(timer, duration_ms)
        return term != 0

    def _look(self) -> None:
        if self._replica.failed.done():
            return
        self._handle = self._loop.call_later(LOOK_S, self._look)
        now = self._now()
        if not self._leads():
            return
        self.pace.look(now)
        if self._proposed:
            return
        over = self._over(now)
        if not over:
            return
        try:
            self._tell(over, now)
        except StoppedError:
            self.stop()

    def _over(self, now: float) -> list[Timer]:
        over: list[Timer] = []
        while self._queue and self._queue[0][0] <= now and len(over) < MAX_RUNG:
            timer = heappop(self._queue)[2]
            if timer in self._timers.running:
                over.append(timer)
        return over

    def _tell(self, over: list[Timer], now: float) -> None:
        term = self._term
        message = JobTimeouts(term=term)
        for timer in over:
            message.timers.add(job=timer.job, kind=timer.kind, subject=timer.subject, number=timer.number)
        self._proposed = True
        reply = self._replica.propose_duty(body(RENDEZVOUS_TIMEOUTS, message.SerializeToString()))
        reply.add_done_callback(lambda _: self._told(term, over, now))

    def _told(self, term: int, over: list[Timer], when: float) -> None:
        """Whatever still runs was not told, and is told again at the next look."""
        if term != self._term:
            return
        self._proposed = False
        for timer in over:
            if timer in self._timers.running:
                heappush(self._queue, (when, next(self._order), timer))
