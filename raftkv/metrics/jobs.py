"""Training jobs: how many there are, how far the first hundred of them are, and how much of their time was lost.

Every replica has the same jobs, so each of them tells the same: take the maximum over members, not the sum. Jobs of their own
have samples up to MAX_JOBS_SHOWN, those that were not closed first; the totals count all of them.

Their label is `training_job`, for Prometheus itself calls what it scrapes a job.

    time between failures   raftkv_jobs_working_seconds_total / raftkv_jobs_restarts
    time lost               raftkv_jobs_lost_seconds_total

What heartbeats tell (raftkv.pace) only the leader knows, and counts since it leads; nobody else tells it.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from raftkv.pb.rendezvous import JobSteps, Phase
from raftkv.rendezvous.job import Job

MAX_JOBS_SHOWN: Final = 100
INTERVAL_S: Final = 1.0


class JobTimes:
    """Looks at all jobs once a second and adds up what the time went to. The log knows no time, so this is each node's own count."""

    def __init__(self, jobs: Callable[[], Mapping[str, Job]], steps: Callable[[], Sequence[JobSteps]] = lambda: ()) -> None:
        self._jobs = jobs
        self._steps = steps
        self._loop = asyncio.get_running_loop()
        self._looked_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.working_s = 0.0
        """Of all jobs together, with a world at work."""
        self.lost_s = 0.0
        """Of all jobs together, between two worlds: from a failure until all work again."""
        self.steps: Sequence[JobSteps] = ()
        """How far they are, where this node leads; as of the last look, for metrics are read on another thread."""

    def start(self) -> None:
        """Begins to look."""
        self._looked_at = self._loop.time()
        self._timer = self._loop.call_later(INTERVAL_S, self._look)

    def stop(self) -> None:
        """Ends."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        now = self._loop.time()
        passed = now - self._looked_at
        for job in self._jobs().values():
            if job.phase == Phase.FORMED:
                self.working_s += passed
            elif job.phase == Phase.GATHERING and job.world is not None:
                self.lost_s += passed
        self._looked_at = now
        self.steps = self._steps()
        self._timer = self._loop.call_later(INTERVAL_S, self._look)


def job_samples(jobs: Mapping[str, Job], times: JobTimes) -> Iterator[Metric]:
    """All of it."""
    known = list(jobs.values())
    phases: Counter[int] = Counter(job.phase for job in known)
    by_phase = GaugeMetricFamily("raftkv_jobs", "Jobs by phase.", labels=["phase"])
    for phase in Phase.values():
        by_phase.add_metric([Phase.Name(phase)], phases[phase])
    yield by_phase
    yield GaugeMetricFamily("raftkv_jobs_restarts", "Rounds that failed, of all jobs.", sum(job.restarts for job in known))
    yield CounterMetricFamily("raftkv_jobs_working_seconds_total", "Time with a world at work.", times.working_s)
    yield CounterMetricFamily("raftkv_jobs_lost_seconds_total", "Time between two worlds.", times.lost_s)
    yield from _each(sorted(known, key=lambda job: (job.phase == Phase.CLOSED, job.name))[:MAX_JOBS_SHOWN])
    yield from _paces(times.steps[:MAX_JOBS_SHOWN])


def _each(jobs: list[Job]) -> Iterator[Metric]:
    numbers: tuple[tuple[str, str, Callable[[Job], int]], ...] = (
        ("raftkv_job_round", "The round that is open or formed.", lambda job: job.round),
        ("raftkv_job_world_size", "Nodes at work.", lambda job: job.world_size),
        ("raftkv_job_step", "The highest step that was reported.", lambda job: job.step),
        ("raftkv_job_restarts", "Rounds that failed.", lambda job: job.restarts),
        ("raftkv_job_ready_nodes", "Nodes that wait to be taken in.", lambda job: len(job.ready)),
        ("raftkv_job_straggling_nodes", "Survivors that have not come back yet.", lambda job: len(job.awaited)),
        ("raftkv_job_excluded_nodes", "Nodes that may not take part.", lambda job: len(job.excluded)),
        ("raftkv_job_barriers", "Barriers of its world.", lambda job: len(job.barriers)),
    )
    for name, documentation, number in numbers:
        family = GaugeMetricFamily(name, documentation, labels=["training_job"])
        for job in jobs:
            family.add_metric([job.name], number(job))
        yield family


def _paces(jobs: Sequence[JobSteps]) -> Iterator[Metric]:
    gauges: tuple[tuple[str, str, Callable[[JobSteps], float]], ...] = (
        ("raftkv_job_slowest_step", "The step of the worker that is furthest behind.", lambda job: job.lowest_step),
        ("raftkv_job_step_seconds", "What a step takes.", lambda job: job.step_seconds),
        ("raftkv_job_stragglers", "Workers much slower than the others, or than they were.", lambda job: job.stragglers),
        ("raftkv_job_hung_workers", "Workers whose steps do not move.", lambda job: job.hung),
        ("raftkv_job_seconds_between_failures", "Time at work for each failure.", _between_failures),
    )
    counters: tuple[tuple[str, str, Callable[[JobSteps], float]], ...] = (
        ("raftkv_job_working_seconds_total", "Time with a world at work.", lambda job: job.working_seconds),
        ("raftkv_job_lost_seconds_total", "Time between two worlds.", lambda job: job.lost_seconds),
    )
    for kind, numbers in ((GaugeMetricFamily, gauges), (CounterMetricFamily, counters)):
        for name, documentation, number in numbers:
            family = kind(name, documentation, labels=["training_job"])
            for job in jobs:
                family.add_metric([job.job], number(job))
            yield family


def _between_failures(job: JobSteps) -> float:
    """All of its time, as long as nothing has failed."""
    return job.working_seconds / max(1, job.failures)
