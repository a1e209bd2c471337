"""The pace of a job: of all workers of its world that have sent heartbeats, at most one entry for each.

a worker hangs   its step has not moved for hang_timeout_ms, or for hang_factor times what its steps take (the sooner
                 counts; the second is never below what a few heartbeats take). Who pauses, as for a checkpoint, only
                 hangs by the first
the job hangs    all of its workers do: who is furthest behind is named first, for the others wait for it
"""

from collections.abc import Callable, Container, Iterable, Sequence
from heapq import nsmallest
from statistics import median

from raftkv.pace.worker import STRAGGLER_SCORE, WorkerPace
from raftkv.pb.rendezvous import Hang, HeartbeatRequest, HeartbeatResponse, JobSettings, JobSteps

HEARTBEAT_MS = 1000
WORKERS_PER_MS = 2
"""Of more workers heartbeats are wanted less often: so many a millisecond, of one job."""
MISSED = 3
"""A hang is never told sooner than so many heartbeats could have come."""
MAX_NAMED = 16
"""Nodes that are named where many hang."""

Key = tuple[str, int]
"""Node, and which of its workers."""


class JobPace:
    """One job."""

    def __init__(self, now: float) -> None:
        self.token = 0
        """Of the world that the workers are in."""
        self.workers: dict[Key, WorkerPace] = {}
        self.median_s = 0.0
        """Of the workers' own work; as of the last look, as what follows."""
        self.hung: list[WorkerPace] = []
        """The ones that are furthest behind first."""
        self._seen = JobSteps()
        self.working_s = 0.0
        self.lost_s = 0.0
        self.failures = 0
        """Worlds that ended; with the times, since this leader leads."""
        self._looked_at = now
        self._restarts: int | None = None

    def enter(self, token: int) -> None:
        """Another world, or none: the workers of the last one count no more."""
        if token != self.token:
            self.token, self.workers, self.median_s, self.hung, self._seen = token, {}, 0.0, [], JobSteps()

    def pass_time(self, now: float, *, working: bool, lost: bool, restarts: int) -> None:
        """What the time since the last look went to."""
        passed, self._looked_at = now - self._looked_at, now
        if working:
            self.working_s += passed
        elif lost:
            self.lost_s += passed
        if self._restarts is not None:
            self.failures += restarts - self._restarts
        self._restarts = restarts

    def hear(self, request: HeartbeatRequest, now: float) -> HeartbeatResponse:
        """A heartbeat of a worker of this world."""
        key = request.node, request.worker
        known = self.workers.get(key)
        if known is None:
            known = self.workers[key] = WorkerPace(request, now)
        known.hear(request, now)
        return HeartbeatResponse(
            again_ms=self.again_ms,
            memory=known.memory(),
            relative_score=known.relative_score(self.median_s or known.work_s),
            individual_score=known.individual_score,
        )

    @property
    def again_ms(self) -> int:
        """How often heartbeats are wanted."""
        return max(HEARTBEAT_MS, len(self.workers) // WORKERS_PER_MS)

    def look(self, settings: JobSettings, now: float, done: Container[str] = ()) -> None:
        """Forgets workers of nodes that are `done`, and looks at the others: their median, who is slow, who hangs."""
        if done:
            self.workers = {key: worker for key, worker in self.workers.items() if key[0] not in done}
        workers = list(self.workers.values())
        times = [worker.work_s for worker in workers if worker.work_s and not worker.paused]
        self.median_s = median(times) if times else 0.0
        self.hung = self._hung(settings, now, workers)
        steps = [worker.step for worker in workers]
        step_times = [worker.step_s for worker in workers if worker.step_s]
        self._seen = JobSteps(
            workers=len(workers),
            lowest_step=min(steps, default=0),
            highest_step=max(steps, default=0),
            step_seconds=median(step_times) if step_times else 0.0,
            stragglers=sum(worker.straggles(self.median_s) for worker in workers if self._may_straggle(worker)),
            hung=len(self.hung),
        )

    def _may_straggle(self, worker: WorkerPace) -> bool:
        """Spares nearly all of them the closer look."""
        slow_s = STRAGGLER_SCORE * worker.work_s
        return slow_s > self.median_s or slow_s > worker.usual_s

    def _hung(self, settings: JobSettings, now: float, workers: list[WorkerPace]) -> list[WorkerPace]:
        if not settings.hang_timeout_ms and not settings.hang_factor:
            return []
        soonest_s = MISSED * self.again_ms / 1000
        if settings.hang_timeout_ms:
            soonest_s = min(soonest_s, settings.hang_timeout_ms / 1000)
        still = [worker for worker in workers if now - worker.moved_at > soonest_s]
        hung = [worker for worker in still if now - worker.moved_at > self._patience_s(worker, settings)]
        return sorted(hung, key=lambda worker: (worker.step, worker.moved_at, worker.node, worker.worker))

    def _patience_s(self, worker: WorkerPace, settings: JobSettings) -> float:
        limits = [settings.hang_timeout_ms / 1000] if settings.hang_timeout_ms else []
        if settings.hang_factor and worker.step_s and not worker.paused:
            limits.append(max(settings.hang_factor * worker.step_s, MISSED * self.again_ms / 1000))
        return min(limits, default=float("inf"))

    def summary(self, name: str) -> JobSteps:
        """In short, as of the last look."""
        steps = JobSteps()
        steps.CopyFrom(self._seen)
        steps.job, steps.token = name, self.token
        steps.working_seconds, steps.lost_seconds, steps.failures = self.working_s, self.lost_s, self.failures
        return steps

    def report(self, name: str, now: float, *, ranks: Callable[[str], int], limit: int) -> JobSteps:
        """With its workers, at most `limit`: those with the lowest scores."""
        steps = self.summary(name)
        hung = {(worker.node, worker.worker) for worker in self.hung}
        per_node = 1 + max((worker for _, worker in self.workers), default=0)
        for worker in self._worst(hung, limit):
            rank = ranks(worker.node) * per_node + worker.worker
            self._add(steps, worker, rank, now, hung=(worker.node, worker.worker) in hung)
        steps.each.sort(key=lambda each: each.rank)
        return steps

    def _worst(self, hung: set[Key], limit: int) -> Iterable[WorkerPace]:
        workers = self.workers.values()
        if len(workers) <= limit:
            return workers
        median_s = self.median_s
        return nsmallest(limit, workers, key=lambda one: ((one.node, one.worker) not in hung, one.score(median_s)))

    def _add(self, steps: JobSteps, worker: WorkerPace, rank: int, now: float, *, hung: bool) -> None:
        steps.each.add(
            node=worker.node,
            worker=worker.worker,
            rank=rank,
            step=worker.step,
            step_seconds=worker.step_s,
            work_seconds=worker.work_s,
            score=worker.score(self.median_s),
            relative_score=worker.relative_score(self.median_s),
            individual_score=worker.individual_score,
            straggler=worker.straggles(self.median_s),
            hung=hung,
            still_seconds=now - worker.moved_at,
            silent_seconds=now - worker.heard_at,
        )


def hang_of(hung: Sequence[WorkerPace], pace: JobPace, now: float) -> Hang:
    """What is told of those that hang."""
    nodes = list(dict.fromkeys(worker.node for worker in hung))[:MAX_NAMED]
    return Hang(
        nodes=nodes,
        workers=len(hung),
        whole_job=len(hung) == len(pace.workers),
        step=hung[0].step,
        still_ms=round(1000 * (now - hung[0].moved_at)),
    )
