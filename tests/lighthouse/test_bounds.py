"""What the leader keeps of lighthouses is bounded, whatever names clients choose; who finds no room is told so."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import pytest

from raftkv.errors import TooManyRequestsError
from raftkv.lighthouse.lighthouses import MAX_JOBS
from raftkv.pb.lighthouse import LighthouseNews
from raftkv.pb.torchft import LighthouseQuorumResponse, QuorumMember
from raftkv.peer.asks import Kind
from raftkv.rpc.lighthouse import MAX_REQUEST_BYTES
from raftkv.server.lighthouse_callers import MAX_CALLS_BYTES
from raftkv.server.lighthouse_keeper import MAX_ALL_GROUPS, MAX_GROUPS
from tests.lighthouse.groups import JOB, Training
from tests.server.replicas import Cluster, simulate

LONG_S = 12.0
"""After which groups that say nothing are forgotten."""


def play(scenario: Callable[[Training], Awaitable[None]]) -> None:
    async def run(cluster: Cluster) -> None:
        training = Training(cluster)
        await cluster.leader()
        await asyncio.sleep(1)
        await scenario(training)
        training.stop()

    simulate(run)


async def tell(training: Training, heartbeats: Iterable[tuple[str, Iterable[str]]]) -> None:
    """As a node tells what it has heard."""
    news = LighthouseNews()
    for job, groups in heartbeats:
        news.heartbeats.add(job=job, replica_ids=groups)
    follower = await training.cluster.follower()
    await follower.replica.ask_leader(Kind.LIGHTHOUSE, news.SerializeToString())


async def ask(training: Training, job: str, group: str) -> list[str]:
    """The groups of the quorum that one is told of."""
    callers = training.callers(await training.cluster.follower())
    async with asyncio.timeout(5):
        answer = await callers.ask(job, QuorumMember(replica_id=group))
    return [member.replica_id for member in LighthouseQuorumResponse.FromString(answer).quorum.participants]


async def refuses_then_serves(training: Training, job: str = JOB) -> None:
    with pytest.raises(TooManyRequestsError):
        await ask(training, job, "late")
    assert training.keeper(await training.cluster.leader()).refused == 1
    await asyncio.sleep(LONG_S)
    assert await ask(training, job, "late") == ["late"]


def test_jobs_that_the_leader_hears_of_are_bounded() -> None:
    async def scenario(training: Training) -> None:
        await tell(training, ((f"job{number}", ["a"]) for number in range(MAX_JOBS + 1)))
        await refuses_then_serves(training)

    play(scenario)


def test_groups_of_all_jobs_together_are_bounded() -> None:
    async def scenario(training: Training) -> None:
        groups = [str(number) for number in range(MAX_GROUPS)]
        await tell(training, ((f"job{number}", groups) for number in range(MAX_ALL_GROUPS // MAX_GROUPS)))
        await refuses_then_serves(training)

    play(scenario)


def test_what_waiting_groups_say_of_themselves_is_bounded_at_each_node() -> None:
    async def scenario(training: Training) -> None:
        await training.set_options('{"min_replicas": 1000}')
        callers = training.callers(await training.cluster.follower())
        large = QuorumMember(replica_id="a", data="x" * (MAX_REQUEST_BYTES - 100))
        asked = [callers.ask(JOB, large) for _ in range(MAX_CALLS_BYTES // MAX_REQUEST_BYTES)]
        with pytest.raises(TooManyRequestsError):
            callers.ask(JOB, large)
        for reply in asked[:2]:
            reply.cancel()
        await asyncio.sleep(1)
        callers.ask(JOB, large)
        assert callers.waiting == len(asked) - 1

    play(scenario)


def test_groups_of_one_job_are_bounded() -> None:
    async def scenario(training: Training) -> None:
        await tell(training, [(JOB, [str(number) for number in range(MAX_GROUPS)])])
        assert await ask(training, "other", "a") == ["a"]
        await refuses_then_serves(training)

    play(scenario)


def test_job_whose_last_quorum_has_no_room_is_refused_as_a_whole() -> None:
    async def scenario(training: Training) -> None:
        assert await ask(training, JOB, "a") == ["a"]
        await asyncio.sleep(LONG_S)
        groups = [str(number) for number in range(MAX_GROUPS)]
        full = ((f"job{number}", groups[: MAX_GROUPS - (number == 0)]) for number in range(MAX_ALL_GROUPS // MAX_GROUPS))
        await tell(training, full)
        with pytest.raises(TooManyRequestsError):
            await ask(training, JOB, "b")
        assert await ask(training, "new", "a") == ["a"]

    play(scenario)
