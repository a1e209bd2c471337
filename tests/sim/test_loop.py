"""Virtual time: long waits take none, order is kept, and a deadlock is an error."""

import asyncio

import pytest

from raftkv_chaos.sim.loop import DeadlockError, LoopClock, run


def test_a_day_passes_in_a_moment() -> None:
    async def day() -> float:
        await asyncio.sleep(86_400)
        return LoopClock(asyncio.get_running_loop()).now()

    assert run(day()) == pytest.approx(86_400)


def test_timers_ring_in_order() -> None:
    async def race() -> list[int]:
        rung: list[int] = []
        loop = asyncio.get_running_loop()
        for number, delay in ((3, 0.3), (1, 0.1), (2, 0.2)):
            loop.call_later(delay, rung.append, number)
        await asyncio.sleep(1)
        return rung

    assert run(race()) == [1, 2, 3]


def test_a_deadlock_is_an_error() -> None:
    async def forever() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(DeadlockError):
        run(forever())
