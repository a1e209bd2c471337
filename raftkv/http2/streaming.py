"""Calls with a stream of requests: the handler runs from the headers on and takes the requests as they come."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from google.protobuf.message import Message

from raftkv.errors import RequestError, UnavailableError
from raftkv.http2.calls import Carrier, ServerCall
from raftkv.http2.frames import ErrorCode
from raftkv.http2.routing import Route
from raftkv.http2.stream import Stream
from raftkv.rpc.method import Call, Kind, Listener

QUEUED_PIECE_BYTES: Final = 256
"""What it costs to keep a piece of data, beside its bytes."""
_NOTHING: Final[deque[bytes]] = deque(maxlen=0)
"""The inbox of a call whose requests nobody fetches."""
UNCOLLECTED: Final = "raftkv: the client does not collect its answers, and there is no room for more"
REQUESTS_AHEAD_BYTES: Final = 64 * 1024
"""What a stream's handler may leave untaken before its client is held back."""


class StreamingCall(ServerCall):
    """The client streams requests; one answer or a stream of them comes back."""

    __slots__ = ("_ended_by_client", "_held_back", "_inbox", "_inbox_bytes", "_listener", "_waiter", "on_drained")

    def __init__(self, carrier: Carrier, stream: Stream, route: Route, deadline: float | None) -> None:
        super().__init__(carrier, stream, route, deadline)
        self._inbox = _NOTHING
        self._inbox_bytes = 0
        self._held_back = 0
        """Bytes taken from the client that it has not been given back, for the handler is behind."""
        self._ended_by_client = False
        self._waiter: asyncio.Future[None] | None = None
        self._listener: Listener | None = None
        """Who is told of requests, where nobody iterates them."""
        self.on_drained: Callable[[], None] | None = None

    def start(self) -> None:
        """Calls the handler."""
        method = self._route.method
        try:
            outcome: Any = method.handler(Requests(self), self._call())
            if method.kind is Kind.BIDI and isinstance(outcome, Listener):
                self._listener = outcome
                return
            self._inbox = deque()
            if method.kind is Kind.BIDI:
                self._stream_answers(outcome)
            else:
                self._answer_with(outcome)
        except Exception as error:  # noqa: BLE001 - a bug in a handler fails its call only
            self.fail_with(error)

    def data_received(self, payload: bytes, end_stream: bool) -> None:  # noqa: FBT001 - see Receiver
        """Requests wait in the inbox until the handler takes them."""
        try:
            messages = self._messages(payload, end_stream=end_stream)
            self._keep(sum(map(len, messages)))
        except RequestError as error:
            self.fail(error)
            self._cancel()
            return
        self._ended_by_client = end_stream
        self._held_back += len(payload)
        if self._listener is not None:
            self._tell(self._listener, messages)
        else:
            self._inbox.extend(messages)
            if messages or end_stream:
                self._wake()
        self._give_back()

    def _tell(self, listener: Listener, messages: list[bytes]) -> None:
        """The listener hears of requests at once."""
        try:
            for body in messages:
                self._keep(-len(body))
                listener.take(self._parse(body))
            if self._ended_by_client:
                listener.finish(self._listened)
        except Exception as error:  # noqa: BLE001 - a bug in a handler fails its call only
            self.fail_with(error)
            self._cancel()

    def _listened(self) -> None:
        """The listener has answered everything."""
        self._finish()
        self._cancel()

    def stream_reset(self, code: ErrorCode | int) -> None:
        super().stream_reset(code)
        self._wake()

    # --- the handler's outlet ---------------------------------------------------------------------------------------

    def _call(self, body: bytes = b"") -> Call:
        call = super()._call(body)
        call.outlet = self
        return call

    @property
    def backlog(self) -> int:
        """See Outlet."""
        queue = self._stream.queue
        return 0 if queue is None else self._stream.queued + QUEUED_PIECE_BYTES * len(queue)

    def send(self, message: bytes) -> None:
        """See Outlet."""
        if self._stream.receiver is self:
            self._carrier.send_message(self._stream, message)
            self._give_back()

    def send_each(self, body: bytes, tails: list[bytes]) -> None:
        """See Outlet."""
        if self._stream.receiver is self:
            self._carrier.send_each(self._stream, body, tails)

    def end(self, error: RequestError) -> None:
        """See Outlet."""
        self.fail(error)
        self._cancel()

    def abandon(self) -> None:
        """See Outlet. REFUSED_STREAM is what gRPC's clients take for UNAVAILABLE."""
        if self._stream.receiver is self:
            self._give_up(UnavailableError(UNCOLLECTED), ErrorCode.REFUSED_STREAM)

    def drained(self) -> None:
        super().drained()
        self._give_back()
        if self.on_drained is not None:
            self.on_drained()

    # --- the handler's requests -------------------------------------------------------------------------------------

    async def take(self) -> Message | None:
        """The next request; None after the last."""
        while not self._inbox:
            if self._ended_by_client:
                return None
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        body = self._inbox.popleft()
        self._keep(-len(body))
        self._give_back()
        return self._parse(body)

    def _keep(self, size: int) -> None:
        self._inbox_bytes += size
        self._hold(size)

    def _give_back(self) -> None:
        """Lets the client go on, unless the handler is behind."""
        if not self._held_back or (self._listener is not None and self._listener.full):
            return
        if self._inbox_bytes <= REQUESTS_AHEAD_BYTES and self._stream.receiver is self:
            size, self._held_back = self._held_back, 0
            self._carrier.consumed(self._stream, size)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _cancel(self) -> None:
        super()._cancel()
        if self._listener is not None:
            self._listener.close()

    def _release(self) -> None:
        super()._release()
        self._inbox_bytes = 0
        self._inbox.clear()
        self._ended_by_client = True


class Requests:
    """The requests of one call, as its handler iterates them."""

    __slots__ = ("_call",)

    def __init__(self, call: StreamingCall) -> None:
        self._call = call

    def __aiter__(self) -> AsyncIterator[Message]:
        return self

    async def __anext__(self) -> Message:
        message = await self._call.take()
        if message is None:
            raise StopAsyncIteration
        return message
