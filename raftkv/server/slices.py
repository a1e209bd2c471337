"""Long reads, a slice at a time: however much a request asks for, the loop is never held for long.

The mvcc store hands out a generator where an answer takes more than a slice of work. All that are under way take turns,
one slice each, until the turn's share of time is used.
"""

from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable, Generator
from typing import Any

from raftkv.clock import Clock
from raftkv.errors import TooManyRequestsError
from raftkv.reply import Reply

TURN_SHARE_S = 0.003
"""Time that long reads may take in one turn of the loop."""
MAX_UNDER_WAY = 256
"""Each holds a view of the database. While there are so many, further reads wait, and hold nothing."""
MAX_WAITING = 10_000
"""More are refused."""

Steps = Generator[None, None, Any]


class Slices:
    """The long reads under way on this node."""

    def __init__(self, loop: AbstractEventLoop, clock: Clock) -> None:
        self._loop = loop
        self._clock = clock
        self._under_way: deque[tuple[Steps, Reply[Any]]] = deque()
        self._waiting: deque[tuple[Callable[[], Any], Reply[Any]]] = deque()

    def answer(self, work: Callable[[], Any], reply: Reply[Any]) -> None:
        """Gives `reply` what `work` returns, or what the generator that it returns returns in the end."""
        if len(self._under_way) >= MAX_UNDER_WAY:
            self._postpone(work, reply)
            return
        try:
            result = work()
            if isinstance(result, Generator):
                self._start(result, reply)
            else:
                reply.set_result(result)
        except Exception as error:  # noqa: BLE001 (a bug in a read costs that call, not the node; the transport logs it)
            reply.set_exception(error)

    def _start(self, steps: Steps, reply: Reply[Any]) -> None:
        self._under_way.append((steps, reply))
        if len(self._under_way) == 1:
            self._loop.call_soon(self._turn)

    def _postpone(self, work: Callable[[], Any], reply: Reply[Any]) -> None:
        if len(self._waiting) < MAX_WAITING:
            self._waiting.append((work, reply))
        else:
            reply.set_exception(TooManyRequestsError())

    def _turn(self) -> None:
        end = self._clock.now() + TURN_SHARE_S
        while self._under_way:
            steps, reply = self._under_way.popleft()
            if not reply.done() and not _step(steps, reply):
                self._under_way.append((steps, reply))
            elif reply.cancelled():
                steps.close()
            if self._clock.now() >= end:
                break
        if self._under_way:
            self._loop.call_soon(self._turn)
        while self._waiting and len(self._under_way) < MAX_UNDER_WAY:
            work, reply = self._waiting.popleft()
            if not reply.done():
                self.answer(work, reply)

    def stop(self) -> None:
        """Forgets what is under way; the callers are failed by whoever stops the node."""
        while self._under_way:
            steps, reply = self._under_way.popleft()
            steps.close()
            reply.cancel()
        while self._waiting:
            self._waiting.popleft()[1].cancel()


def _step(steps: Steps, reply: Reply[Any]) -> bool:
    """One slice; True when the answer is there."""
    try:
        next(steps)
    except StopIteration as end:
        reply.set_result(end.value)
    except Exception as error:  # noqa: BLE001 (as above)
        reply.set_exception(error)
    else:
        return False
    return True
