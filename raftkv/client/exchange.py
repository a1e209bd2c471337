"""One call on a connection: what it still has to send, and what becomes of what comes back.

Connection                 Exchange
open, pump    --sending--> bytes that wait for the server's window
headers, data, trailers, ended --> Reply
broken        -----------> ConnectionBrokenError, with `sent`
"""

from abc import ABC, abstractmethod
from asyncio import AbstractEventLoop, Future
from collections import deque
from typing import Any, Protocol
from urllib.parse import unquote

from raftkv.client.channel import Reply, UnaryCall
from raftkv.client.framing import MessageReader, frame_message
from raftkv.errors import Code, ConnectionBrokenError

Headers = list[tuple[bytes, bytes]]

SEND_BUFFER_BYTES = 64 * 1024
"""A stream's sender waits while more than this is not sent."""

CODE_OF_HTTP_STATUS = {
    b"400": Code.INTERNAL,
    b"401": Code.UNAUTHENTICATED,
    b"403": Code.PERMISSION_DENIED,
    b"404": Code.UNIMPLEMENTED,
    b"429": Code.UNAVAILABLE,
    b"502": Code.UNAVAILABLE,
    b"503": Code.UNAVAILABLE,
    b"504": Code.UNAVAILABLE,
}
"""For answers that are not gRPC's: a proxy's, say (grpc/doc/http-grpc-status-mapping.md)."""


def fail(future: Future[Any], error: Exception) -> None:
    """Fails a future for whoever waits. If nobody does any more (Ctrl-C), that is no news for anybody."""
    future.set_exception(error)
    future.exception()


class Carrier(Protocol):
    """What a stream asks of its connection."""

    def pump(self, exchange: "Exchange") -> None:
        """Sends what the windows allow."""
        ...

    def credit(self, exchange: "Exchange", size: int) -> None:
        """Lets the server send `size` bytes more on the stream."""
        ...

    def cancel(self, exchange: "Exchange") -> None:
        """Ends the call at once and tells the server."""
        ...


class Exchange(ABC):
    """What unary calls and streams share. The connection calls the `on_` methods, each in the order that the wire gives."""

    __slots__ = ("_headers", "_reader", "_trailers", "all_sent", "half_closed", "sending", "stream_id")

    keeps_window: bool = False
    """Whether the exchange itself credits the stream's window, as it consumes."""

    def __init__(self, max_message_bytes: int) -> None:
        self.stream_id = 0
        self.sending = bytearray()
        self.half_closed = False
        """No more messages follow what is in `sending`."""
        self.all_sent = False
        """The end of the stream has gone into the connection's buffer."""
        self._headers: Headers = []
        self._trailers: Headers = []
        self._reader = MessageReader(max_message_bytes)

    def on_headers(self, headers: Headers) -> None:
        """Initial metadata, or all metadata of an answer without a message."""
        self._headers = headers

    def on_trailers(self, trailers: Headers) -> None:
        """The metadata that carries the status."""
        self._trailers = trailers

    @abstractmethod
    def on_data(self, data: bytes, credit: int) -> None:
        """Part of the messages. `credit`: what it took of the window. Raises MessageError."""

    @abstractmethod
    def on_end(self) -> None:
        """The server has said all."""

    def on_flushed(self) -> None:  # noqa: B027  # only unary calls want to know
        """The end of the request has left for the socket."""

    def on_room(self) -> None:  # noqa: B027  # only streams want to know
        """Less than before waits to be sent."""

    @abstractmethod
    def on_broken(self, error: ConnectionBrokenError) -> None:
        """Nothing more will come."""

    @abstractmethod
    def on_refused(self, text: str, code: Code) -> None:
        """This side ended the call, for what came cannot be taken."""

    @property
    def sent(self) -> bool:
        """Whether the server may have seen the whole request."""
        return True

    def _reply(self, body: bytes = b"") -> Reply:
        code, text = _status(self._trailers or self._headers)
        if code is None:
            code, text = _foreign_status(self._headers)
        return Reply(code, text, body, tuple(self._headers))


