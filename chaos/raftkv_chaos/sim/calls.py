"""Calls of clients to nodes, without a transport: a message goes in, an answer comes out, both a while later, or nothing does.

    refused     the node does not run: nothing was asked
    answered    with a message, or with an error that says that nothing was done
    unknown     the node ended, nobody answered in time, or the error does not say what became of the request

Whatever happens to the node happens to the call: a node that stands still takes no requests and gives no answers; behind a partition
nobody sees it end.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

from google.protobuf.message import Message

from raftkv.errors import Code, RequestError
from raftkv.reply import Reply
from raftkv.rpc.method import Call
from raftkv_chaos.faults import CLIENTS, Link
from raftkv_chaos.sim.network import SimNetwork
from raftkv_chaos.sim.node import Life, Machine

T = TypeVar("T", bound=Message)

UNSURE = frozenset({Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.CANCELLED, Code.INTERNAL, Code.UNKNOWN, Code.DATA_LOSS})
"""Codes after which a write may have been done, or may be done yet."""
WAY_S = (0.0001, 0.001)
INSTANT_S = 1e-9
"""What comes later on one connection is later by so much: timers of the same moment have no order."""


class RefusedError(Exception):
    """Nobody was there: nothing was asked."""


class UnknownOutcomeError(Exception):
    """Nobody knows what became of it."""


class Caller:
    """Calls nodes in the name of a client."""

    def __init__(self, loop: asyncio.AbstractEventLoop, dice: random.Random, network: SimNetwork) -> None:
        self._loop = loop
        self._dice = dice
        self.network = network

    def way(self) -> float:
        """How long it takes from a client to a node, or back."""
        return self._dice.uniform(*WAY_S)

    async def ask(
        self,
        machine: Machine,
        path: str,
        request: Message,
        answer: type[T],
        *,
        patience_s: float,
        metadata: dict[str, str | bytes] | None = None,
    ) -> T:
        """One request, one answer.

        Raises:
            RequestError: the node refused it, and did nothing.
            RefusedError: there is no node.
            UnknownOutcomeError: see the head of the module.
        """
        life = machine.life
        if life is None:
            await self.find_nobody(machine, patience_s)
            raise RefusedError
        outcome: asyncio.Future[Any] = self._loop.create_future()
        call = Call(path, metadata or {}, body=request.SerializeToString())
        _Question(self, life, request, call, outcome)
        try:
            async with asyncio.timeout(patience_s):
                found = await outcome
        except TimeoutError:
            raise UnknownOutcomeError("no answer in time") from None
        return _message(found, answer)

    async def find_nobody(self, machine: Machine, patience_s: float) -> None:
        """Calls a node that does not run. Raises UnknownOutcomeError where a partition keeps that from being seen."""
        for link in _links(machine.number):
            if self.network.is_cut(link):
                await asyncio.sleep(patience_s)
                raise UnknownOutcomeError("no answer in time")
        await asyncio.sleep(self.way())

    def later(self, link: Link, callback: Callable[..., object], *args: Any) -> None:
        """On the way between client and node."""
        self._loop.call_later(self.way(), self.network.let_pass, link, callback, *args)


def _links(number: int) -> tuple[Link, Link]:
    """There, and back."""
    return (CLIENTS, number), (number, CLIENTS)


def _message(found: Any, answer: type[T]) -> T:
    if isinstance(found, list):
        found = b"".join(found)
    if isinstance(found, bytes):
        return answer.FromString(found)
    assert isinstance(found, answer)
    return found


class _Question:
    """A unary call on its way."""

    def __init__(self, caller: Caller, life: Life, request: Message, call: Call, outcome: "asyncio.Future[Any]") -> None:
        self._caller = caller
        self._life = life
        self._request = request
        self._call = call
        self._outcome = outcome
        self._there, self._back = _links(life.number)
        life.doomed.append(self._died)
        caller.later(self._there, life.time.call_soon, self._arrive)

    def _died(self) -> None:
        self._caller.network.let_pass(self._back, self._broken)

    def _broken(self) -> None:
        if not self._outcome.done():
            self._outcome.set_exception(UnknownOutcomeError("the connection broke"))

    def _arrive(self) -> None:
        """Within a step of the node."""
        try:
            answer: Any = self._life.methods[self._call.path].handler(self._request, self._call)
        except RequestError as error:
            self._settle(None, error)
            return
        if isinstance(answer, Reply):
            answer.add_done_callback(self._settle_reply)
        else:
            self._life.tasks.create_task(self._wait(answer))

    def _settle_reply(self, reply: Reply[Any]) -> None:
        error = reply.exception()
        self._settle(None if error is not None else reply.result(), error)

    async def _wait(self, answer: Awaitable[Any]) -> None:
        try:
            self._settle(await answer, None)
        except RequestError as error:
            self._settle(None, error)

    def _settle(self, answer: Any, error: BaseException | None) -> None:
        if not isinstance(error, RequestError | None):
            raise error
        if isinstance(answer, Message):
            answer = answer.SerializeToString()  # as it is now, not as it may be changed
        self._caller.later(self._back, self._heard, answer, error)

    def _heard(self, answer: Any, error: RequestError | None) -> None:
        with suppress(ValueError):
            self._life.doomed.remove(self._died)
        if self._outcome.done():
            return
        if error is None:
            self._outcome.set_result(answer)
        elif error.code in UNSURE:
            self._outcome.set_exception(UnknownOutcomeError(str(error)))
        else:
            self._outcome.set_exception(error)


class Stream:
    """A bidirectional call: requests go in, answers come to `told`, in order, until it ends."""

    def __init__(self, caller: Caller, life: Life, path: str, told: Callable[[bytes], None]) -> None:
        self._caller = caller
        self._life = life
        self._told = told
        self._requests: asyncio.Queue[Any] = asyncio.Queue()
        self.on_drained: Callable[[], None] | None = None
        self.open = True
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.stalled = False
        """The client collects nothing."""
        self._listener: Any = None
        self._arrivals = self._departures = 0.0
        self._there, self._back = _links(life.number)
        self._let_pass = caller.network.let_pass
        life.doomed.append(self._died)
        self._path = path
        self._let_pass(self._there, life.time.call_soon, self._arrive)

    # --- the client's side -----------------------------------------------------------------------------------------

    def ask(self, request: Message) -> None:
        """Sends a request."""
        loop = asyncio.get_running_loop()
        self._departures = max(self._departures + INSTANT_S, loop.time() + self._caller.way())
        loop.call_at(self._departures, self._let_pass, self._there, self._life.time.call_soon, self._take, request)

    def collect_again(self) -> None:
        """Ends a stall."""
        self.stalled = False
        if self.open and self.on_drained is not None:
            self._let_pass(self._there, self._life.time.call_soon, self._drained)

    def close(self) -> None:
        """The client has enough."""
        if self.open:
            self.open = False
            self._caller.later(self._there, self._life.time.call_soon, self._close)
        self._end()

    # --- the node's side (Outlet) ------------------------------------------------------------------------------------

    @property
    def backlog(self) -> int:
        """A stalled client has more to collect than is good for it."""
        return 1 << 20 if self.stalled else 0

    def send(self, message: bytes) -> None:
        """An answer."""
        self._life.reached("beforeSendWatchResponse")
        if self.open:
            loop = asyncio.get_running_loop()
            self._arrivals = max(self._arrivals + INSTANT_S, loop.time() + self._caller.way())
            loop.call_at(self._arrivals, self._let_pass, self._back, self._hear, message)

    def send_each(self, body: bytes, tails: list[bytes]) -> None:
        """An answer for each of the tails."""
        for tail in tails:
            self.send(body + tail)

    def end(self, error: RequestError) -> None:  # noqa: ARG002 (an Outlet is told why)
        """The node ends it."""
        self._died()

    def abandon(self) -> None:
        """The node ends it, with what was not collected."""
        self._died()

    # --- inside ----------------------------------------------------------------------------------------------------

    def _hear(self, message: bytes) -> None:
        if self.open:
            self._told(message)

    def _arrive(self) -> None:
        call = Call(self._path, {}, outlet=self)
        try:
            handler: Any = self._life.methods[self._path].handler(self._asked(), call)
        except RequestError:
            self._died()
            return
        if hasattr(handler, "take"):
            self._listener = handler
            while not self._requests.empty():
                handler.take(self._requests.get_nowait())
        else:
            self._task = self._life.tasks.create_task(self._iterate(handler))

    def _take(self, request: Message) -> None:
        if self._listener is not None:
            self._listener.take(request)
        else:
            self._requests.put_nowait(request)

    async def _asked(self) -> AsyncIterator[Any]:
        while True:
            yield await self._requests.get()

    async def _iterate(self, handler: Any) -> None:
        with suppress(RequestError, StopAsyncIteration):
            await handler.__anext__()
        self._died()

    def _close(self) -> None:
        if self._listener is not None:
            self._listener.close()
        elif hasattr(self, "_task"):
            self._task.cancel()

    def _drained(self) -> None:
        if self.on_drained is not None:
            self.on_drained()

    def _died(self) -> None:
        self._let_pass(self._back, self._broken)

    def _broken(self) -> None:
        self.open = False
        self._end()

    def _end(self) -> None:
        with suppress(ValueError):
            self._life.doomed.remove(self._died)
        if not self.ended.done():
            self.ended.set_result(None)
