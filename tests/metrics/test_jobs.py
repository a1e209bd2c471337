import asyncio
from typing import Any

from raftkv.metrics.jobs import MAX_JOBS_SHOWN, JobTimes, job_samples
from raftkv.pb import rendezvous as pb
from raftkv.pb.rendezvous import JobSettings, Phase
from raftkv.rendezvous.job import Job, World
from raftkv_chaos.sim.loop import run


def job(name: str, phase: Phase, *, had_a_world: bool = False) -> Job:
    made = Job(name, JobSettings(min_nodes=1, max_nodes=1))
    made.phase = phase
    if had_a_world:
        made.world = World.__new__(World)
        made.world.nodes = []
    return made


def shown(jobs: dict[str, Job], times: JobTimes) -> dict[str, float]:
    metrics: Any = job_samples(jobs, times)
    return {"|".join([sample.name, *sample.labels.values()]): sample.value for metric in metrics for sample in metric.samples}


def test_time_is_lost_only_between_two_worlds() -> None:
    async def scenario() -> JobTimes:
        jobs = {
            "new": job("new", Phase.GATHERING),
            "failed": job("failed", Phase.GATHERING, had_a_world=True),
            "at-work": job("at-work", Phase.FORMED, had_a_world=True),
            "done": job("done", Phase.CLOSED, had_a_world=True),
        }
        times = JobTimes(lambda: jobs)
        times.start()
        await asyncio.sleep(10.5)
        times.stop()
        await asyncio.sleep(10.0)
        return times

    times = run(scenario())
    assert (round(times.lost_s), round(times.working_s)) == (10, 10)


def test_a_thousand_jobs_have_no_more_series_than_a_hundred() -> None:
    async def scenario() -> None:
        jobs = {f"job-{number}": job(f"job-{number}", Phase.GATHERING) for number in range(1000)}
        samples = shown(jobs, JobTimes(lambda: jobs))
        assert sum(name.startswith("raftkv_job_round|") for name in samples) == MAX_JOBS_SHOWN
        assert samples["raftkv_jobs|GATHERING"] == 1000

    run(scenario())


def test_pace_of_jobs_is_shown_where_this_node_leads_and_of_no_more_than_a_hundred() -> None:
    async def scenario() -> None:
        steps = [
            pb.JobSteps(job=f"j{n:03}", lowest_step=n, stragglers=2, working_seconds=90, lost_seconds=9, failures=3)
            for n in range(200)
        ]
        times = JobTimes(dict, lambda: steps)
        times.start()
        await asyncio.sleep(1.5)
        times.stop()
        samples = shown({}, times)
        assert samples["raftkv_job_slowest_step|j007"] == 7
        assert samples["raftkv_job_stragglers|j007"] == 2
        assert samples["raftkv_job_seconds_between_failures|j007"] == 30
        assert samples["raftkv_job_lost_seconds_total|j007"] == 9
        assert sum(name.startswith("raftkv_job_slowest_step|") for name in samples) == MAX_JOBS_SHOWN

    run(scenario())


def test_jobs_at_work_are_shown_before_closed_ones() -> None:
    async def scenario() -> None:
        jobs = {f"a{number}": job(f"a{number}", Phase.CLOSED) for number in range(MAX_JOBS_SHOWN)}
        jobs["z"] = job("z", Phase.GATHERING)
        assert "raftkv_job_round|z" in shown(jobs, JobTimes(lambda: jobs))

    run(scenario())
