"""Long reads take turns; errors and cancellation reach the caller."""

import asyncio
from collections.abc import Generator
from typing import Any

import pytest

from raftkv.clock import ManualClock
from raftkv.errors import CompactedError, TooManyRequestsError
from raftkv.reply import Reply
from raftkv.server.slices import MAX_UNDER_WAY, MAX_WAITING, TURN_SHARE_S, Slices


class SlowClock(ManualClock):
    """Every look costs a whole turn's share, so each turn runs one slice."""

    def now(self) -> float:
        self.advance(TURN_SHARE_S)
        return super().now()


def counting(name: str, slices: int, trace: list[str]) -> Generator[None, None, str]:
    for _ in range(slices):
        trace.append(name)
        yield
    return name


async def test_short_answers_are_given_at_once() -> None:
    future: Reply[Any] = Reply()
    Slices(asyncio.get_running_loop(), ManualClock()).answer(lambda: 42, future)
    assert future.result() == 42


async def test_long_reads_take_turns() -> None:
    loop, trace = asyncio.get_running_loop(), list[str]()
    slices = Slices(loop, SlowClock())
    futures = [Reply[Any]() for _ in range(2)]
    for name, future in zip("ab", futures, strict=True):
        slices.answer(lambda name=name: counting(name, 3, trace), future)  # type: ignore[misc] # binds the loop's name
    assert await asyncio.gather(*futures) == ["a", "b"]
    assert trace == list("ababab")


async def test_an_error_in_a_later_slice_reaches_the_caller() -> None:
    def failing() -> Generator[None, None, None]:
        yield
        raise CompactedError

    future: Reply[Any] = Reply()
    Slices(asyncio.get_running_loop(), SlowClock()).answer(failing, future)
    with pytest.raises(CompactedError):
        await future


async def test_a_bug_in_a_read_costs_that_call_and_nothing_else() -> None:
    def buggy() -> None:
        raise ZeroDivisionError

    slices = Slices(asyncio.get_running_loop(), SlowClock())
    first, second = (Reply[Any]() for _ in range(2))
    slices.answer(buggy, first)
    slices.answer(lambda: 42, second)
    assert isinstance(first.exception(), ZeroDivisionError)
    assert second.result() == 42


async def test_a_caller_that_gives_up_ends_the_work() -> None:
    closed = asyncio.Event()

    def endless() -> Generator[None, None, None]:
        try:
            while True:
                yield
        finally:
            closed.set()

    future: Reply[Any] = Reply()
    Slices(asyncio.get_running_loop(), SlowClock()).answer(endless, future)
    await asyncio.sleep(0)
    future.cancel()
    await closed.wait()


async def test_long_reads_under_way_are_bounded_and_the_rest_wait_their_turn() -> None:
    loop, trace = asyncio.get_running_loop(), list[str]()
    slices = Slices(loop, ManualClock())
    replies = [Reply[Any]() for _ in range(MAX_UNDER_WAY + 10)]
    for reply in replies:
        slices.answer(lambda: counting("x", 3, trace), reply)
    gave_up = replies[-1]
    gave_up.cancel()
    assert [await reply for reply in replies[:-1]] == ["x"] * (MAX_UNDER_WAY + 9)
    assert len(trace) == 3 * (MAX_UNDER_WAY + 9)


async def test_waiting_reads_are_bounded_too() -> None:
    slices = Slices(asyncio.get_running_loop(), ManualClock())
    replies = [Reply[Any]() for _ in range(MAX_UNDER_WAY + MAX_WAITING + 1)]
    for reply in replies:
        slices.answer(lambda: counting("x", 10, []), reply)
    assert isinstance(replies[-1].exception(), TooManyRequestsError)
    assert not replies[-2].done()
    slices.stop()
    assert replies[-2].cancelled()
