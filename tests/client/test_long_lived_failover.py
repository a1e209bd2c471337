"""Watches and leases while the nodes of a cluster die, one after the other, the leader first."""

import asyncio
from contextlib import suppress

import pytest

from raftkv.client import Client, LeaseState
from raftkv.errors import OutcomeUnknownError
from tests.client.targets import OPTIONS, TARGETS
from tests.conftest import StartCluster
from tests.harness.cluster import Cluster


async def kill_in_turn(cluster: Cluster, rounds: int) -> None:
    """The leader dies, and is back before the next one does."""
    for _ in range(rounds):
        leader = await asyncio.to_thread(cluster.leader)
        leader.kill()
        await asyncio.to_thread(cluster.leader)
        leader.start()
        await asyncio.to_thread(cluster.wait_ready, [leader])


@pytest.mark.parametrize("target", TARGETS)
async def test_watch_and_lease_outlive_leaders(start_cluster: StartCluster, target: str) -> None:
    """Every watch sees every revision once and in order, and a lease that could be renewed in time is never lost."""
    cluster = start_cluster(TARGETS[target], size=3, options=OPTIONS.get(target))
    done = asyncio.Event()

    async def write(client: Client) -> None:
        number = 0
        while not done.is_set():
            with suppress(OutcomeUnknownError):
                await client.put(f"k/{number % 7}", str(number))
            number += 1

    async def follow(client: Client) -> list[int]:
        seen: list[int] = []
        async with client.watch("k/", prefix=True) as watch:
            ready.release()
            async for event in watch.events():
                seen.append(event.kv.mod_revision)
                if event.kv.value == b"end":
                    return seen
        return seen

    ready = asyncio.Semaphore(0)
    async with Client(cluster.endpoints, timeout=30.0) as client, client.lease(15) as lease, asyncio.TaskGroup() as tasks:
        states: list[LeaseState] = []
        lease.observe(states.append)
        await client.put("leased", "v", lease=lease.id)
        followers = [tasks.create_task(follow(client)) for _ in range(5)]
        for _ in followers:
            await ready.acquire()
        writing = tasks.create_task(write(client))
        await kill_in_turn(cluster, rounds=2)
        done.set()
        await writing
        await client.put("k/end", "end")
        seen = [await follower for follower in followers]
        assert LeaseState.LOST not in states
        assert await client.get("leased") is not None
        history = await client.range("k/", prefix=True)
    assert seen[0] == sorted(set(seen[0]))
    assert all(other == seen[0] for other in seen[1:])
    assert {entry.mod_revision for entry in history.kvs} <= set(seen[0])
    assert len(seen[0]) == sum(entry.version for entry in history.kvs), "a change was missed"
