"""A snapshot whose sender is gone must not keep the next one out."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from raftkv.errors import PeerError
from raftkv.raft.messages import InstallSnapshot, Membership, Snapshot
from raftkv.server.snapshots import STALLED_S
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
