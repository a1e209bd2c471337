"""The server's side of an HTTP/2 connection, without any input or output (RFC 9113).

Bytes go in with `receive_data` and come out of `outbox.take()`. Nothing is turned into event objects on the way: the connection
calls the receiver that `accept` hung on the stream. A violation never leaves `receive_data`: it becomes RST_STREAM or
GOAWAY, and then `closed` is set.

    wants the preface --> wants SETTINGS --> serves --drain()--> draining --(ping answered)--> last streams --> drained
                 any of them --violation, client's abuse--> closed
"""

from collections.abc import Callable
from typing import Final

from raftkv.http2 import frames
from raftkv.http2.flow import ReceiveWindow
from raftkv.http2.frames import (
    ACK,
    DEFAULT_MAX_FRAME,
    END_HEADERS,
    END_STREAM,
    HEADER,
    HEADER_SIZE,
    MAX_STREAM_ID,
    MAX_WINDOW,
    PADDED,
    PREFACE,
    PRIORITIZED,
    STREAM_MASK,
    ErrorCode,
    Setting,
)
from raftkv.http2.guard import PingGuard, TokenBucket
from raftkv.http2.head import HeadReader, RequestHead
from raftkv.http2.hpack import DEFAULT_TABLE_SIZE, Field
from raftkv.http2.load import Load
from raftkv.http2.options import Options
from raftkv.http2.outbox import Outbox
from raftkv.http2.stream import Stream
from raftkv.http2.stream_ids import StreamIds
from raftkv.http2.violation import ConnectionProtocolError, StreamProtocolError

Accept = Callable[[Stream, RequestHead, tuple[Field, ...]], None]
"""A new request: sets the stream's receiver, or answers at once."""

MAX_FRAGMENTS: Final = 32
"""CONTINUATION frames of one block (CVE-2024-27983 and others: a block without end)."""
EMPTY_BURST: Final = 1000.0
EMPTY_PER_SECOND: Final = 10.0
"""DATA frames without content and without end."""
RESET_BURST: Final = 2000.0
RESETS_PER_SECOND: Final = 200.0
"""Streams that a client resets before they were answered. Its calls may all run into their deadlines at once; this is still far from
what rapid reset needs. Who has an answer may leave at any rate: that is how a client ends a call of one question (a KeepAliveOnce).
"""
SETTINGS_BURST: Final = 100.0
SETTINGS_PER_SECOND: Final = 1.0
DRAIN_PING: Final = b"raftkv-d"
ALIVE_PING: Final = b"raftkv-a"


