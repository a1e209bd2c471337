"""Replies: settled once, told at once, awaitable, and silent when nobody waits any more."""

import asyncio

import pytest

from raftkv.reply import Reply


def test_the_callback_runs_within_set_result() -> None:
    reply, seen = Reply[int](), list[int]()
    reply.add_done_callback(lambda done: seen.append(done.result()))
    reply.set_result(42)
    assert seen == [42]


def test_a_late_callback_runs_at_once() -> None:
    reply, seen = Reply[int](), list[int]()
    reply.set_result(42)
    reply.add_done_callback(lambda done: seen.append(done.result()))
    assert seen == [42]


def test_an_exception_is_raised_by_result() -> None:
    reply = Reply[int]()
    reply.set_exception(ZeroDivisionError())
    assert reply.done()
    assert isinstance(reply.exception(), ZeroDivisionError)
    with pytest.raises(ZeroDivisionError):
        reply.result()


def test_it_is_settled_once() -> None:
    reply = Reply[int]()
    reply.set_result(1)
    with pytest.raises(AssertionError):
        reply.set_result(2)
    assert not reply.cancel()


def test_cancelling_calls_nobody() -> None:
    reply, seen = Reply[int](), list[object]()
    reply.add_done_callback(seen.append)
    assert reply.cancel()
    assert reply.cancelled()
    assert reply.done()
    assert seen == []
    with pytest.raises(asyncio.CancelledError):
        reply.result()


async def test_it_can_be_awaited_before_and_after_it_is_settled() -> None:
    reply = Reply[int]()
    asyncio.get_running_loop().call_soon(reply.set_result, 42)
    assert await reply == 42
    assert await reply == 42


async def test_who_awaits_and_gives_up_cancels_it() -> None:
    reply = Reply[int]()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await reply
    assert reply.cancelled()
