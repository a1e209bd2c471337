"""The pace of one worker, from its heartbeats. Time is an argument.

    step_s    what a step takes from its beginning to the next one's, smoothed: what a hang is measured by
    work_s    of that, the worker's own work, smoothed. Ranks wait for each other in every step, so all steps take what those of
              the slowest take; only their own work tells who that is
    usual_s   what its work takes when all is well: follows work_s down soon, and up hardly at all

    relative score     the median of all workers' work_s / work_s     1: as fast as the others, or faster
    individual score   usual_s / work_s                               1: as fast as ever

What is worth keeping goes back with each answer and comes again with the next heartbeat (StepMemory), so a leader that knows
nothing yet goes on where the last one ended.
"""

from raftkv.errors import InvalidArgumentError
from raftkv.pb.rendezvous import HeartbeatRequest, StepMemory

SMOOTHING = 0.3
"""How much the newest heartbeat counts."""
FASTER = 0.3
SLOWER = 0.01
"""How soon the usual time follows to either side."""
STRAGGLER_SCORE = 0.7
"""Who has less is a straggler."""
SETTLED_AFTER = 3
"""Heartbeats after which a score means something."""
MAX_SECONDS = 1e9


def check_heartbeat(request: HeartbeatRequest) -> None:
    """Refuses a heartbeat that cannot be right.

    Raises:
        InvalidArgumentError: it cannot.
    """
    memory = request.memory
    times = (request.step_seconds, request.work_seconds, memory.step_seconds, memory.work_seconds, memory.usual_seconds)
    if not all(0 <= seconds <= MAX_SECONDS for seconds in times):
        raise InvalidArgumentError("raftkv: the times of a heartbeat are seconds, not below 0")


class WorkerPace:
    """One worker of a world."""

    __slots__ = ("_heartbeats", "heard_at", "moved_at", "node", "paused", "step", "step_s", "usual_s", "work_s", "worker")

    def __init__(self, first: HeartbeatRequest, now: float) -> None:
        self.node = first.node
        self.worker = first.worker
        self.step = first.step
        self.moved_at = now
        """When its step moved last, as far as this leader knows."""
        self.heard_at = now
        self.paused = first.paused
        memory = first.memory
        self.step_s, self.work_s, self.usual_s = memory.step_seconds, memory.work_seconds, memory.usual_seconds
        self._heartbeats = SETTLED_AFTER if memory.usual_seconds else 0

    def hear(self, request: HeartbeatRequest, now: float) -> None:
        """A heartbeat; the first one, too."""
        if request.step != self.step or request.paused != self.paused:
            self.moved_at = now
        self.step, self.paused, self.heard_at = request.step, request.paused, now
        if request.step_seconds:
            self._heartbeats += 1
            self.step_s = _smoothed(self.step_s, request.step_seconds, SMOOTHING)
            self.work_s = _smoothed(self.work_s, request.work_seconds or request.step_seconds, SMOOTHING)
            self.usual_s = _smoothed(self.usual_s, self.work_s, FASTER if self.work_s < self.usual_s else SLOWER)

    def memory(self) -> StepMemory:
        """What the worker is to say again."""
        return StepMemory(step_seconds=self.step_s, work_seconds=self.work_s, usual_seconds=self.usual_s)

    @property
    def settled(self) -> bool:
        """Whether enough was heard to judge it."""
        return self._heartbeats >= SETTLED_AFTER

    @property
    def individual_score(self) -> float:
        return min(1.0, self.usual_s / self.work_s) if self.work_s else 1.0

    def relative_score(self, median_s: float) -> float:
        """Beside the median of all."""
        return min(1.0, median_s / self.work_s) if self.work_s else 1.0

    def score(self, median_s: float) -> float:
        """The lower one of both."""
        return min(self.relative_score(median_s), self.individual_score)

    def straggles(self, median_s: float) -> bool:
        """Whether it is much slower than the others, or than it was."""
        return self.settled and not self.paused and self.score(median_s) < STRAGGLER_SCORE


def _smoothed(before: float, now: float, share: float) -> float:
    return before + share * (now - before) if before else now
