"""The recipes through the client, against real servers; what they promise is tested in tests/recipes."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import aclosing

import pytest

from raftkv.client import BlockingClient, Client, Put
from raftkv.errors import HeldAlreadyError, LostError, NotAcquiredError
from raftkv.recipes.election import Leadership
from tests.conftest import StartCluster
from tests.harness.etcd import ETCDCTL
from tests.harness.raftkv import RaftkvCluster

HOLDER = """
import asyncio, sys
from raftkv.client import Client, Put
from raftkv.errors import LostError

async def main():
    async with Client(sys.argv[1]) as client:
        held = await client.lock("job", ttl=2).acquire()
        print(held.token.encode(), flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        try:
            await held.txn(success=[Put("result", "old")])
            print("written", flush=True)
        except LostError:
            print("lost", flush=True)

asyncio.run(main())
"""


@pytest.fixture
def blocking(endpoint: str) -> Iterator[BlockingClient]:
    with BlockingClient(endpoint, timeout=20.0) as client:
        yield client


async def test_a_lock_excludes_and_its_token_is_fenced(client: Client, endpoint: str, prefix: str) -> None:
    async with Client(endpoint) as other:
        async with client.lock(prefix + "l", ttl=5) as held:
            assert await client.verify(held.token)
            with pytest.raises(NotAcquiredError):
                await other.lock(prefix + "l", blocking=False).acquire()
            with pytest.raises(HeldAlreadyError):
                await client.lock(prefix + "l").acquire()
            await client.txn([held.guard()], [Put(prefix + "x", "1")])
        assert not await other.verify(held.token)
        async with other.lock(prefix + "l", blocking=False) as second:
            assert second.token > held.token


async def test_a_revoked_lease_ends_the_block(client: Client, endpoint: str, prefix: str) -> None:
    async with Client(endpoint) as operator:
        with pytest.raises(LostError):  # noqa: PT012 (the block is what is tested)
            async with client.lock(prefix + "l", ttl=60) as held:
                await operator.lease_revoke(held.lease)
                await asyncio.get_running_loop().create_future()


async def test_an_election_is_observed(client: Client, endpoint: str, prefix: str) -> None:
    async with Client(endpoint) as other, aclosing(other.election(prefix + "e").observe()) as leaders:
        async with client.election(prefix + "e").campaign("one") as leadership:
            await leadership.proclaim("uno")
            leader = await anext(leaders)
            assert (leader.value, leader.token) == (b"uno", leadership.token)
        assert await other.election(prefix + "e").leader() is None


async def test_work_for_leaders_only(client: Client, prefix: str) -> None:
    @client.leader_only(prefix + "e", value="me")
    async def work(leadership: Leadership, number: int, *, more: int) -> int:
        assert await leadership.verify()
        return number + more

    assert await work(1, more=2) == 3


async def test_the_other_recipes(client: Client, prefix: str) -> None:
    lock = client.read_write_lock(prefix + "rw")
    async with lock.write():
        pass
    async with lock.read(), client.semaphore(prefix + "s", 2), client.party(prefix + "p").join("me"):
        assert [member.data for member in await client.party(prefix + "p").members()] == [b"me"]
    queue = client.queue(prefix + "q")
    await queue.put("job")
    async with queue.take() as job:
        assert job.value == b"job"
    assert await client.counter(prefix + "c").add(3) == 3
    async with client.tree_cache(prefix + "c") as cache:
        answer = await client.put(prefix + "c", "4")
        await cache.wait_for(answer.header.revision, timeout=20)
        assert cache[prefix + "c"] == b"4"
    await client.barrier(prefix + "b").wait()
    async with client.double_barrier(prefix + "d", 1):
        pass


def test_threads_lock_and_elect(blocking: BlockingClient, endpoint: str, prefix: str) -> None:
    with blocking.lock(prefix + "l") as held:
        assert held.verify()
        assert blocking.verify(held.token)
        with pytest.raises(HeldAlreadyError):
            blocking.lock(prefix + "l").acquire()
        taken: list[int] = []

        def wait() -> None:
            with blocking.lock(prefix + "l") as second:
                taken.append(second.token)

        thread = threading.Thread(target=wait)
        thread.start()
        held.txn(success=[Put(prefix + "x", "1")])
    thread.join(20)
    assert taken[0] > held.token

    @blocking.leader_only(prefix + "e", value="me")
    def lead(leadership: object, number: int) -> int:
        leader = blocking.election(prefix + "e").leader()
        assert leader is not None
        assert leader.value == b"me"
        return number

    assert lead(7) == 7


def test_threads_are_told_of_a_loss(blocking: BlockingClient, endpoint: str, prefix: str) -> None:
    told = threading.Event()
    lock = blocking.lock(prefix + "l", ttl=60)
    with BlockingClient(endpoint) as operator, pytest.raises(LostError), lock as held:  # noqa: PT012 (the block is tested)
        held.lost.add_callback(told.set)
        operator.lease_revoke(held.lease)
        assert held.lost.wait(20)
    assert told.is_set()
    with pytest.raises(LostError):
        held.check()


def test_threads_use_the_other_recipes(blocking: BlockingClient, prefix: str) -> None:
    lock = blocking.read_write_lock(prefix + "rw")
    with lock.write():
        pass
    with lock.read(), blocking.semaphore(prefix + "s", 2), blocking.party(prefix + "p").join("me") as seat:
        seat.update("you")
        assert [member.data for member in blocking.party(prefix + "p").members()] == [b"you"]
    queue = blocking.queue(prefix + "q")
    queue.put("job")
    with queue.take(timeout=20) as job:
        assert job.value == b"job"
    assert blocking.counter(prefix + "c").add() == 1
    with blocking.tree_cache(prefix + "c") as cache, cache.changes() as changes:
        assert next(changes).entries.keys() == {(prefix + "c").encode()}
    with blocking.double_barrier(prefix + "d", 1):
        pass
    barrier = blocking.barrier(prefix + "b")
    barrier.hold()
    with pytest.raises(TimeoutError):
        barrier.wait(timeout=0.05)
    barrier.release()
    barrier.wait(timeout=20)


async def test_etcdctl_and_our_lock_stand_in_one_line(client: Client, endpoint: str, prefix: str) -> None:
    async with client.lock(prefix + "l"):
        command = [str(ETCDCTL), "--endpoints", endpoint, "lock", prefix + "l", "echo", "mine"]
        theirs = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, env={**os.environ, "ETCDCTL_API": "3"})
        async with client.watch(prefix + "l/", prefix=True, start_revision=1) as watch:
            seen = set()
            async for event in watch.events():
                seen.add(event.kv.key)
                if len(seen) == 2:
                    break
        assert theirs.returncode is None
    out, _ = await theirs.communicate()
    assert b"mine" in out


async def test_locks_survive_the_death_of_the_leader(start_cluster: StartCluster) -> None:
    cluster = start_cluster(RaftkvCluster, size=3)
    async with Client(cluster.endpoints) as one, Client(cluster.endpoints) as other:
        async with one.lock("job", ttl=10) as held:
            waiting = asyncio.get_running_loop().create_task(other.lock("job", ttl=10).acquire())
            async with one.watch("job/", prefix=True, start_revision=held.token + 1) as watch:
                await watch.next(timeout=20)
            leader = await asyncio.to_thread(cluster.leader)
            leader.kill()
            assert await held.verify()
            assert not waiting.done()
        second = await waiting
        assert second.token > held.token
        assert await other.verify(second.token)
        await second.release()


async def test_a_holder_that_was_stopped_for_too_long_is_fenced_off(start_cluster: StartCluster) -> None:
    cluster = start_cluster(RaftkvCluster)
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, cluster.endpoints[0], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        old_token = int((await holder.stdout.readline()).partition(b"@")[0])
        holder.send_signal(signal.SIGSTOP)
        async with Client(cluster.endpoints) as client, client.lock("job") as held:
            assert held.token > old_token
            await held.txn(success=[Put("result", "new")])
            holder.send_signal(signal.SIGCONT)
            holder.stdin.write(b"\n")
            assert await holder.stdout.readline() == b"lost\n"
            found = await client.get("result")
            assert found is not None
            assert found.value == b"new"
        await holder.wait()
    finally:
        if holder.returncode is None:
            holder.kill()
            await holder.wait()
