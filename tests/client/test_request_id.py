import asyncio

import pytest

from raftkv.client.request_id import RequestIds
from raftkv.errors import ConfigError

CLIENT = bytes(range(16))


async def settled(task: "asyncio.Task[int]") -> bool:
    """Whether the task ends within some turns of the loop."""
    for _ in range(10):
        await asyncio.sleep(0)
    return task.done()


async def test_sequences_count_from_one() -> None:
    ids = RequestIds(CLIENT)
    assert [await ids.take(), await ids.take()] == [1, 2]


def test_text_is_the_client_in_hex_and_the_sequence() -> None:
    assert RequestIds(CLIENT).text(7) == b"000102030405060708090a0b0c0d0e0f-7"


async def test_window_holds_back_whoever_is_too_far_ahead_of_the_oldest() -> None:
    ids = RequestIds(CLIENT, window=3)
    sequences = [await ids.take() for _ in range(3)]
    async with asyncio.TaskGroup() as tasks:
        fourth = tasks.create_task(ids.take())
        assert not await settled(fourth)
        ids.finish(sequences[1])  # not the oldest: the window does not move
        assert not await settled(fourth)
        ids.finish(sequences[0])
        assert await fourth == 4


async def test_place_of_a_waiter_that_gave_up_goes_to_the_next() -> None:
    ids = RequestIds(CLIENT, window=1)
    first = await ids.take()
    async with asyncio.TaskGroup() as tasks:
        impatient, patient = tasks.create_task(ids.take()), tasks.create_task(ids.take())
        assert not await settled(patient)
        ids.finish(first)
        impatient.cancel()
        assert await patient == 2


def test_client_id_of_another_length_is_refused() -> None:
    with pytest.raises(ConfigError, match="16 bytes, not 3"):
        RequestIds(b"abc")
