"""The lighthouse of a cluster under virtual time: leaders die and are cut off, groups die, shrink and come back."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from raftkv.errors import InvalidArgumentError
from raftkv.pb.lighthouse import LighthouseNews, WaitingCall
from raftkv.pb.torchft import LighthouseQuorumResponse, QuorumMember
from raftkv.peer.asks import Kind
from tests.lighthouse.groups import JOB, Group, Training, check
from tests.server.replicas import Cluster, simulate, until

OPTIONS = '{"min_replicas": 2, "join_timeout_ms": 20000, "heartbeat_timeout_ms": 3000}'


def play(scenario: Callable[[Training, asyncio.TaskGroup], Awaitable[None]], *, seed: int = 1) -> None:
    """Runs a scenario; its groups die with it."""

    async def run(cluster: Cluster) -> None:
        training = Training(cluster)
        await training.set_options(OPTIONS)
        async with asyncio.TaskGroup() as tasks:
            await scenario(training, tasks)
            for task in tuple(tasks._tasks):
                task.cancel()
        training.stop()
        check(training.told)

    simulate(run, seed=seed)


async def together(training: Training, members: str) -> None:
    """Returns when a quorum of just these was told to all of them."""
    begin = len(training.told)
    await until(lambda: {told.group for told in training.told[begin:] if told.members == members} == set(members))


@pytest.mark.parametrize("seed", range(6))
def test_death_of_leaders_makes_no_quorum_smaller(seed: int) -> None:
    async def scenario(training: Training, tasks: asyncio.TaskGroup) -> None:
        for name in "abc":
            tasks.create_task(Group(training, name).live())
        await together(training, "abc")
        begin = len(training.told)
        for _ in range(3):
            await asyncio.sleep(training.rng.uniform(0.3, 1.5))
            leader = await training.cluster.leader()
            if training.rng.random() < 0.5:
                training.restart(leader)
            else:
                training.cluster.network.isolate(leader.node_id)
                await training.cluster.leader(other_than=leader.node_id)
                await asyncio.sleep(training.rng.uniform(0.0, 5.0))
                training.cluster.network.heal()
            await together(training, "abc")
        assert {told.members for told in training.told[begin:]} == {"abc"}
        assert len({told.quorum.quorum_id for told in training.told[begin:]}) == 1

    play(scenario, seed=seed)


@pytest.mark.parametrize("seed", range(6))
def test_ids_never_fall_or_repeat_whatever_dies(seed: int) -> None:
    async def scenario(training: Training, tasks: asyncio.TaskGroup) -> None:
        rng = training.rng
        groups = {name: tasks.create_task(Group(training, name, pause=rng.uniform(0, 1)).live()) for name in "abcd"}
        for _ in range(12):
            await asyncio.sleep(rng.uniform(0.2, 6.0))
            match rng.randrange(4):
                case 0:
                    training.restart(await training.cluster.leader())
                case 1:
                    training.cluster.network.isolate((await training.cluster.leader()).node_id)
                    await asyncio.sleep(rng.uniform(0.5, 5.0))
                    training.cluster.network.heal()
                case _:
                    name = rng.choice("abcd")
                    groups.pop(name).cancel()
                    await asyncio.sleep(rng.uniform(0.0, 6.0))
                    groups[name] = tasks.create_task(Group(training, name, pause=rng.uniform(0, 1)).live())
        await together(training, "abcd")
        assert check(training.told) >= 3

    play(scenario, seed=seed)


def test_dead_group_is_left_out_within_its_heartbeat_timeout_and_taken_in_when_it_is_back() -> None:
    async def scenario(training: Training, tasks: asyncio.TaskGroup) -> None:
        groups = {name: tasks.create_task(Group(training, name).live()) for name in "abc"}
        await together(training, "abc")
        groups["b"].cancel()
        begun = asyncio.get_running_loop().time()
        await together(training, "ac")
        assert asyncio.get_running_loop().time() - begun < 3.0 + 0.6
        tasks.create_task(Group(training, "b").live())
        await together(training, "abc")

    play(scenario)


def test_leader_and_group_that_die_together_delay_the_rest_by_one_heartbeat_timeout() -> None:
    async def scenario(training: Training, tasks: asyncio.TaskGroup) -> None:
        groups = {name: tasks.create_task(Group(training, name).live()) for name in "abc"}
        await together(training, "abc")
        training.kill(await training.cluster.leader())
        groups["c"].cancel()
        await training.cluster.leader()
        begun = asyncio.get_running_loop().time()
        await together(training, "ab")
        assert asyncio.get_running_loop().time() - begun < 3.0 + 1.0

    play(scenario)


def test_group_that_asks_no_more_is_not_counted_as_asking() -> None:
    async def scenario(training: Training, tasks: asyncio.TaskGroup) -> None:
        tasks.create_task(Group(training, "a")._beat())
        impatient = training.callers(await training.cluster.follower()).ask(JOB, Group(training, "a").member)
        await asyncio.sleep(1)
        impatient.cancel()
        await asyncio.sleep(1)
        for name in "bc":
            tasks.create_task(Group(training, name).live())
        await asyncio.sleep(10)
        assert training.told == [], "a lives, and is waited for"
        tasks.create_task(Group(training, "a").live())
        await together(training, "abc")

    play(scenario)


def test_newcomer_waits_while_the_others_only_shrink() -> None:
    async def scenario(training: Training, tasks: asyncio.TaskGroup) -> None:
        groups = [Group(training, name) for name in "abc"]
        lives = [tasks.create_task(group.live()) for group in groups]
        await together(training, "abc")
        for group in groups:
            group.member.shrink_only = True
        await together(training, "abc")
        tasks.create_task(Group(training, "n").live())
        lives[2].cancel()
        await together(training, "ab")
        await asyncio.sleep(5)
        assert not any("n" in told.members for told in training.told)

    play(scenario)


def test_options_count_from_the_moment_at_which_they_are_written() -> None:
    async def scenario(training: Training, tasks: asyncio.TaskGroup) -> None:
        tasks.create_task(Group(training, "a").live())
        await asyncio.sleep(5)
        assert training.told == []
        await training.set_options('{"min_replicas": 1}')
        await together(training, "a")
        await training.set_options("nonsense")
        await together(training, "a")

    play(scenario)


def test_call_at_a_node_that_is_cut_off_is_answered_when_it_is_back() -> None:
    async def scenario(training: Training, tasks: asyncio.TaskGroup) -> None:
        follower = await training.cluster.follower()
        asked = training.callers(follower).ask(JOB, Group(training, "a").member)
        await asyncio.sleep(1)
        training.cluster.network.isolate(follower.node_id)
        training.callers(await training.cluster.leader()).ask(JOB, Group(training, "b").member)
        await asyncio.sleep(1)
        training.cluster.network.heal()
        await asked

    play(scenario)


def test_leader_refuses_news_that_it_cannot_read() -> None:
    async def scenario(training: Training, tasks: asyncio.TaskGroup) -> None:
        await asyncio.sleep(1)
        leader = await training.cluster.leader()
        with pytest.raises(InvalidArgumentError):
            await (await training.cluster.follower()).replica.ask_leader(Kind.LIGHTHOUSE, b"\xff")
        assert not leader.replica.failed.done()

    play(scenario)


def test_thousand_groups_form_a_quorum_at_once_and_each_of_the_next_ones() -> None:
    async def scenario(training: Training, tasks: asyncio.TaskGroup) -> None:
        names = [f"{number:04d}" for number in range(1000)]
        await training.set_options('{"min_replicas": 1000, "heartbeat_timeout_ms": 60000}')
        for _ in range(2):
            begun = asyncio.get_running_loop().time()
            asked = [training.callers(training.node()).ask(JOB, Group(training, name).member) for name in names]
            quorums = [LighthouseQuorumResponse.FromString(answer).quorum for answer in [await reply for reply in asked]]
            assert asyncio.get_running_loop().time() - begun < 0.5
            assert {(quorum.quorum_id, len(quorum.participants)) for quorum in quorums} == {(1, 1000)}

    play(scenario)


def test_quorum_that_a_node_did_not_see_as_after_a_snapshot_is_told_to_its_callers() -> None:
    async def scenario(training: Training, tasks: asyncio.TaskGroup) -> None:
        follower = await training.cluster.follower()
        callers = training.callers(follower)
        follower.replica.machine.lighthouses.audience.remove(callers)
        asked = callers.ask(JOB, Group(training, "a").member)
        training.callers(await training.cluster.leader()).ask(JOB, Group(training, "b").member)
        async with asyncio.timeout(1):
            await asked
        assert callers.waiting == 0

    play(scenario)


def test_last_call_of_a_group_counts_in_whatever_order_the_leader_hears_of_them() -> None:
    async def scenario(training: Training, tasks: asyncio.TaskGroup) -> None:
        leader = await training.cluster.leader()
        a, b = Group(training, "a").member, Group(training, "b").member
        for reply in [training.callers(leader).ask(JOB, member) for member in (a, b)]:
            await reply

        def tell(ticket: int, step: int, age_ms: int) -> None:
            call = WaitingCall(ticket=ticket, job=JOB, age_ms=age_ms, member=QuorumMember(replica_id="a", step=step))
            training.keeper(leader)._take(LighthouseNews(waiting=[call]).SerializeToString(), 99)

        await asyncio.sleep(0.2)
        tell(ticket=1, step=1, age_ms=300)
        tell(ticket=2, step=0, age_ms=900)
        async with asyncio.timeout(2):
            told = await training.callers(leader).ask(JOB, b)
        members = LighthouseQuorumResponse.FromString(told).quorum.participants
        assert [(member.replica_id, member.step) for member in members] == [("a", 1), ("b", 0)]

    play(scenario)
