"""The storage thread and its twin on the loop: the same tests over both."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable

import pytest

from raftkv.errors import StorageError
from raftkv.storage.thread import InlineStorage, Storage, StorageThread

Make = Callable[[int], Storage]


@pytest.fixture(params=["thread", "inline"])
async def make(request: pytest.FixtureRequest) -> AsyncIterator[Make]:
    loop = asyncio.get_running_loop()
    made: list[Storage] = []

    def build(limit: int) -> Storage:
        thread = StorageThread(loop, limit=limit) if request.param == "thread" else InlineStorage(loop.call_soon, limit=limit)
        made.append(thread)
        return thread

    yield build
    for storage in made:
        await storage.stop()


async def test_result_comes_back_on_the_loop(make: Make) -> None:
    answered: asyncio.Future[tuple[object, int]] = asyncio.get_running_loop().create_future()
    make(10).submit(lambda: 42, lambda result: answered.set_result((result, threading.get_ident())))
    assert not answered.done()
    assert await answered == (42, threading.get_ident())


async def test_error_comes_back_like_a_result(make: Make) -> None:
    def fail() -> None:
        raise StorageError("the disk is gone")

    answered: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    storage = make(10)
    storage.submit(fail, answered.set_result)
    assert isinstance(await answered, StorageError)
    again: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    storage.submit(lambda: "goes on", again.set_result)
    assert await again == "goes on"


async def test_jobs_and_callbacks_keep_their_order(make: Make) -> None:
    ran: list[int] = []
    answered: list[object] = []

    def job(number: int) -> Callable[[], int]:
        def run() -> int:
            ran.append(number)
            return number

        return run

    storage = make(100)
    for number in range(100):
        storage.submit(job(number), answered.append)
    await storage.stop()
    assert ran == answered == list(range(100))


async def test_queue_is_bounded(make: Make) -> None:
    storage = make(2)
    gate = threading.Event()
    answered: list[object] = []
    for _ in range(2):
        assert not storage.full()
        storage.submit(gate.is_set, answered.append)
    assert storage.full()
    with pytest.raises(AssertionError):
        storage.submit(gate.is_set, answered.append)
    await storage.stop()
    assert len(answered) == 2
    assert not storage.full()


async def test_stop_takes_no_more_jobs_and_may_be_repeated(make: Make) -> None:
    storage = make(2)
    await storage.stop()
    await storage.stop()
    with pytest.raises(AssertionError):
        storage.submit(lambda: None, lambda _: None)


async def test_jobs_run_beside_the_loop() -> None:
    storage = StorageThread(asyncio.get_running_loop())
    entered, leave = threading.Event(), threading.Event()
    answered: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    def block() -> int:
        entered.set()
        leave.wait(60)
        return threading.get_ident()

    storage.submit(block, answered.set_result)
    await asyncio.to_thread(entered.wait, 60)
    assert not answered.done()
    leave.set()
    assert await answered != threading.get_ident()
    await storage.stop()


def test_thread_ends_when_its_loop_is_gone() -> None:
    loop = asyncio.new_event_loop()
    storage = StorageThread(loop)
    leave = threading.Event()
    storage.submit(lambda: leave.wait(60), lambda _: None)
    loop.close()
    leave.set()
    storage._thread.join(60)
    assert not storage._thread.is_alive()


async def test_killed_inline_storage_runs_nothing_more() -> None:
    storage = InlineStorage(asyncio.get_running_loop().call_soon)
    ran: list[object] = []
    storage.submit(lambda: ran.append("job"), ran.append)
    storage.kill()
    await storage.stop()
    await asyncio.sleep(0)
    assert ran == []
