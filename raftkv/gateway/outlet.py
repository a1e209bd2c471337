"""What the handler of a streaming method answers, by yielding or by its outlet, until the client has collected it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, nullcontext
from typing import Any, Final

from google.protobuf.message import Message

from raftkv.errors import UnavailableError
from raftkv.rpc.method import Answer

AHEAD_BYTES: Final = 64 * 1024
"""What a client may leave uncollected before the handler is asked for no more."""
KEPT_ANSWER_BYTES: Final = 256
"""What it costs to keep an answer, beside its bytes."""


class GatewayOutlet:
    """Answers on their way from one handler to one client: see rpc.method.Outlet. `take` is for one reader."""

    def __init__(self) -> None:
        self.on_drained: Callable[[], None] | None = None
        self._answers: deque[Answer] = deque()
        self._backlog = 0
        self._error: BaseException | None = None
        self._ended = False
        self._collected = False
        self._arrived: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None

    @property
    def backlog(self) -> int:
        """See Outlet."""
        return self._backlog

    def send(self, message: bytes) -> None:
        """See Outlet."""
        self._keep(message)

    def send_each(self, body: bytes, tails: list[bytes]) -> None:
        """See Outlet."""
        for tail in tails:
            self._keep(body + tail)

    def end(self, error: BaseException | None) -> None:
        """See Outlet. None: all is said."""
        if not self._ended:
            self._ended, self._error = True, error
            _wake(self._arrived)

    def abandon(self) -> None:
        """See Outlet."""
        self._answers.clear()
        self._backlog = 0
        self.end(UnavailableError("raftkv: the client does not collect its answers, and there is no room for more"))

    async def pull(self, answers: AsyncIterator[Answer]) -> None:
        """Runs a handler to its end."""
        try:
            async with aclosing(answers) if hasattr(answers, "aclose") else nullcontext():  # type: ignore[type-var] # it has
                async for answer in answers:
                    self._keep(answer)
                    if self._backlog > AHEAD_BYTES:
                        self._room = asyncio.get_running_loop().create_future()
                        await self._room
        except Exception as error:  # noqa: BLE001 (handed on to the reader, who knows what to do with it)
            self.end(error)
        else:
            self.end(None)

    async def take(self) -> Answer | None:
        """The next answer, when the one before was collected; None after the last. Raises what the handler ended with."""
        if self._collected and not self._answers:
            self._collected = False
            _wake(self._room)
            if self.on_drained is not None:
                self.on_drained()
        while not self._answers:
            if self._ended:
                if self._error is not None:
                    raise self._error
                return None
            self._arrived = asyncio.get_running_loop().create_future()
            await self._arrived
        answer = self._answers.popleft()
        self._backlog -= _cost(answer)
        self._collected = True
        return answer

    def _keep(self, answer: Answer) -> None:
        if self._ended:
            return
        self._answers.append(answer)
        self._backlog += _cost(answer)
        _wake(self._arrived)


def _cost(answer: Answer) -> int:
    size: Any = answer.ByteSize() if isinstance(answer, Message) else len(answer)
    return KEPT_ANSWER_BYTES + int(size)


def _wake(waiter: "asyncio.Future[None] | None") -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
