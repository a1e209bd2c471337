"""One HTTP/2 connection to a server: the network round the sans-IO `h2`, and the calls that share it.

    dialled --SETTINGS--> open --GOAWAY, or stream ids used up--> draining --last call ends--> closed
        `---------------- connection lost, protocol error, ping not answered -----------------^

What is written in one turn of the loop leaves in one `transport.write`. A call counts as sent from the moment its end goes
into that write: until then it is ours alone, and may be made again elsewhere whatever it changes.

While calls wait and nothing is heard, the server is pinged, so that one that vanished without a word is noticed before the
deadlines pass (`keepalive`).

All methods run on the loop's thread.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)
from h2.exceptions import NoAvailableStreamIDError, ProtocolError
from h2.settings import SettingCodes, Settings
from hpack import NeverIndexedHeaderTuple

from raftkv.client.channel import Metadata, Reply, UnaryCall
from raftkv.client.endpoint import Endpoint
from raftkv.client.exchange import Exchange, Headers, StreamExchange, UnaryExchange, fail
from raftkv.client.framing import GoAway, GoAwayFilter, MessageError
from raftkv.client.keepalive import Keepalive, Verdict
from raftkv.errors import Code, ConnectionBrokenError

STREAM_WINDOW_BYTES = 4 * 1024 * 1024
CONNECTION_WINDOW_BYTES = 64 * 1024 * 1024
INITIAL_WINDOW_BYTES = 65_535  # what every connection starts with (RFC 9113, 6.9.2)
PING_DATA = b"raftkv??"
FIRST_FRAME_TYPES = {b"\x04", b"\x07", b""}  # SETTINGS, or GOAWAY right away; or the piece is too short to tell
MAX_TIMEOUT_MS = 99_999_999  # gRPC allows eight digits


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOptions:
    """The limits of a connection."""

    max_message_bytes: int
    """The longest message taken from a server."""
    keepalive_after: float
    """Seconds of silence, while calls wait, until the server is asked whether it is there."""
    keepalive_timeout: float
    """Seconds it may take to answer that."""


class State(Enum):
    """See the module's picture."""

    DIALLED = "dialled"
    OPEN = "open"
    DRAINING = "draining"
    CLOSED = "closed"


