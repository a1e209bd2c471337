"""A machine's time runs fast or slow, stands still, and ends."""

import asyncio

from raftkv_chaos.sim.loop import run
from raftkv_chaos.sim.machine_time import MachineTime, PowerLossError


def machine(**options: float) -> tuple[MachineTime, list[str]]:
    seen: list[str] = []
    return MachineTime(asyncio.get_running_loop(), ran=lambda: seen.append("step"), **options), seen


def test_a_fast_clock_comes_to_its_timers_early() -> None:
    async def scenario() -> None:
        time, _ = machine()
        time.drift(0.25)
        due: list[float] = []
        time.call_later(5.0, lambda: due.append(asyncio.get_running_loop().time()))
        await asyncio.sleep(10)
        assert due == [4.0]
        assert time.now() == 12.5

    run(scenario())


def test_who_stands_still_does_everything_afterwards_in_order() -> None:
    async def scenario() -> None:
        time, seen = machine()
        time.pause()
        for name in "abc":
            time.call_later(ord(name) - 96, seen.append, name)
        await asyncio.sleep(10)
        assert seen == []
        time.resume()
        await asyncio.sleep(0)
        assert seen == ["a", "step", "b", "step", "c", "step"]

    run(scenario())


def test_the_dead_do_nothing() -> None:
    async def scenario() -> None:
        time, seen = machine()
        time.call_soon(seen.append, "late")
        time.kill()
        await asyncio.sleep(1)
        assert seen == []

    run(scenario())


def test_a_cancelled_timer_does_not_come_back_from_a_pause() -> None:
    async def scenario() -> None:
        time, seen = machine()
        handle = time.call_soon(seen.append, "cancelled")
        time.pause()
        await asyncio.sleep(1)
        handle.cancel()
        time.resume()
        await asyncio.sleep(1)
        assert seen == []

    run(scenario())


def test_a_node_that_ends_within_a_step_ends_quietly() -> None:
    async def scenario() -> None:
        time, seen = machine()

        def end() -> None:
            raise PowerLossError

        time.call_soon(end)
        await asyncio.sleep(1)
        assert seen == []

    run(scenario())


def test_looking_at_the_clock_costs_time_within_a_step_only() -> None:
    async def scenario() -> None:
        time, _ = machine(jitter_s=0.001)
        looks: list[float] = []

        def work() -> None:
            looks.extend(time.now() for _ in range(3))

        time.call_soon(work)
        await asyncio.sleep(1)
        assert looks == [0.001, 0.002, 0.003]
        assert time.now() < 1.01

    run(scenario())