class ServerConnection:
    """One client's connection.

    Invariants: `_exclusive` is the only frame type that may come next, or None; `_block` is set exactly while it is CONTINUATION;
    `streams` holds the streams that are open or half-closed by the client, and no others.
    """

    __slots__ = (
        "_accept",
        "_block",
        "_block_flags",
        "_block_stream",
        "_dispatch",
        "_empties",
        "_exclusive",
        "_final",
        "_fragments",
        "_greeted",
        "_heads",
        "_ids",
        "_load",
        "_now",
        "_options",
        "_pings",
        "_resets",
        "_rest",
        "_settings",
        "_window",
        "closed",
        "draining",
        "outbox",
        "ready",
        "streams",
    )

    def __init__(self, options: Options, accept: Accept, now: Callable[[], float], load: Load | None = None) -> None:
        self._options = options
        self._load = load = load or Load()
        self._accept = accept
        self._now = now
        self.streams: dict[int, Stream] = {}
        self.outbox = Outbox(self._finished, load)
        self.closed = False
        """No byte that comes is looked at any more; what is in the outbox is the last."""
        self.ready = False
        """Preface and first SETTINGS have come."""
        self.draining = False
        self._final = False
        """The GOAWAY that names the last stream is out: later ones are refused."""
        self._heads = HeadReader(options.max_header_list_bytes)
        self._rest = b""
        self._greeted = False
        self._exclusive: int | None = frames.SETTINGS
        self._block: bytes | None = None
        self._block_stream = self._block_flags = self._fragments = 0
        self._ids = StreamIds()
        self._window = ReceiveWindow(options.connection_window_bytes)
        self._empties = TokenBucket(burst=EMPTY_BURST, per_second=EMPTY_PER_SECOND, now=now())
        self._resets = TokenBucket(burst=RESET_BURST, per_second=RESETS_PER_SECOND, now=now())
        self._settings = TokenBucket(burst=SETTINGS_BURST, per_second=SETTINGS_PER_SECOND, now=now())
        self._pings = PingGuard(
            interval=options.min_ping_interval_seconds,
            permit_without_calls=options.permit_pings_without_calls,
        )
        self._dispatch = (
            self._on_data,
            self._on_headers,
            self._on_priority,
            self._on_rst_stream,
            self._on_settings,
            self._on_push_promise,
            self._on_ping,
            self._on_goaway,
            self._on_window_update,
            self._on_continuation,
        )

    # --- from the layer above -------------------------------------------------------------------------------------

    def start(self) -> None:
        """The server's preface: its SETTINGS (section 3.4), and a wider window for the connection."""
        options = self._options
        self.outbox.control(
            frames.settings(
                (
                    (Setting.MAX_CONCURRENT_STREAMS, options.max_concurrent_streams),
                    (Setting.INITIAL_WINDOW_SIZE, options.stream_window_bytes),
                    (Setting.MAX_HEADER_LIST_SIZE, options.max_header_list_bytes),
                )
            )
        )
        self._widen(self._window.refill())

    def _widen(self, increment: int) -> None:
        """Lets the client send more on the connection."""
        if increment:
            self.outbox.control(frames.window_update(0, increment))

    def reset(self, stream: Stream, code: ErrorCode) -> None:
        """Ends a stream from this side. Its receiver is not told: it asked."""
        stream.receiver = None
        self._forget(stream)
        self._end_early(stream.id, code)

    def consumed(self, stream: Stream, size: int) -> None:
        """Lets the client send `size` more bytes on a stream, in batches of half a window."""
        stream.uncredited += size
        if stream.uncredited * 2 >= self._options.stream_window_bytes and not stream.remote_closed:
            self.outbox.control(frames.window_update(stream.id, stream.uncredited))
            stream.receive_window += stream.uncredited
            stream.uncredited = 0

    def ping(self) -> None:
        """Asks whether the client still lives: whatever comes from it is an answer."""
        self.outbox.control(frames.ping(ALIVE_PING))

    def drain(self) -> None:
        """No new calls from here on: GOAWAY without a limit, then, when the client must have seen it, with one (section 6.8)."""
        if not self.draining and not self.closed:
            self.draining = True
            self.outbox.control(frames.goaway(MAX_STREAM_ID, ErrorCode.NO_ERROR, b"graceful_stop"))
            self.outbox.control(frames.ping(DRAIN_PING))

    @property
    def drained(self) -> bool:
        """Nothing is left to do after `drain`."""
        return self._final and not self.streams

    def close(self, code: ErrorCode, text: str) -> None:
        """Ends the connection with GOAWAY; all streams are over."""
        if not self.closed:
            self.outbox.control(frames.goaway(self._ids.last, code, text.encode()))
            self.abandon(code)

    def abandon(self, code: ErrorCode) -> None:
        """The connection is gone."""
        self.closed = True
        self._rest = b""
        for stream in list(self.streams.values()):
            self._over(stream, code)

    # --- bytes ----------------------------------------------------------------------------------------------------

    def receive_data(self, data: bytes) -> None:
        """Takes bytes as they come, in pieces of any size. Never raises for what a client sends."""
        if self.closed:
            return
        if self._rest:
            data = self._rest + data
            self._rest = b""
        try:
            at = 0 if self._greeted else self._preface(data)
            if at >= 0:
                at = self._frames(data, at)
        except ConnectionProtocolError as error:
            self.close(error.code, str(error))
            return
        if at < len(data) and not self.closed:
            self._rest = data[max(at, 0) :]

    def _preface(self, data: bytes) -> int:
        """Where the frames begin; below zero: the preface is not complete."""
        if data[: len(PREFACE)] != PREFACE[: len(data)]:
            raise ConnectionProtocolError(ErrorCode.PROTOCOL_ERROR, "no HTTP/2 preface")
        if len(data) < len(PREFACE):
            return -1
        self._greeted = True
        return len(PREFACE)

    def _frames(self, data: bytes, at: int) -> int:
        """Handles every complete frame; where the first incomplete one begins."""
        end, unpack, dispatch = len(data), HEADER.unpack_from, self._dispatch
        while end - at >= HEADER_SIZE:
            length, flags, stream_id = unpack(data, at)
            kind = length & 0xFF
            length >>= 8
            if length > DEFAULT_MAX_FRAME:
                raise ConnectionProtocolError(ErrorCode.FRAME_SIZE_ERROR, "a frame above SETTINGS_MAX_FRAME_SIZE")
            start = at + HEADER_SIZE
            if start + length > end:
                break
            at = start + length
            if self._exclusive is not None and kind != self._exclusive:
                raise ConnectionProtocolError(ErrorCode.PROTOCOL_ERROR, "another frame was expected")
            if kind < len(dispatch):
                stream_id &= STREAM_MASK
                try:
                    dispatch[kind](flags, stream_id, data[start:at])
                except StreamProtocolError as error:
                    self._violated(stream_id, error.code)
        return at

    # --- requests -------------------------------------------------------------------------------------------------

    def _on_headers(self, flags: int, stream_id: int, payload: bytes) -> None:
        """Section 6.2."""
        if not stream_id & 1:
            raise ConnectionProtocolError(ErrorCode.PROTOCOL_ERROR, "HEADERS on a stream that clients do not open")
        if flags & PADDED:
            payload = _unpadded(payload)
        if flags & PRIORITIZED:
            if len(payload) < 5:
                raise ConnectionProtocolError(ErrorCode.FRAME_SIZE_ERROR, "HEADERS too short for its priority")
            payload = payload[5:]
        if flags & END_HEADERS:
            self._header_block(flags, stream_id, payload)
            return
        self._exclusive = frames.CONTINUATION
        self._block, self._block_stream, self._block_flags, self._fragments = payload, stream_id, flags, 0

    def _on_continuation(self, flags: int, stream_id: int, payload: bytes) -> None:
        """Section 6.10."""
        if self._block is None or stream_id != self._block_stream:
            raise ConnectionProtocolError(ErrorCode.PROTOCOL_ERROR, "CONTINUATION without its HEADERS")
        self._block += payload
        self._fragments += 1
        if len(self._block) > 2 * self._options.max_header_list_bytes or self._fragments > MAX_FRAGMENTS:
            raise ConnectionProtocolError(ErrorCode.ENHANCE_YOUR_CALM, "a header block that is too large")
        if flags & END_HEADERS:
            block, self._block, self._exclusive = self._block, None, None
            self._header_block(self._block_flags, stream_id, block)

    def _header_block(self, flags: int, stream_id: int, block: bytes) -> None:
        """A request, or a request's trailers."""
        if stream_id <= self._ids.last:
            self._late_headers(flags, stream_id, block)
            return
        self._ids.open(stream_id)
        head, volatile = self._heads.read(block)
        options = self._options
        if len(self.streams) >= options.max_concurrent_streams or self._final or self.outbox.queued > options.max_queued_bytes:
            raise StreamProtocolError(ErrorCode.REFUSED_STREAM, "too much to do for another stream")
        stream = Stream(stream_id, options.stream_window_bytes, self.outbox.initial_window, head.content_length)
        self.streams[stream_id] = stream
        self._load.calls += 1
        if not flags & END_STREAM:
            self._accept(stream, head, volatile)
            return
        if stream.expected > 0:
            raise StreamProtocolError(ErrorCode.PROTOCOL_ERROR, "less data than content-length says")
        stream.remote_closed = True
        self._accept(stream, head, volatile)
        if stream.receiver is not None:
            stream.receiver.data_received(b"", True)

    def _late_headers(self, flags: int, stream_id: int, block: bytes) -> None:
        """Trailers, or headers on a stream that is closed: decoded in any case, to keep the compression tables equal."""
        stream = self.streams.get(stream_id)
        try:
            self._heads.trailers(block)
        except StreamProtocolError:
            if stream is not None and not stream.remote_closed:
                raise
        if stream is None:
            self._ids.check_late(stream_id)
            return
        if stream.remote_closed:
            raise StreamProtocolError(ErrorCode.STREAM_CLOSED, "HEADERS after the end of the stream")
        if not flags & END_STREAM:
            raise StreamProtocolError(ErrorCode.PROTOCOL_ERROR, "trailers that do not end the stream")
        self._content(stream, b"", end_stream=True)

    def _on_data(self, flags: int, stream_id: int, payload: bytes) -> None:
        """Section 6.1. Padding counts for flow control."""
        size = len(payload)
        self._widen(self._window.take(size))
        stream = self.streams.get(stream_id)
        if stream is None:
            self._ids.check_late(stream_id)
            return
        if stream.remote_closed:
            raise StreamProtocolError(ErrorCode.STREAM_CLOSED, "DATA after the end of the stream")
        stream.receive_window -= size
        if stream.receive_window < 0:
            raise StreamProtocolError(ErrorCode.FLOW_CONTROL_ERROR, "more DATA than the stream's window allows")
        if flags & PADDED:
            payload = _unpadded(payload)
            self.consumed(stream, size - len(payload))
        if not flags & END_STREAM and not payload and not self._empties.take(self._now()):
            raise ConnectionProtocolError(ErrorCode.ENHANCE_YOUR_CALM, "too many frames without content")
        self._content(stream, payload, end_stream=bool(flags & END_STREAM))

    def _content(self, stream: Stream, payload: bytes, *, end_stream: bool) -> None:
        """Content of a request, checked against its content-length (section 8.1.1)."""
        if stream.expected >= 0:
            stream.expected -= len(payload)
            if stream.expected < 0 or (end_stream and stream.expected):
                raise StreamProtocolError(ErrorCode.PROTOCOL_ERROR, "content-length and data differ")
        stream.remote_closed = end_stream
        if stream.receiver is not None:
            stream.receiver.data_received(payload, end_stream)

    # --- the other frames -----------------------------------------------------------------------------------------

    def _on_priority(self, _flags: int, stream_id: int, payload: bytes) -> None:
        """Section 6.3: deprecated, checked and ignored."""
        if not stream_id:
            raise ConnectionProtocolError(ErrorCode.PROTOCOL_ERROR, "PRIORITY on stream 0")
        if len(payload) != 5:
            raise ConnectionProtocolError(ErrorCode.FRAME_SIZE_ERROR, "PRIORITY has five bytes")

    def _on_rst_stream(self, _flags: int, stream_id: int, payload: bytes) -> None:
        """Section 6.4."""
        if len(payload) != 4:
            raise ConnectionProtocolError(ErrorCode.FRAME_SIZE_ERROR, "RST_STREAM has four bytes")
        stream = self.streams.get(stream_id)
        if stream is None:
            self._ids.check_used(stream_id)
        answered = stream is not None and stream.headers_sent
        if not answered and not self._resets.take(self._now()):
            raise ConnectionProtocolError(ErrorCode.ENHANCE_YOUR_CALM, "too many streams reset")
        if stream is not None:
            self._over(stream, int.from_bytes(payload, "big"))

    def _on_settings(self, flags: int, stream_id: int, payload: bytes) -> None:
        """Section 6.5."""
        if stream_id:
            raise ConnectionProtocolError(ErrorCode.PROTOCOL_ERROR, "SETTINGS on a stream")
        if flags & ACK:
            if payload:
                raise ConnectionProtocolError(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS acknowledged with content")
            if not self.ready:
                raise ConnectionProtocolError(ErrorCode.PROTOCOL_ERROR, "the first SETTINGS is an acknowledgement")
            return
        if len(payload) % 6:
            raise ConnectionProtocolError(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS has six bytes per setting")
        if not self._settings.take(self._now()):
            raise ConnectionProtocolError(ErrorCode.ENHANCE_YOUR_CALM, "too many SETTINGS")
        for setting, value in frames.parse_settings(payload):
            self._apply_setting(setting, value)
        self._exclusive = None
        self.ready = True
        self.outbox.reply(frames.SETTINGS_ACK)

    def _apply_setting(self, setting: int, value: int) -> None:
        """Section 6.5.2. Unknown settings are ignored."""
        outbox = self.outbox
        if setting == Setting.INITIAL_WINDOW_SIZE:
            if value > MAX_WINDOW:
                raise ConnectionProtocolError(ErrorCode.FLOW_CONTROL_ERROR, "SETTINGS_INITIAL_WINDOW_SIZE is too large")
            self._resize_windows(value - outbox.initial_window)
            outbox.initial_window = value
            outbox.pump()
        elif setting == Setting.MAX_FRAME_SIZE:
            if not DEFAULT_MAX_FRAME <= value <= frames.LARGEST_MAX_FRAME:
                raise ConnectionProtocolError(ErrorCode.PROTOCOL_ERROR, "SETTINGS_MAX_FRAME_SIZE is out of range")
            outbox.max_frame = value
        elif setting == Setting.HEADER_TABLE_SIZE:
            if value < DEFAULT_TABLE_SIZE:
                outbox.forget_peer_table()
        elif setting == Setting.ENABLE_PUSH and value > 1:
            raise ConnectionProtocolError(ErrorCode.PROTOCOL_ERROR, "SETTINGS_ENABLE_PUSH is neither 0 nor 1")

    def _resize_windows(self, change: int) -> None:
        """Section 6.9.2: the initial window holds for streams that are open already."""
        for stream in self.streams.values():
            stream.send_window += change
            if stream.send_window > MAX_WINDOW:
                raise ConnectionProtocolError(ErrorCode.FLOW_CONTROL_ERROR, "SETTINGS_INITIAL_WINDOW_SIZE overflows a window")

    def _on_push_promise(self, _flags: int, _stream_id: int, _payload: bytes) -> None:
        """Section 6.6."""
        raise ConnectionProtocolError(ErrorCode.PROTOCOL_ERROR, "clients do not push")

    def _on_ping(self, flags: int, stream_id: int, payload: bytes) -> None:
        """Section 6.7."""
        if stream_id:
            raise ConnectionProtocolError(ErrorCode.PROTOCOL_ERROR, "PING on a stream")
        if len(payload) != 8:
            raise ConnectionProtocolError(ErrorCode.FRAME_SIZE_ERROR, "PING has eight bytes")
        if flags & ACK:
            if payload == DRAIN_PING and self.draining and not self._final:
                self._final = True
                self.outbox.control(frames.goaway(self._ids.last, ErrorCode.NO_ERROR, b"graceful_stop"))
            return
        self.outbox.patient_reply(frames.ping(payload, ack=True))
        traffic, self.outbox.traffic = self.outbox.traffic, False
        if not self._pings.allow(traffic=traffic, calls=len(self.streams), now=self._now()):
            raise ConnectionProtocolError(ErrorCode.ENHANCE_YOUR_CALM, "too_many_pings")

    def _on_goaway(self, _flags: int, stream_id: int, payload: bytes) -> None:
        """Section 6.8: the client takes no streams from us, and there never were any. It closes when it is done."""
        if stream_id:
            raise ConnectionProtocolError(ErrorCode.PROTOCOL_ERROR, "GOAWAY on a stream")
        if len(payload) < 8:
            raise ConnectionProtocolError(ErrorCode.FRAME_SIZE_ERROR, "GOAWAY has at least eight bytes")

    def _on_window_update(self, _flags: int, stream_id: int, payload: bytes) -> None:
        """Section 6.9."""
        if len(payload) != 4:
            raise ConnectionProtocolError(ErrorCode.FRAME_SIZE_ERROR, "WINDOW_UPDATE has four bytes")
        increment = int.from_bytes(payload, "big") & MAX_WINDOW
        if not stream_id:
            if not increment:
                raise ConnectionProtocolError(ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE by nothing")
            self.outbox.grow(increment)
            return
        stream = self.streams.get(stream_id)
        if stream is None:
            self._ids.check_used(stream_id)
            return
        if not increment:
            raise StreamProtocolError(ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE by nothing")
        self.outbox.grow_stream(stream, increment)

    # --- streams that end -----------------------------------------------------------------------------------------

    def _finished(self, stream: Stream) -> None:
        """We have sent the end of the stream; a client that still sends is told to stop (section 8.1)."""
        stream.receiver = None
        del self.streams[stream.id]
        self._load.calls -= 1
        if not stream.remote_closed:
            self._end_early(stream.id, ErrorCode.NO_ERROR)

    def _over(self, stream: Stream, code: ErrorCode | int) -> None:
        """A stream that ends without being answered."""
        receiver, stream.receiver = stream.receiver, None
        self._forget(stream)
        if receiver is not None:
            receiver.stream_reset(code)

    def _forget(self, stream: Stream) -> None:
        self.outbox.drop(stream)
        del self.streams[stream.id]
        self._load.calls -= 1

    def _violated(self, stream_id: int, code: ErrorCode) -> None:
        """A stream error (section 5.4.2)."""
        stream = self.streams.get(stream_id)
        if stream is not None:
            self._over(stream, code)
        if self._ids.end_early(stream_id):
            self.outbox.reply(frames.rst_stream(stream_id, code))

    def _end_early(self, stream_id: int, code: ErrorCode) -> None:
        """RST_STREAM of our own will."""
        if self._ids.end_early(stream_id):
            self.outbox.control(frames.rst_stream(stream_id, code))


def _unpadded(payload: bytes) -> bytes:
    """Sections 6.1 and 6.2."""
    if not payload:
        raise ConnectionProtocolError(ErrorCode.FRAME_SIZE_ERROR, "a padded frame without its pad length")
    padding = payload[0]
    if padding >= len(payload):
        raise ConnectionProtocolError(ErrorCode.PROTOCOL_ERROR, "more padding than frame")
    return payload[1 : len(payload) - padding]
