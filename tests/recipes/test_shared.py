"""Read-write lock, semaphore, barriers, queue, counter, party and tree cache, in a cluster in memory under virtual time."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack, aclosing

import pytest

from raftkv.errors import LostError, NotAcquiredError
from raftkv.pb import rpc
from raftkv.recipes.barrier import Barrier, DoubleBarrier
from raftkv.recipes.counter import Counter
from raftkv.recipes.party import Party
from raftkv.recipes.queue import Queue
from raftkv.recipes.read_write_lock import ReadWriteLock
from raftkv.recipes.requests import put
from raftkv.recipes.semaphore import Semaphore
from raftkv.recipes.tree_cache import TreeCache
from tests.recipes.memory_cluster import MemoryCluster, cancelled, client, line_of, settle, simulate


@pytest.mark.parametrize("seed", range(3))
def test_readers_share_and_writers_exclude(seed: int) -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        readers = writers = most_readers = 0

        async def read(lock: ReadWriteLock) -> None:
            nonlocal readers, most_readers
            async with lock.read():
                readers += 1
                most_readers = max(readers, most_readers)
                assert not writers
                await asyncio.sleep(cluster.rng.random())
                readers -= 1

        async def write(lock: ReadWriteLock) -> None:
            nonlocal writers
            async with lock.write():
                writers += 1
                assert (readers, writers) == (0, 1)
                await asyncio.sleep(cluster.rng.random())
                writers -= 1

        async with AsyncExitStack() as stack:
            locks = [ReadWriteLock(await stack.enter_async_context(client(cluster)), "data") for _ in range(3)]
            async with asyncio.TaskGroup() as tasks:
                for number in range(12):
                    tasks.create_task((write if number % 4 == 0 else read)(locks[number % 3]))
                    await asyncio.sleep(0.1)
        assert most_readers > 1
        assert cluster.keys() == []

    simulate(scenario, seed=seed)


def test_a_reader_does_not_pass_a_writer_that_waits() -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        async with client(cluster) as one, client(cluster) as other:
            lock, others = ReadWriteLock(one, "data"), ReadWriteLock(other, "data")
            async with lock.read():
                writer = asyncio.get_running_loop().create_task(others.write().acquire())
                await settle()
                with pytest.raises(NotAcquiredError):
                    await others.read(blocking=False).acquire(owner="somebody")
                await cancelled(writer)
                await (await others.read(blocking=False).acquire(owner="somebody")).release()

    simulate(scenario)


@pytest.mark.parametrize("seed", range(3))
def test_a_semaphore_lets_in_no_more_than_its_limit(seed: int) -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        inside = most = 0

        async def work(semaphore: Semaphore) -> None:
            nonlocal inside, most
            async with semaphore:
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(cluster.rng.random())
                inside -= 1

        async with client(cluster) as one, client(cluster) as other, asyncio.TaskGroup() as tasks:
            for number in range(12):
                tasks.create_task(work(Semaphore((one, other)[number % 2], "slots", 3)))
        assert most == 3
        assert cluster.keys() == []

    simulate(scenario, seed=seed)


@pytest.mark.parametrize("moment", [0.004, 0.012, 0.02, 0.03, 5.0])
def test_who_gives_up_waiting_for_a_semaphore_leaves_no_key(moment: float) -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        async with client(cluster) as one, client(cluster) as other, Semaphore(one, "slots", 1) as held:
            await other.get(10.0)
            with pytest.raises(NotAcquiredError):
                await Semaphore(other, "slots", 1, blocking=False).acquire()
            waiting = asyncio.get_running_loop().create_task(Semaphore(other, "slots", 1).acquire())
            await asyncio.sleep(moment)
            await cancelled(waiting)
            assert cluster.keys() == [held.key]

    simulate(scenario)


def test_a_barrier_holds_until_it_is_released() -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        async with client(cluster) as one, client(cluster) as other:
            await Barrier(one, "go").wait()
            await Barrier(one, "go").hold()
            with pytest.raises(TimeoutError):
                await Barrier(other, "go").wait(timeout=5)
            waiting = asyncio.get_running_loop().create_task(Barrier(other, "go").wait())
            await settle()
            await Barrier(one, "go").release()
            await waiting

    simulate(scenario)


@pytest.mark.parametrize("seed", range(4))
def test_a_double_barrier_begins_and_ends_together_round_after_round(seed: int) -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        arrived: list[int] = [0] * 3
        left: list[int] = [0] * 3

        async def work(number: int) -> None:
            async with client(cluster) as sessions:
                barrier = DoubleBarrier(sessions, "step", 3)
                for step in range(3):
                    await asyncio.sleep(cluster.rng.random())
                    arrived[step] += 1
                    async with barrier:
                        assert arrived[step] == 3
                        await asyncio.sleep(cluster.rng.random() * number)
                        left[step] += 1
                    assert left[step] == 3

        async with asyncio.TaskGroup() as tasks:
            for number in range(3):
                tasks.create_task(work(number))
        assert cluster.keys() == []

    simulate(scenario, seed=seed)


def test_a_double_barrier_waits_for_nobody_who_is_dead() -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        async with client(cluster) as one, client(cluster) as other:
            barrier, others = DoubleBarrier(one, "step", 2), DoubleBarrier(other, "step", 2, ttl=9)
            entering = asyncio.get_running_loop().create_task(others.enter())
            held = await barrier.enter()
            await entering
            line_of(other).stop()
            begun = asyncio.get_running_loop().time()
            await barrier.leave(held)
            assert 5 < asyncio.get_running_loop().time() - begun < 10
            line_of(other).go_on()
            with pytest.raises(TimeoutError):
                await DoubleBarrier(one, "step", 2, timeout=3).enter()
            assert cluster.keys() == []

    simulate(scenario)


def test_a_queue_gives_first_what_was_put_first_unless_priorities_say_otherwise() -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        async with client(cluster) as one, client(cluster) as other:
            for number in range(20):
                await Queue((one, other)[number % 2], "jobs").put(str(number))
            await Queue(one, "jobs").put("urgent", priority=-1)
            await Queue(one, "jobs").put("later", priority=1)
            queue = Queue(other, "jobs")
            expected = [b"urgent", *(str(number).encode() for number in range(20)), b"later"]
            assert [await queue.get() for _ in range(22)] == expected
            assert await queue.size() == 0
            with pytest.raises(TimeoutError):
                await queue.get(timeout=3)
            assert cluster.keys() == []

    simulate(scenario)


@pytest.mark.parametrize("seed", range(4))
def test_each_job_is_done_once_however_many_work(seed: int) -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        done: list[bytes] = []

        async def work() -> None:
            async with client(cluster) as sessions:
                queue = Queue(sessions, "jobs")
                while True:
                    async with queue.take() as job:
                        if job.value == b"end":
                            break
                        await asyncio.sleep(cluster.rng.random())
                        done.append(job.value)

        async with client(cluster) as sessions, asyncio.TaskGroup() as tasks:
            for _ in range(4):
                tasks.create_task(work())
            for number in range(30):
                await Queue(sessions, "jobs").put(str(number))
            for _ in range(4):
                await Queue(sessions, "jobs").put("end")
        assert sorted(map(int, done)) == list(range(30))
        assert cluster.keys() == []

    simulate(scenario, seed=seed)


def test_a_job_that_fails_or_whose_worker_dies_is_done_again_in_its_place() -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        async with client(cluster) as one, client(cluster) as other:
            queue = Queue(one, "jobs", ttl=9)
            await queue.put("first")
            await queue.put("second")
            with pytest.raises(ZeroDivisionError):  # noqa: PT012 (the block is what is tested)
                async with queue.take() as job:
                    assert job.value == b"first"
                    _ = 1 // 0
            job = await queue.claim()
            assert job.value == b"first"
            line_of(one).stop()
            assert await Queue(other, "jobs").get() == b"second"
            assert await Queue(other, "jobs").get() == b"first"
            line_of(one).go_on()
            with pytest.raises(LostError):
                await job.done()

    simulate(scenario)


def test_idle_workers_watch_one_at_a_time() -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        async with client(cluster) as one:
            async with asyncio.TaskGroup() as tasks:
                waiting = [tasks.create_task(Queue(one, "jobs").get()) for _ in range(5)]
                await settle()
                calls = line_of(one).calls
                await settle(600)
                assert line_of(one).calls == calls
                for number in range(5):
                    await Queue(one, "jobs").put(str(number))
            assert sorted(task.result() for task in waiting) == [b"0", b"1", b"2", b"3", b"4"]

    simulate(scenario)


def test_a_counter_counts_everything_once() -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        async def count() -> list[int]:
            async with client(cluster) as sessions:
                return [await Counter(sessions, "hits").add() for _ in range(10)]

        async with asyncio.TaskGroup() as tasks:
            counting = [tasks.create_task(count()) for _ in range(4)]
        assert sorted(total for task in counting for total in task.result()) == list(range(1, 41))
        async with client(cluster) as sessions:
            assert await Counter(sessions, "hits").get() == 40
            assert await Counter(sessions, "hits").add(-50) == -10

    simulate(scenario)


def test_a_party_knows_who_is_there() -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        async with client(cluster) as one, client(cluster) as other:
            party, others = Party(one, "workers"), Party(other, "workers", ttl=9)
            async with aclosing(party.watch()) as watch, party.join("a") as seat:
                assert await anext(watch) in ([], await party.members())
                await others.join(b"b").acquire()
                await seat.update("A")
                assert [member.data for member in await party.members()] == [b"A", b"b"]
                line_of(other).stop()
                async for members in watch:
                    if [member.data for member in members] == [b"A"]:
                        break
                line_of(other).go_on()
            assert await party.members() == []

    simulate(scenario)


@pytest.mark.parametrize("compacts", [False, True])
def test_a_tree_cache_shows_whole_revisions(*, compacts: bool) -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        async with client(cluster) as one, TreeCache(one, "config/") as cache:
            assert len(cache) == 0
            for number in range(20):
                value = b"%d" % number
                cluster.txn(rpc.TxnRequest(success=[put(b"config/a", value), put(b"config/b", value), put(b"x", value)]))
                if compacts and number % 5 == 0:
                    line_of(one).stop()
                    cluster.compact()
                    line_of(one).go_on()
                if number % 3 == 0:
                    await asyncio.sleep(0.01 * cluster.rng.random())
                assert cache.get(b"a") is None
                assert cache.get(b"config/a") == cache.get(b"config/b")
            await cache.wait_for(cluster.store.revision)
            before = cache.snapshot()
            assert dict(cache) == {b"config/a": b"19", b"config/b": b"19"}
            cluster.delete(b"config/a")
            async with aclosing(cache.changes()) as changes:
                async for snapshot in changes:
                    if snapshot.revision == cluster.store.revision:
                        assert list(snapshot.entries) == [b"config/b"]
                        break
            assert len(before.entries) == 2

    simulate(scenario)


def test_counts_that_make_no_sense_are_refused() -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        async with client(cluster) as sessions:
            mistakes: list[Callable[[], object]] = [
                lambda: Semaphore(sessions, "slots", 0),
                lambda: DoubleBarrier(sessions, "step", 0),
            ]
            for mistake in mistakes:
                with pytest.raises(ValueError, match="not 0"):
                    mistake()
            with pytest.raises(ValueError, match="32 bits"):
                await Queue(sessions, "jobs").put("x", priority=1 << 31)

    simulate(scenario)
