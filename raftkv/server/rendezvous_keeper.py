"""The leader's part in jobs: it alone reckons how long last calls, rounds and exclusions take, and tells the log when one is over.

As with leases (raftkv.server.lease_keeper): a leader begins every time anew, and what it tells the log counts in its own term only.
"""

from asyncio import AbstractEventLoop
from heapq import heappop, heappush
from itertools import count

from raftkv.apply.command import RENDEZVOUS_TIMEOUTS, body
from raftkv.clock import Clock
from raftkv.pb.rendezvous import JobTimeouts
from raftkv.rendezvous import Timer
from raftkv.server.leader_duty import LeaderDuty
from raftkv.server.pace_keeper import PaceKeeper
from raftkv.server.replica import Replica

LOOK_S = 0.05
"""Between two looks at the times."""
MAX_RUNG = 1000
"""Times that one entry says are over."""


class RendezvousKeeper:
    """Every node has one; the leader's is at work."""

    def __init__(self, replica: Replica, clock: Clock, loop: AbstractEventLoop) -> None:
        self._replica = replica
        self._duty = LeaderDuty(replica, clock, loop, look_s=LOOK_S, begin=self._begin, look=self._look)
        self._timers = replica.machine.rendezvous.timers
        self._queue: list[tuple[float, int, Timer]] = []
        self._order = count()
        """Timers cannot be compared."""
        self._proposed = False
        """Whether an entry is under way. One at a time: so it is bounded."""
        self.pace = PaceKeeper(replica, self._duty.now)
        """How fast the jobs' workers are; looked at with the times."""

    def start(self) -> None:
        """Begins to look."""
        self._timers.observer = self
        self.pace.serve()
        self._duty.start()

    def stop(self) -> None:
        """Looks no more."""
        self._duty.stop()

    # --- what the log says (TimerObserver) -------------------------------------------------------------------------

    def armed(self, timer: Timer, duration_ms: int) -> None:
        if self._duty.term:
            self._run(timer, duration_ms)

    def disarmed(self, timer: Timer) -> None:
        """It is passed over when its time comes."""

    # --- time and leadership ---------------------------------------------------------------------------------------

    def _run(self, timer: Timer, duration_ms: int) -> None:
        heappush(self._queue, (self._duty.now() + duration_ms / 1000, next(self._order), timer))

    def _begin(self, term: int) -> None:
        self._queue, self._proposed = [], False
        self.pace.begin(term)
        if term:
            for timer, duration_ms in self._timers.running.items():
                self._run(timer, duration_ms)

    def _look(self, now: float) -> None:
        self.pace.look(now)
        if not self._proposed and (over := self._over(now)):
            self._tell(over, now)

    def _over(self, now: float) -> list[Timer]:
        over: list[Timer] = []
        while self._queue and self._queue[0][0] <= now and len(over) < MAX_RUNG:
            timer = heappop(self._queue)[2]
            if timer in self._timers.running:
                over.append(timer)
        return over

    def _tell(self, over: list[Timer], now: float) -> None:
        term = self._duty.term
        message = JobTimeouts(term=term)
        for timer in over:
            message.timers.add(job=timer.job, kind=timer.kind, subject=timer.subject, number=timer.number)
        self._proposed = True
        reply = self._replica.propose_duty(body(RENDEZVOUS_TIMEOUTS, message.SerializeToString()))
        reply.add_done_callback(lambda _: self._told(term, over, now))

    def _told(self, term: int, over: list[Timer], when: float) -> None:
        """Whatever still runs was not told, and is told again at the next look."""
        if term != self._duty.term:
            return
        self._proposed = False
        for timer in over:
            if timer in self._timers.running:
                heappush(self._queue, (when, next(self._order), timer))
