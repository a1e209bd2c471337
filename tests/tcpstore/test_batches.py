import asyncio

import pytest

from raftkv.tcpstore.batches import Batches


class Cluster:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.seen: list[list[int]] = []
        self.go_on = asyncio.Event()

    async def send(self, items: list[int]) -> list[int]:
        self.seen.append(items)
        await self.go_on.wait()
        if 13 in items:
            raise OSError("unlucky")
        return [item * 10 for item in items]


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_what_comes_during_a_flight_goes_together_and_in_order() -> None:
    cluster = Cluster()
    batches: Batches[int, list[int]] = Batches(cluster.send, max_items=4, max_bytes=100, flights=1)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(batches.run())
        first = batches.submit(0, 1)
        await settle()
        later = [batches.submit(number, 1) for number in range(1, 7)]
        await settle()
        assert cluster.seen == [[0]]
        cluster.go_on.set()
        answers = [(await batch.answered())[place] for batch, place in [first, *later]]
        running.cancel()
    assert cluster.seen == [[0], [1, 2, 3, 4], [5, 6]]
    assert answers == [0, 10, 20, 30, 40, 50, 60]


async def test_batch_is_no_larger_than_allowed_but_for_what_is_so_large_alone() -> None:
    cluster = Cluster()
    cluster.go_on.set()
    batches: Batches[int, list[int]] = Batches(cluster.send, max_items=9, max_bytes=10, flights=1)
    last = [batches.submit(size, size) for size in (6, 5, 5, 50, 1)][-1]
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(batches.run())
        await last[0].answered()
        running.cancel()
    assert cluster.seen == [[6], [5, 5], [50], [1]]


async def test_failure_is_met_by_all_in_the_batch_and_by_nobody_else() -> None:
    cluster = Cluster()
    cluster.go_on.set()
    batches: Batches[int, list[int]] = Batches(cluster.send, max_items=2, max_bytes=10, flights=1)
    one, other, third = (batches.submit(number, 1) for number in (13, 1, 2))
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(batches.run())
        for batch, _ in (one, other):
            with pytest.raises(OSError, match="unlucky"):
                await batch.answered()
        assert await third[0].answered() == [20]
        running.cancel()


async def test_flights_overlap() -> None:
    cluster = Cluster()
    batches: Batches[int, list[int]] = Batches(cluster.send, max_items=1, max_bytes=10, flights=2)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(batches.run())
        for number in range(3):
            batches.submit(number, 1)
        await settle()
        assert cluster.seen == [[0], [1]]
        running.cancel()