class Connection(asyncio.Protocol):
    """One connection. `raw_socket` is the socket under it, which a forked child lets go of."""

    def __init__(
        self, endpoint: Endpoint, raw_socket: socket.socket, options: ConnectionOptions, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.loop = loop
        self.raw_socket = raw_socket
        self.opened: asyncio.Future[None] = loop.create_future()
        """Done when the server has shown that it speaks HTTP/2, or fails with the reason why not."""
        self.closed: asyncio.Future[None] = loop.create_future()
        self._endpoint = endpoint
        self._options = options
        self._state = State.DIALLED
        self._h2 = _new_h2()
        self._filter = GoAwayFilter()
        self._transport: asyncio.Transport
        self._exchanges: dict[int, Exchange] = {}
        self._blocked: dict[int, Exchange] = {}  # those with bytes that wait for a window
        self._unflushed: list[Exchange] = []  # those whose end is in h2's buffer
        self._slot_waiters: deque[asyncio.Future[None]] = deque()
        self._max_streams = 100  # until the server says: RFC 9113, 6.5.2 asks for at least that
        self._writable = True
        self._flush_is_due = False
        self._keepalive = Keepalive(now=loop.time(), after=options.keepalive_after, timeout=options.keepalive_timeout)
        self._watchdog: asyncio.TimerHandle | None = None
        self._headers_of_path: dict[str, Headers] = {}

    # --- calls

    @property
    def usable(self) -> bool:
        """Whether new calls may start here."""
        return self._state is State.OPEN

    async def unary(self, call: UnaryCall) -> Reply:
        """As Channel.unary."""
        while len(self._exchanges) >= self._max_streams:
            await self._wait_for_slot()
        exchange = UnaryExchange(call, self.loop.create_future(), self._options.max_message_bytes)
        self._start(exchange, call.path, call.metadata, call.timeout)
        try:
            return await exchange.outcome
        except asyncio.CancelledError:
            self.cancel(exchange)
            raise

    async def stream(self, path: str, metadata: Metadata) -> StreamExchange:
        """As Channel.stream."""
        while len(self._exchanges) >= self._max_streams:
            await self._wait_for_slot()
        exchange = StreamExchange(self, self.loop, self._options.max_message_bytes)
        self._start(exchange, path, metadata, None)
        return exchange

    def pump(self, exchange: Exchange) -> None:
        """Moves what an exchange has to send into h2, as far as the server's windows allow."""
        stream_id, sending = exchange.stream_id, exchange.sending
        if stream_id not in self._exchanges or exchange.all_sent:
            return
        while len(sending) > (room := self._room(stream_id)):
            if room <= 0:
                self._blocked[stream_id] = exchange
                break
            self._h2.send_data(stream_id, bytes(sending[:room]))
            del sending[:room]
        else:
            self._blocked.pop(stream_id, None)
            self._send_rest(exchange)
        exchange.on_room()
        self._flush_soon()

    def credit(self, exchange: Exchange, size: int) -> None:
        """Gives the stream's window back what its consumer has taken."""
        if exchange.stream_id in self._exchanges:
            with suppress(ProtocolError):  # the end of the stream has come in the same read
                self._h2.increment_flow_control_window(size, exchange.stream_id)
            self._flush_soon()

    def cancel(self, exchange: Exchange) -> None:
        """Forgets a call and tells the server to."""
        if self._forget(exchange.stream_id) is not None:
            self._reset(exchange.stream_id)
            self._flush_soon()

    async def close(self) -> None:
        """Breaks all calls and closes; returns when the socket is closed."""
        if self._state is not State.CLOSED:
            self._shut("the client was closed")
            if self._transport.get_write_buffer_size():  # a server that does not read would make us wait for ever
                self._transport.abort()
            else:
                self._transport.close()
        await asyncio.shield(self.closed)

    def abort(self, reason: str) -> None:
        """Breaks all calls and the connection, at once."""
        if self._state is not State.CLOSED:
            self._shut(reason)
            self._transport.abort()

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(CONNECTION_WINDOW_BYTES - INITIAL_WINDOW_BYTES)
        self._flush()

    def data_received(self, data: bytes) -> None:
        self._keepalive.heard(self.loop.time())
        if self._state is State.DIALLED and data[3:4] not in FIRST_FRAME_TYPES:
            self.abort("what listens there is no gRPC server")
            return
        passed, goaways = self._filter.feed(data)
        try:
            events = self._h2.receive_data(passed)
        except ProtocolError as error:
            self.abort(f"HTTP/2 protocol error: {error}")
            return
        for event in events:
            handler = self._handlers.get(type(event))
            if handler is not None:
                handler(self, event)
        for goaway in goaways:
            self._on_goaway(goaway)
        self._flush()

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        reason = str(exc) if exc is not None else "the server closed the connection"
        if self._state is State.DIALLED and not self._endpoint.tls:  # what a server of TLS does to plain text
            reason += ", without a word: is it to be spoken to with https://?"
        self._shut(reason)
        if not self.closed.done():
            self.closed.set_result(None)

    # --- sending

    def _start(self, exchange: Exchange, path: str, metadata: Metadata, timeout: float | None) -> None:
        """Gives the exchange a stream and puts its first frames into h2. Raises ConnectionBrokenError, nothing being sent."""
        if self._state is not State.OPEN:
            raise self._broken("the connection is closing", sent=False)
        try:
            exchange.stream_id = stream_id = self._h2.get_next_available_stream_id()
        except NoAvailableStreamIDError:
            self._drain()
            raise self._broken("the connection has no stream ids left", sent=False) from None
        self._exchanges[stream_id] = exchange
        self._h2.send_headers(stream_id, self._headers(path, metadata, timeout))
        self.pump(exchange)
        if self._watchdog is None:
            self._watchdog = self.loop.call_later(self._options.keepalive_after, self._watch)

    def _headers(self, path: str, metadata: Metadata, timeout: float | None) -> Headers:
        """The headers of a request. Those that differ from call to call stay out of the compression's table."""
        known = self._headers_of_path.get(path)
        if known is None:
            known = self._headers_of_path[path] = _request_headers(path, self._endpoint)
        headers = known.copy()
        if timeout is not None:
            headers.append(NeverIndexedHeaderTuple(b"grpc-timeout", _grpc_timeout(timeout)))
        headers.extend(NeverIndexedHeaderTuple(name, value) for name, value in metadata)
        return headers

    def _room(self, stream_id: int) -> int:
        return min(self._h2.local_flow_control_window(stream_id), self._h2.max_outbound_frame_size)

    def _send_rest(self, exchange: Exchange) -> None:
        if exchange.sending or exchange.half_closed:
            self._h2.send_data(exchange.stream_id, bytes(exchange.sending), end_stream=exchange.half_closed)
            exchange.sending.clear()
        if exchange.half_closed:
            exchange.all_sent = True
            self._unflushed.append(exchange)

    def _flush_soon(self) -> None:
        if not self._flush_is_due:
            self._flush_is_due = True
            self.loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_is_due = False
        if not self._writable or self._state is State.CLOSED:
            return
        data = self._h2.data_to_send()
        if data:
            self._transport.write(data)
        if self._unflushed:
            flushed, self._unflushed = self._unflushed, []
            for exchange in flushed:
                exchange.on_flushed()

    # --- receiving

    def _on_headers(self, event: Any) -> None:
        if exchange := self._exchanges.get(event.stream_id):
            exchange.on_headers(event.headers)

    def _on_trailers(self, event: Any) -> None:
        if exchange := self._exchanges.get(event.stream_id):
            exchange.on_trailers(event.headers)

    def _on_data(self, event: Any) -> None:
        stream_id, size = event.stream_id, event.flow_controlled_length
        exchange = self._exchanges.get(stream_id)
        if size and (exchange is None or exchange.keeps_window):
            self._h2.increment_flow_control_window(size)  # the connection's, so that a slow stream holds up no other
        else:
            self._h2.acknowledge_received_data(size, stream_id)
        if exchange is None:
            return
        try:
            exchange.on_data(event.data, size)
        except MessageError as error:
            self.cancel(exchange)
            exchange.on_refused(str(error), Code.RESOURCE_EXHAUSTED)

    def _on_ended(self, event: Any) -> None:
        exchange = self._forget(event.stream_id)
        if exchange is not None:
            if not exchange.all_sent:  # answered before it was asked in full: too large, say
                self._reset(event.stream_id)
            exchange.on_end()
        self._close_if_drained()

    def _on_reset(self, event: Any) -> None:
        exchange = self._forget(event.stream_id)
        if exchange is not None:
            refused = event.error_code == ErrorCodes.REFUSED_STREAM
            reason = f"the server reset the call ({_error_name(event.error_code)})"
            exchange.on_broken(self._broken(reason, sent=exchange.sent and not refused))
        self._close_if_drained()

    def _on_window(self, event: Any) -> None:
        if event.stream_id == 0:
            self._pump_blocked()
        elif exchange := self._blocked.get(event.stream_id):
            self.pump(exchange)

    def _on_settings(self, event: Any) -> None:
        changed = event.changed_settings.get(SettingCodes.MAX_CONCURRENT_STREAMS)
        if changed is not None:
            self._max_streams = changed.new_value
        elif not self.opened.done():
            self._max_streams = self._h2.remote_settings.max_concurrent_streams  # not said: no limit
        if not self.opened.done():
            self._state = State.OPEN
            self.opened.set_result(None)
        self._pump_blocked()
        self._free_slots()

    def _on_goaway(self, goaway: GoAway) -> None:
        debug = goaway.debug.decode("utf-8", "replace")
        reason = f"the server is going away ({_error_name(goaway.error_code)}{': ' if debug else ''}{debug})"
        self._drain(reason)
        for stream_id in [number for number in self._exchanges if number > goaway.last_stream]:
            exchange = self._forget(stream_id)
            if exchange is not None:
                exchange.on_broken(self._broken(reason, sent=False))
        self._close_if_drained()

    # --- the course of a connection

    def _drain(self, reason: str = "") -> None:
        if self._state is State.DIALLED and not self.opened.done():
            fail(self.opened, self._broken(reason, sent=False))
        if self._state in {State.DIALLED, State.OPEN}:
            self._state = State.DRAINING
            self._free_slots()

    def _close_if_drained(self) -> None:
        if self._state is State.DRAINING and not self._exchanges:
            self._flush()
            self._transport.close()

    def _shut(self, reason: str) -> None:
        """Fails everything that waits, and becomes closed."""
        if self._state is State.CLOSED:
            return
        self._say_goodbye()
        self._state = State.CLOSED
        if self._watchdog is not None:
            self._watchdog.cancel()
        exchanges, self._exchanges = self._exchanges, {}
        for exchange in exchanges.values():
            exchange.on_broken(self._broken(reason, sent=exchange.sent))
        self._blocked.clear()
        self._unflushed.clear()
        if not self.opened.done():
            fail(self.opened, self._broken(reason, sent=False))
        self._free_slots()

    def _say_goodbye(self) -> None:
        """GOAWAY, where it costs nothing. Calls in h2's buffer that count as not sent must not leave with it."""
        if self._unflushed or not self._writable or self._transport.is_closing():
            return
        with suppress(ProtocolError):  # h2 has said it itself, on the error that ends the connection
            self._h2.close_connection()
        self._transport.write(self._h2.data_to_send())

    def _forget(self, stream_id: int) -> Exchange | None:
        exchange = self._exchanges.pop(stream_id, None)
        self._blocked.pop(stream_id, None)
        if exchange is not None and self._slot_waiters:
            self._free_slots()
        return exchange

    def _reset(self, stream_id: int) -> None:
        with suppress(ProtocolError):  # the stream has ended on its own
            self._h2.reset_stream(stream_id, ErrorCodes.CANCEL)

    def _pump_blocked(self) -> None:
        for exchange in list(self._blocked.values()):
            self.pump(exchange)

    async def _wait_for_slot(self) -> None:
        waiter: asyncio.Future[None] = self.loop.create_future()
        self._slot_waiters.append(waiter)
        await waiter
        if self._state is not State.OPEN:
            raise self._broken("the connection is closing", sent=False)

    def _free_slots(self) -> None:
        """Wakes as many as there is room for; they look again. All of them, where the connection takes no more."""
        room = self._max_streams - len(self._exchanges) if self._state is State.OPEN else len(self._slot_waiters)
        while room > 0 and self._slot_waiters:
            waiter = self._slot_waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                room -= 1

    def _broken(self, reason: str, *, sent: bool) -> ConnectionBrokenError:
        return ConnectionBrokenError(str(self._endpoint), reason, sent=sent)

    def _watch(self) -> None:
        """While calls wait: asks a silent server whether it is there, and gives up one that does not answer."""
        self._watchdog = None
        if not self._exchanges:
            return
        verdict, seconds = self._keepalive.look(self.loop.time())
        if verdict is Verdict.DEAD:
            self.abort(f"no answer to a ping within {self._keepalive.timeout:g} s")
            return
        if verdict is Verdict.PING:
            self._h2.ping(PING_DATA)
            self._flush()
        self._watchdog = self.loop.call_later(seconds, self._watch)

    _handlers: ClassVar[Mapping[type[Event], Callable[["Connection", Any], None]]] = {
        ResponseReceived: _on_headers,
        DataReceived: _on_data,
        TrailersReceived: _on_trailers,
        StreamEnded: _on_ended,
        StreamReset: _on_reset,
        WindowUpdated: _on_window,
        RemoteSettingsChanged: _on_settings,
    }


def _new_h2() -> H2Connection:
    """Headers are not checked beyond what HPACK needs: ours are made here, and of a server's only three are looked at."""
    h2 = H2Connection(
        H2Configuration(
            client_side=True,
            header_encoding=None,
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
            validate_inbound_headers=False,
            normalize_inbound_headers=False,
        )
    )
    wanted = {SettingCodes.ENABLE_PUSH: 0, SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW_BYTES}
    h2.local_settings = Settings(client=True, initial_values=wanted)
    return h2


def _request_headers(path: str, endpoint: Endpoint) -> Headers:
    return [
        (b":method", b"POST"),
        (b":scheme", b"https" if endpoint.tls else b"http"),
        (b":path", path.encode()),
        (b":authority", str(endpoint).encode()),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
        (b"user-agent", b"raftkv-python"),
    ]


def _grpc_timeout(seconds: float) -> bytes:
    """Whole milliseconds, at least one."""
    return b"%dm" % min(max(1, round(seconds * 1000)), MAX_TIMEOUT_MS)


def _error_name(code: int) -> str:
    return ErrorCodes(code).name if code in list(ErrorCodes) else f"error {code}"
