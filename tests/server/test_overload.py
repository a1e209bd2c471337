"""A node that has too much to do says so, and does nothing for those who have gone (facts O1, O2, O8)."""

import asyncio

import pytest

from raftkv.errors import TooManyRequestsError
from raftkv.reply import Reply
from tests.server.replicas import Cluster, insist, simulate, until


def test_o1_a_flood_of_writes_is_counted_and_cut_off() -> None:
    async def scenario(cluster: Cluster) -> None:
        follower = await cluster.follower()
        cluster.network.isolate(follower.node_id)
        refused, taken = 0, []
        for number in range(500):
            try:
                taken.append(follower.put(f"k{number}", "v"))
            except TooManyRequestsError:
                refused += 1
            assert follower.replica.pending_proposals <= 100
        assert (len(taken), refused) == (100, 400)
        cluster.network.heal()
        await asyncio.gather(*(wait_for(reply) for reply in taken))
        assert follower.replica.pending_proposals == 0

    simulate(scenario, max_pending=100)


def test_o1_a_flood_of_reads_is_counted_and_cut_off() -> None:
    async def scenario(cluster: Cluster) -> None:
        follower = await cluster.follower()
        cluster.network.isolate(follower.node_id)
        taken = [follower.replica.read(lambda: "x") for _ in range(100)]
        with pytest.raises(TooManyRequestsError):
            follower.replica.read(lambda: "x")
        cluster.network.heal()
        assert [await reply for reply in taken] == ["x"] * 100

    simulate(scenario, max_pending=100)


def test_o2_a_node_that_is_behind_with_applying_takes_no_writes() -> None:
    async def scenario(cluster: Cluster) -> None:
        leader = await cluster.leader()
        await leader.put("a", "1")
        machine = leader.replica.machine
        machine.applied_index -= 6
        with pytest.raises(TooManyRequestsError):
            leader.put("b", "2")
        machine.applied_index += 6
        await leader.put("c", "3")
        assert (leader.look("b"), leader.look("c")) == (None, "3")

    simulate(scenario, max_apply_gap=5)


def test_o8_what_its_caller_gave_up_while_it_waited_is_never_proposed() -> None:
    async def scenario(cluster: Cluster) -> None:
        follower = await cluster.follower()
        for node_id in cluster.ids:
            cluster.network.isolate(node_id)
        await until(lambda: not follower.replica.leader)
        abandoned, patient = follower.put("abandoned", "v"), follower.put("patient", "v")
        abandoned.cancel()
        cluster.network.heal()
        await patient
        await insist(lambda: follower.put("last", "v"))
        await cluster.agree()
        assert (follower.look("abandoned"), follower.look("patient")) == (None, "v")
        assert follower.replica.pending_proposals == 0

    simulate(scenario)


async def wait_for(reply: Reply[object]) -> None:
    """Until it has its answer."""
    await reply
