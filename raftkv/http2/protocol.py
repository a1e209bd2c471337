"""A connection on the event loop: bytes to and from the HTTP/2 core, calls on its streams, and what needs a clock.

Everything that one turn of the loop produces leaves in one write: whoever adds to the outbox asks for a flush, and only the
first one schedules it.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, cast

from raftkv.errors import MalformedRequestError, TooManyRequestsError
from raftkv.http2.calls import ServerCall
from raftkv.http2.connection import ServerConnection
from raftkv.http2.flusher import Flusher
from raftkv.http2.frames import ErrorCode
from raftkv.http2.framing import frame_prefix, framed
from raftkv.http2.head import RequestHead
from raftkv.http2.hpack import Field
from raftkv.http2.load import Load
from raftkv.http2.metadata import parse_timeout, value_of
from raftkv.http2.options import Hooks, Options
from raftkv.http2.outbox import Outbox
from raftkv.http2.routing import Refusal, Route, Router
from raftkv.http2.status import StatusBlocks
from raftkv.http2.stream import Stream
from raftkv.http2.streaming import StreamingCall
from raftkv.http2.tasks import HandlerTasks
from raftkv.http2.unary import ServerStreamCall, UnaryCall
from raftkv.rpc.method import Kind, Method
from raftkv.tls.names import common_name

PATIENCE_SECONDS: Final = 0.002
"""How long a PING's answer waits for an answer that is in the making: Go's clients send a PING with nearly every lone request."""
SHARED_BODY_BYTES: Final = 16 * 1024
"""Messages above this size are not copied for each who gets them."""
FAREWELL_SECONDS: Final = 1.0
"""How long a client may take to collect the last bytes."""


class Shared:
    """What all connections of a server have in common."""

    __slots__ = ("blocks", "connections", "flusher", "hooks", "load", "options", "router", "tasks", "too_much")

    def __init__(self, methods: list[Method], options: Options, hooks: Hooks) -> None:
        self.options = options
        self.hooks = hooks
        self.load = Load()
        self.blocks = StatusBlocks(options.headers)
        self.too_much = self.blocks.error(TooManyRequestsError.code, TooManyRequestsError.text)
        self.router = Router(methods, self.blocks)
        self.tasks = HandlerTasks()
        self.flusher = Flusher()
        self.connections: set[GrpcProtocol] = set()


class GrpcProtocol(asyncio.Protocol):
    """One client's gRPC connection.

    Invariants: `_deadline_timer` is set for no later than the earliest deadline of an open call; `_flushing` is true exactly
    while a flush is certain to come.
    """

    def __init__(self, shared: Shared, lost: Callable[[], None]) -> None:
        self._shared = shared
        self._lost = lost
        self.options = shared.options
        self.hooks = shared.hooks
        self.blocks = shared.blocks
        self.start_task: Callable[[Coroutine[Any, Any, Any]], asyncio.Task[Any]] = shared.tasks.start
        self.peer = ""
        self.identity = ""
        self.buffered = 0
        self._loop = asyncio.get_running_loop()
        self.now = self._loop.time
        self.load = shared.load
        self._connection = ServerConnection(shared.options, self._accept, self.now, shared.load)
        self._outbox = self._connection.outbox
        self._transport: asyncio.Transport | None = None
        self._flusher = shared.flusher
        self._flushing = False
        self._flushing_late = False
        self._parting = False
        self._active = True
        self._deadline_timer: asyncio.TimerHandle | None = None
        self._deadline_due = 0.0
        self._alive_timer: asyncio.TimerHandle | None = None

    # --- from the transport ---------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The client has shown that it speaks HTTP/2, or has agreed to (ALPN)."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self.peer = _address(transport.get_extra_info("peername"))
        if self.options.trust_common_names:
            self.identity = common_name(transport.get_extra_info("peercert"))
        self._shared.connections.add(self)
        self._alive_timer = self._loop.call_later(self.options.handshake_seconds, self._check_handshake)
        self._connection.start()
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Answers that handlers give at once leave before the loop goes on."""
        hooks = self.hooks
        if hooks.received is not None:
            hooks.received(len(data))
        self._active = True
        scheduled, self._flushing = self._flushing, True
        self._connection.receive_data(data)
        if scheduled:
            return
        if self._outbox.urgent or not self._connection.streams or self._connection.closed:
            self._flush()
            return
        self._flushing = False
        if self._outbox and not self._flushing_late:
            self._flushing_late = True
            self._loop.call_later(PATIENCE_SECONDS, self._flush_late)

    def eof_received(self) -> bool:
        """A client that will send no more has no use for answers: gRPC has no half-closed connections."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - all ends are the same
        """Every call is cancelled."""
        self._transport = None
        for timer in (self._deadline_timer, self._alive_timer):
            if timer is not None:
                timer.cancel()
        self._shared.connections.discard(self)
        self._connection.abandon(ErrorCode.CANCEL)
        self._lost()

    def pause_writing(self) -> None:
        """Data stays in the queues from here on."""
        self._outbox.congested = True

    def resume_writing(self) -> None:
        """The transport has room again."""
        self._outbox.congested = False
        self._outbox.pump()
        self._flush_soon()

    def _flush_late(self) -> None:
        """Nobody else has written meanwhile."""
        self._flushing_late = False
        if self._outbox:
            self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            self._flusher.add(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        transport, outbox = self._transport, self._outbox
        if transport is None:
            return
        if outbox:
            size = _write(transport, outbox)
            if self.hooks.sent is not None:
                self.hooks.sent(size)
        connection = self._connection
        if connection.closed or (connection.draining and connection.drained):
            self._part(transport)
        elif outbox.queued and not outbox.congested:
            outbox.pump()
            if outbox:
                self._flush_soon()

    def _part(self, transport: asyncio.Transport) -> None:
        """Closes, but leaves the client time to do so: unread bytes at a close would take our last ones with them."""
        if not self._parting:
            self._parting = True
            self._loop.call_later(FAREWELL_SECONDS, transport.close)

    # --- from the HTTP/2 core -------------------------------------------------------------------------------------

    def _accept(self, stream: Stream, head: RequestHead, volatile: tuple[Field, ...]) -> None:
        route = head.route
        if route is None:
            route = head.route = self._shared.router.route(head)
        if isinstance(route, Refusal):
            self._outbox.headers(stream, route.block, end_stream=True)
            return
        load, options = self.load, self.options
        if load.calls > options.max_calls or load.queued > options.max_held_bytes:
            self._outbox.headers(stream, self._shared.too_much, end_stream=True)
            return
        kind = route.method.kind
        if kind is Kind.UNARY:
            call: ServerCall = UnaryCall(self, stream, route, None)
        elif kind is Kind.SERVER_STREAM:
            call = ServerStreamCall(self, stream, route, None)
        else:
            call = StreamingCall(self, stream, route, None)
        stream.receiver = call
        if volatile and not self._take_volatile(call, volatile):
            return
        if isinstance(call, StreamingCall):
            call.start()

    def _take_volatile(self, call: ServerCall, volatile: tuple[Field, ...]) -> bool:
        """The timeout, and metadata of this call alone. Whether they were well formed."""
        try:
            for name, value in volatile:
                if name == "grpc-timeout":
                    call.deadline = self.now() + parse_timeout(value)
                    self._watch_deadline(call.deadline)
                else:
                    call.add_metadata(name, value_of(name, value))
        except MalformedRequestError as error:
            call.fail(error)
            return False
        if call.deadline is not None and call.deadline <= self.now():  # nobody waits for it any more
            call.expire()
            return False
        return True

    # --- from the calls -------------------------------------------------------------------------------------------

    def send_answer(self, stream: Stream, message: bytes) -> None:
        """A whole answer: headers, one message, status OK."""
        blocks = self.blocks
        self._outbox.answer(stream, blocks.headers, framed(message), blocks.ok)
        if not self._flushing:
            self._flushing = True
            self._flusher.add(self._flush)

    def send_pieces(self, stream: Stream, pieces: list[bytes]) -> None:
        """A whole answer that is too large to be copied in one go."""
        outbox, size = self._outbox, sum(map(len, pieces))
        outbox.headers(stream, self.blocks.headers)
        outbox.data(stream, frame_prefix(size))
        for piece in pieces:
            outbox.data(stream, piece)
        outbox.trailers(stream, self.blocks.ok)
        self._flush_soon()

    def send_message(self, stream: Stream, message: bytes) -> None:
        """The next message of a streamed answer."""
        if not stream.headers_sent:
            self._outbox.headers(stream, self.blocks.headers)
        self._outbox.data(stream, framed(message))
        self._flush_soon()

    def send_each(self, stream: Stream, body: bytes, tails: list[bytes]) -> None:
        """Messages that differ only in their equally long tails. Where they are large they share the body."""
        outbox = self._outbox
        if not stream.headers_sent:
            outbox.headers(stream, self.blocks.headers)
        prefix = frame_prefix(len(body) + len(tails[0]))
        if len(body) < SHARED_BODY_BYTES:
            outbox.data(stream, (prefix + body).join((b"", *tails)))
        else:
            for tail in tails:
                for piece in (prefix, body, tail):
                    outbox.data(stream, piece)
        self._flush_soon()

    def send_trailers(self, stream: Stream, block: bytes) -> None:
        """The end of a streamed answer."""
        self._outbox.trailers(stream, block)
        self._flush_soon()

    def send_error(self, stream: Stream, block: bytes) -> None:
        """An answer without a message."""
        self._outbox.headers(stream, block, end_stream=True)
        self._flush_soon()

    def reset(self, stream: Stream, code: ErrorCode) -> None:
        self._connection.reset(stream, code)
        self._flush_soon()

    def consumed(self, stream: Stream, size: int) -> None:
        """Lets the client send more."""
        self._connection.consumed(stream, size)
        self._flush_soon()

    def crashed(self, route: Route, error: BaseException) -> None:
        """A bug in a handler."""
        if self.hooks.crashed is not None:
            self.hooks.crashed(route.method, error)
        else:
            message = f"the handler of {route.method.path} failed"
            self._loop.call_exception_handler({"message": message, "exception": error, "protocol": self})

    # --- from the clock -------------------------------------------------------------------------------------------

    def _watch_deadline(self, deadline: float) -> None:
        """One timer for all calls: most of them end long before it, and then nothing has to be done for them."""
        timer = self._deadline_timer
        if timer is not None:
            if self._deadline_due <= deadline:
                return
            timer.cancel()
        self._deadline_due = deadline
        self._deadline_timer = self._loop.call_at(deadline, self._expire)

    def _expire(self) -> None:
        self._deadline_timer = None
        now, earliest = self.now(), None
        for stream in list(self._connection.streams.values()):
            call = stream.receiver
            if call is None or call.deadline is None:
                continue
            if call.deadline <= now:
                call.expire()
            elif earliest is None or call.deadline < earliest:
                earliest = call.deadline
        if earliest is not None:
            self._watch_deadline(earliest)

    def _check_handshake(self) -> None:
        if not self._connection.ready:
            self._connection.close(ErrorCode.SETTINGS_TIMEOUT, "no settings in time")
            self._flush_soon()
            return
        self._alive_timer = self._loop.call_later(self.options.keepalive_interval_seconds, self._check_alive)

    def _check_alive(self) -> None:
        """Asks a client that was silent since the last look."""
        wait, then = self.options.keepalive_interval_seconds, self._check_alive
        if not self._active:
            self._connection.ping()
            self._flush_soon()
            wait, then = self.options.keepalive_timeout_seconds, self._check_answered
        self._active = False
        self._alive_timer = self._loop.call_later(wait, then)

    def _check_answered(self) -> None:
        if self._active:
            self._check_alive()
        elif self._transport is not None:
            self._transport.abort()

    # --- from the server ------------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Takes no new calls; closes after the last one."""
        self._connection.drain()
        self._flush_soon()

    def close(self) -> None:
        """Answers every call with StoppedError, and ends the connection."""
        for stream in list(self._connection.streams.values()):
            if stream.receiver is not None:
                stream.receiver.stop()
        self._connection.close(ErrorCode.NO_ERROR, "server stopped")
        self._flush_soon()


def _write(transport: asyncio.Transport, outbox: Outbox) -> int:
    """Writes what is ready; returns how many bytes that was."""
    if outbox.large:
        pieces = outbox.take_pieces()
        transport.writelines(pieces)
        return sum([len(piece) for piece in pieces])
    data = outbox.take()
    transport.write(data)
    return len(data)


def _address(peername: Any) -> str:
    if isinstance(peername, tuple) and len(peername) >= 2:
        host, port = peername[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return str(peername or "")
