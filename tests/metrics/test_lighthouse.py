"""What is told of lighthouses: of quorums by every member, of living groups by the leader."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

from raftkv.lighthouse import Formed
from raftkv.metrics.lighthouse import MAX_JOBS_SHOWN, lighthouse_samples
from tests.lighthouse.groups import JOB, Group, Training
from tests.server.replicas import Cluster, Node, simulate, until


def values(metrics: Any) -> dict[str, float]:
    return {"|".join([sample.name, *sample.labels.values()]): sample.value for metric in metrics for sample in metric.samples}


def told(training: Training, node: Node) -> dict[str, float]:
    jobs = node.replica.machine.lighthouses.jobs
    return values(lighthouse_samples(jobs, training.keeper(node), training.callers(node)))


def play(scenario: Callable[[Training, asyncio.TaskGroup], Awaitable[None]]) -> None:
    async def run(cluster: Cluster) -> None:
        training = Training(cluster)
        async with asyncio.TaskGroup() as tasks:
            await scenario(training, tasks)
            for task in tuple(tasks._tasks):
                task.cancel()
        training.stop()

    simulate(run)


def test_groups_quorums_and_who_waits_are_counted() -> None:
    async def scenario(training: Training, tasks: asyncio.TaskGroup) -> None:
        await training.set_options('{"min_replicas": 3}')
        follower, leader = await training.cluster.follower(), await training.cluster.leader()
        for name in "ab":
            training.callers(follower).ask(JOB, Group(training, name).member)
        await asyncio.sleep(1)
        assert told(training, follower)["raftkv_lighthouse_waiting_calls"] == 2
        assert told(training, leader)["raftkv_lighthouse_groups"] == 2
        assert told(training, follower)["raftkv_lighthouse_groups"] == 0
        training.callers(leader).ask(JOB, Group(training, "c").member)
        await until(lambda: training.callers(follower).waiting == 0)
        await asyncio.sleep(1)
        for node in (follower, leader):
            samples = told(training, node)
            assert samples["raftkv_lighthouse_jobs"] == samples["raftkv_lighthouse_quorums_total"] == 1
            assert samples["raftkv_lighthouse_waiting_calls"] == samples["raftkv_lighthouse_refused_calls_total"] == 0
            assert samples[f"raftkv_lighthouse_quorum_id|{JOB}"] == 1
            assert samples[f"raftkv_lighthouse_quorum_groups|{JOB}"] == 3

    play(scenario)


def test_a_thousand_jobs_have_no_more_series_than_a_hundred_those_that_changed_last() -> None:
    jobs = {f"job{number}": Formed(number, ("a", "b"), number) for number in range(1000)}
    nobody: Any = SimpleNamespace(groups=0, refused=0, quorums=0, waiting=0)
    samples = values(lighthouse_samples(jobs, nobody, nobody))
    assert samples["raftkv_lighthouse_jobs"] == 1000
    assert samples["raftkv_lighthouse_quorum_id|job999"] == 999
    assert sum(name.startswith("raftkv_lighthouse_quorum_id|") for name in samples) == MAX_JOBS_SHOWN
