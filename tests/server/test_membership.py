"""Members come, learn, vote, move and go while clients write."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from raftkv.apply.command import CHANGE_MEMBER, body
from raftkv.errors import (
    LearnerNotReadyError,
    MemberExistsError,
    MemberNotFoundError,
    NotEnoughStartedError,
    NotLearnerError,
    PeerUrlExistsError,
    RemovedMemberError,
    RequestError,
    TooManyLearnersError,
    UnhealthyClusterError,
)
from raftkv.pb.command import ChangeMember
from raftkv.pb.rpc import Member
from raftkv.raft.messages import Membership
from raftkv.reply import Reply
from tests.server.replicas import Cluster, Node, insist, simulate, until


def change(node: Node, action: "ChangeMember.Action", member_id: int, **facts: Any) -> Reply[Any]:
    message = ChangeMember(action=action, member=Member(ID=member_id, **facts))
    return node.replica.propose_change(body(CHANGE_MEMBER, message.SerializeToString()))


def add(node: Node, member_id: int, *, learner: bool = False) -> Reply[Any]:
    urls = [f"http://n{member_id}:1"]
    return change(node, ChangeMember.ADD, member_id, name=f"n{member_id}", peerURLs=urls, isLearner=learner)


def remove(node: Node, member_id: int) -> Reply[Any]:
    return change(node, ChangeMember.REMOVE, member_id)


def promote(node: Node, member_id: int) -> Reply[Any]:
    return change(node, ChangeMember.PROMOTE, member_id)


def membership(node: Node) -> Membership:
    return node.replica.machine.membership


async def holds(node: Node, key: str, value: str) -> None:
    await until(lambda: node.look(key) == value)


def alive(cluster: Cluster) -> list[Node]:
    return [node for node in cluster.nodes.values() if not node.replica.failed.done()]


def test_a_new_member_gets_everything_and_votes() -> None:
    async def scenario(cluster: Cluster) -> None:
        leader = await cluster.leader()
        await leader.put("before", "v")
        answer = await add(leader, 4)
        assert (answer.member.ID, [member.ID for member in answer.members]) == (4, [1, 2, 3, 4])
        await leader.put("between", "v")
        newcomer = cluster.add(4)
        for key in ("before", "between"):
            await holds(newcomer, key, "v")
        await cluster.agree()
        assert membership(newcomer) == Membership((1, 2, 3, 4), ())
        assert newcomer.replica.members == leader.replica.members
        for other in (node for node in cluster.nodes.values() if node not in {leader, newcomer}):
            cluster.network.isolate(other.node_id)
            break
        assert await leader.get("between") == "v"  # three of four

    simulate(scenario)


def test_a_follower_may_be_asked_and_the_leader_judges() -> None:
    async def scenario(cluster: Cluster) -> None:
        follower = await cluster.follower()
        await add(follower, 4, learner=True)
        refused: list[tuple[type[RequestError], Callable[[], Reply[Any]]]] = [
            (TooManyLearnersError, lambda: add(follower, 5, learner=True)),
            (MemberExistsError, lambda: add(follower, 4)),
            (PeerUrlExistsError, lambda: change(follower, ChangeMember.ADD, 9, peerURLs=["http://n2:1"])),
            (PeerUrlExistsError, lambda: change(follower, ChangeMember.UPDATE, 1, peerURLs=["http://n2:1"])),
            (MemberNotFoundError, lambda: remove(follower, 9)),
            (MemberNotFoundError, lambda: promote(follower, 9)),
            (NotLearnerError, lambda: promote(follower, 1)),
            (LearnerNotReadyError, lambda: promote(follower, 4)),
        ]
        for refusal, asked in refused:
            with pytest.raises(refusal):
                await asked()
        assert membership(follower) == Membership((1, 2, 3), (4,))

    simulate(scenario)


def test_a_learner_is_promoted_when_it_has_caught_up() -> None:
    async def scenario(cluster: Cluster) -> None:
        leader = await cluster.leader()
        for i in range(50):
            await leader.put(f"k{i}", "v")
        await add(leader, 4, learner=True)
        with pytest.raises(LearnerNotReadyError):
            await promote(leader, 4)
        learner = cluster.add(4)
        await holds(learner, "k49", "v")
        assert learner.replica.is_learner
        await insist(lambda: promote(learner, 4))
        await until(lambda: membership(learner) == Membership((1, 2, 3, 4), ()))
        assert not learner.replica.is_learner

    simulate(scenario)


def test_changes_asked_for_at_once_are_made_one_after_the_other() -> None:
    async def scenario(cluster: Cluster) -> None:
        leader, follower = await cluster.leader(), await cluster.follower()
        asked = [add(leader, 4, learner=True), change(follower, ChangeMember.UPDATE, 2, peerURLs=["http://elsewhere:1"])]
        asked += [add(follower, 5), remove(leader, 4)]
        done = await asyncio.gather(*(settled(reply) for reply in asked))
        # What a follower forwards comes later than what the leader heard itself.
        assert [error for error in done if not isinstance(error, (RequestError, type(None)))] == []
        await cluster.agree()
        assert list(leader.replica.members[2].peerURLs) == ["http://elsewhere:1"]
        assert membership(leader) == membership(follower)

    simulate(scenario)


async def settled(reply: Reply[Any]) -> RequestError | None:
    try:
        await reply
    except RequestError as error:
        return error
    return None


def test_a_removed_leader_hands_over_says_so_and_ends() -> None:
    async def scenario(cluster: Cluster) -> None:
        old = await cluster.leader()
        answer = await remove(old, old.node_id)
        assert old.node_id not in {member.ID for member in answer.members}
        new = await cluster.leader(other_than=old.node_id)
        await insist(lambda: new.put("k", "v"))
        await until(old.replica.failed.done)
        assert isinstance(old.replica.failed.exception(), RemovedMemberError)
        assert len(membership(new).voters) == 2

    simulate(scenario)


def test_a_member_removed_while_it_was_away_is_told_when_it_comes_back() -> None:
    async def scenario(cluster: Cluster) -> None:
        leader = await cluster.leader()
        gone = await cluster.follower()
        cluster.network.isolate(gone.node_id)
        await remove(leader, gone.node_id)
        for i in range(5):
            await leader.put(f"k{i}", "v")
        cluster.network.heal()
        await until(gone.replica.failed.done)
        assert isinstance(gone.replica.failed.exception(), RemovedMemberError)
        assert (await cluster.leader()).node_id == leader.node_id

    simulate(scenario)


def test_an_id_never_comes_back() -> None:
    async def scenario(cluster: Cluster) -> None:
        leader = await cluster.leader()
        await add(leader, 4, learner=True)
        await remove(leader, 4)
        with pytest.raises(MemberNotFoundError):
            await add(leader, 4)
        assert 4 in leader.replica.machine.removed

    simulate(scenario)


def test_nobody_joins_or_leaves_where_that_could_cost_the_quorum() -> None:
    async def scenario(cluster: Cluster) -> None:
        leader = await cluster.leader()
        dead, other = (node for node in cluster.nodes.values() if node is not leader)
        cluster.network.isolate(dead.node_id)
        await asyncio.sleep(5)
        refused: list[Callable[[], Reply[Any]]] = [
            lambda: add(leader, 4),
            lambda: add(leader, 4, learner=True),
            lambda: remove(leader, other.node_id),
        ]
        for asked in refused:
            with pytest.raises(UnhealthyClusterError):
                await asked()
        await remove(leader, dead.node_id)
        await add(leader, 4)  # two started of three, and both there
        with pytest.raises(UnhealthyClusterError):
            await remove(leader, other.node_id)

    simulate(scenario)


def test_the_last_voter_stays() -> None:
    async def scenario(cluster: Cluster) -> None:
        leader = await cluster.leader()
        with pytest.raises(NotEnoughStartedError):
            await remove(leader, 1)

    simulate(scenario, count=1)
    simulate(scenario, count=1, strict_reconfig=False)


def test_a_change_survives_the_death_of_its_leader() -> None:
    async def scenario(cluster: Cluster) -> None:
        leader = await cluster.leader()
        follower = await cluster.follower()
        for node in cluster.nodes.values():
            if node is not leader:
                cluster.network.cut(node.node_id, leader.node_id)  # it is appended, and its leader hears of nobody
        reply = add(follower, 4)
        await asyncio.sleep(0.3)
        cluster.network.heal()
        leader.restart()
        answer = await reply
        assert [member.ID for member in answer.members] == [1, 2, 3, 4]
        await until(lambda: membership(leader) == Membership((1, 2, 3, 4), ()))

    simulate(scenario)


@pytest.mark.parametrize("seed", range(3))
def test_changes_under_load_and_crashes_lose_nothing(seed: int) -> None:
    """Grow from 3 to 5, replace a dead member, shrink to 3, while writers write and a leader crashes."""

    async def scenario(cluster: Cluster) -> None:
        written: dict[str, str] = {}
        stop = asyncio.Event()

        async def writer(name: int) -> None:
            count = 0
            while not stop.is_set():
                node = cluster.rng.choice(alive(cluster))
                key = f"w{name}-{count % 20}"
                count += 1
                written.pop(key, None)  # until it is answered, it may be the one or the other
                with suppress(RequestError):
                    await node.put(key, str(count))
                    written[key] = str(count)
                await asyncio.sleep(0.02)

        async with asyncio.TaskGroup() as tasks:
            writers = [tasks.create_task(writer(name)) for name in range(4)]
            await changes(cluster)
            stop.set()
            await asyncio.wait(writers)
        live = [node for node in alive(cluster) if node.node_id in membership(await cluster.leader()).voters]
        await until(lambda: len({node.replica.machine.applied_index for node in live}) == 1)
        for node in live:
            assert {key: node.look(key) for key in written} == written
        assert len(written) > 20

    simulate(scenario, seed=seed, snapshot_count=50, catch_up_entries=20)


async def changes(cluster: Cluster) -> None:
    for newcomer in (4, 5):
        await persist(cluster, add, newcomer)
        cluster.add(newcomer)
        await votes(cluster, newcomer)
    crashed = await cluster.leader()
    crashed.crash()
    await cluster.leader(other_than=crashed.node_id)
    await persist(cluster, remove, crashed.node_id)
    del cluster.nodes[crashed.node_id]
    await persist(cluster, lambda node, member: add(node, member, learner=True), 6)
    cluster.add(6)
    await persist(cluster, promote, 6)
    await votes(cluster, 6)
    for leaving in [node for node in (2, 3, 4, 5) if node != crashed.node_id][:2]:
        await persist(cluster, remove, leaving)


async def votes(cluster: Cluster, member: int) -> None:
    await until(lambda: member in membership(cluster.nodes[member]).voters)


async def persist(cluster: Cluster, what: Any, member: int) -> None:
    """Asks until it is done; an answer that is lost makes the next one say that it is."""
    while True:
        node = cluster.rng.choice([node for node in alive(cluster) if node.node_id != member])
        try:
            await what(node, member)
        except (MemberExistsError, NotLearnerError, MemberNotFoundError):
            return
        except RequestError:
            await asyncio.sleep(0.2)
        else:
            return