class UnaryExchange(Exchange):
    """A call with one message each way."""

    __slots__ = ("_call", "_messages", "outcome")

    def __init__(self, call: UnaryCall, outcome: "Future[Reply]", max_message_bytes: int) -> None:
        super().__init__(max_message_bytes)
        self._call = call
        self._messages: list[bytes] = []
        self.outcome = outcome
        self.sending += frame_message(call.body)
        self.half_closed = True

    def on_data(self, data: bytes, credit: int) -> None:
        del credit  # the connection gives it back itself
        self._messages += self._reader.feed(data)

    def on_end(self) -> None:
        reply = self._reply(self._messages[0] if self._messages else b"")
        if reply.code == Code.OK and not (len(self._messages) == 1 and self._reader.empty):
            reply = Reply(Code.INTERNAL, "the answer is not one whole message", b"", reply.headers)
        self._settle(reply)

    def on_flushed(self) -> None:
        self._call.sent = True

    def on_broken(self, error: ConnectionBrokenError) -> None:
        if not self.outcome.done():
            fail(self.outcome, error)

    def on_refused(self, text: str, code: Code) -> None:
        self._settle(Reply(code, text, b"", tuple(self._headers)))

    @property
    def sent(self) -> bool:
        return self._call.sent

    def _settle(self, reply: Reply) -> None:
        if not self.outcome.done():
            self.outcome.set_result(reply)


class StreamExchange(Exchange):
    """A call with any number of messages each way: `channel.Stream` over a connection. One task sends, one receives."""

    __slots__ = ("_broken", "_carrier", "_loop", "_messages", "_owed", "_room", "_waiter", "reply")

    keeps_window = True

    def __init__(self, carrier: Carrier, loop: AbstractEventLoop, max_message_bytes: int) -> None:
        super().__init__(max_message_bytes)
        self.reply: Reply | None = None
        self._broken: ConnectionBrokenError | None = None
        self._carrier = carrier
        self._loop = loop
        self._messages: deque[bytes] = deque()
        self._owed = 0  # bytes received that the server may not send anew until the messages are consumed
        self._waiter: Future[None] | None = None
        self._room: Future[None] | None = None

    async def send(self, body: bytes) -> None:
        self._check_open()
        self.sending += frame_message(body)
        self._carrier.pump(self)
        while len(self.sending) > SEND_BUFFER_BYTES:
            self._room = self._loop.create_future()
            await self._room
            self._check_open()

    async def receive(self) -> bytes | None:
        while not self._messages:
            if self._broken is not None:
                raise self._broken
            if self.reply is not None:
                return None
            self._waiter = self._loop.create_future()
            await self._waiter
        message = self._messages.popleft()
        self._credit()
        return message

    def end(self) -> None:
        if not self.half_closed and self._broken is None and self.reply is None:
            self.half_closed = True
            self._carrier.pump(self)

    def cancel(self) -> None:
        if self._broken is None and self.reply is None:
            self._carrier.cancel(self)
            self.on_refused("the stream was cancelled", Code.CANCELLED)

    def on_data(self, data: bytes, credit: int) -> None:
        self._owed += credit
        self._messages.extend(self._reader.feed(data))
        self._credit()
        _wake(self._waiter)

    def on_end(self) -> None:
        self.reply = self._reply()
        self._wake_all()

    def on_room(self) -> None:
        if len(self.sending) <= SEND_BUFFER_BYTES:
            _wake(self._room)

    def on_broken(self, error: ConnectionBrokenError) -> None:
        self._broken = error
        self._wake_all()

    def on_refused(self, text: str, code: Code) -> None:
        self.reply = Reply(code, text, b"", tuple(self._headers))
        self._wake_all()

    def _credit(self) -> None:
        """A consumer that lags holds the server back, once the window is full of messages that wait for it."""
        if not self._messages and self._owed and self.reply is None and self._broken is None:
            self._carrier.credit(self, self._owed)
            self._owed = 0

    def _check_open(self) -> None:
        if self._broken is not None:
            raise self._broken
        if self.reply is not None or self.half_closed:
            raise ConnectionBrokenError("stream", "the call has ended", sent=True)

    def _wake_all(self) -> None:
        _wake(self._waiter)
        _wake(self._room)


def _wake(waiter: "Future[None] | None") -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)


def _status(headers: Headers) -> tuple[int | None, str]:
    """The status and text of gRPC, or (None, "")."""
    code, text = None, ""
    for name, value in headers:
        if name == b"grpc-status":
            code = int(value) if value.isdigit() else int(Code.UNKNOWN)
        elif name == b"grpc-message":
            text = unquote(value.decode("utf-8", "replace"), errors="replace")
    return code, text


def _foreign_status(headers: Headers) -> tuple[int, str]:
    """What an answer without gRPC's status amounts to."""
    status = dict(headers).get(b":status", b"")
    if status == b"200":
        return Code.UNKNOWN, "the server ended the call without a status"
    return CODE_OF_HTTP_STATUS.get(status, Code.UNKNOWN), f"HTTP status {status.decode('ascii', 'replace')}"
