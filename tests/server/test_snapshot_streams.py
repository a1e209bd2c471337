"""A snapshot whose sender is gone must not keep the next one out."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from raftkv.errors import PeerError
from raftkv.raft.messages import InstallSnapshot, Membership, Snapshot
from raftkv.server.snapshots import STALLED_S, _Need
from tests.server.replicas import Cluster, simulate


def offer(source: int, target: int) -> InstallSnapshot:
    return InstallSnapshot(source, target, 9, Snapshot(9, 9, Membership()))


async def silence() -> AsyncIterator[bytes]:
    """What comes from a machine without power: nothing, not even an end."""
    await asyncio.get_running_loop().create_future()
    yield b""


def test_a_snapshot_that_does_not_go_on_makes_room_for_the_next() -> None:
    async def scenario(cluster: Cluster) -> None:
        leader, follower = await cluster.leader(), await cluster.follower()
        message = offer(leader.node_id, follower.node_id)

        async def interrupt() -> None:
            await asyncio.sleep(STALLED_S / 2)
            with pytest.raises(PeerError, match="another snapshot"):
                await follower.replica.receive_snapshot(message, silence())

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(interrupt())
            with pytest.raises(PeerError):
                await follower.replica.receive_snapshot(message, silence())
        assert not follower.replica._incoming.receiving

    simulate(scenario)


def test_the_log_is_kept_for_who_took_a_snapshot_until_it_has_caught_up_or_stands_still() -> None:
    async def scenario(cluster: Cluster) -> None:
        leader, follower = await cluster.leader(), await cluster.follower()
        outgoing, target = leader.replica.outgoing_snapshots, follower.node_id
        outgoing.send(offer(leader.node_id, target))
        assert outgoing.spare(50, lambda: {target: 0}) == 9
        await asyncio.sleep(STALLED_S)
        assert not outgoing.under_way, "the follower had no use for it"
        outgoing._needs[target] = _Need(9, asyncio.get_running_loop().time())
        assert outgoing.spare(50, lambda: {target: 30}) == 30
        assert outgoing.spare(50, lambda: {target: 60}) == 50
        outgoing._needs[target] = _Need(9, asyncio.get_running_loop().time())
        await asyncio.sleep(STALLED_S)
        assert outgoing.spare(50, lambda: {target: 9}) == 50
        outgoing._needs[target] = _Need(9, asyncio.get_running_loop().time())
        assert outgoing.spare(50, dict) == 50, "who does not lead waits for nobody"

    simulate(scenario)
