"""Every rule of RFC 9113 that a client can break, and what the server must answer. One row per rule, named by its section."""

import struct

import pytest

from raftkv.http2 import frames
from raftkv.http2.frames import ErrorCode, Setting
from raftkv.http2.hpack import Field
from tests.http2.wire import REQUEST, Wire, block, data, headers, request

END_BOTH = frames.END_HEADERS | frames.END_STREAM
OPEN = headers(1)


def uint32(value: int) -> bytes:
    return struct.pack(">I", value)


def setting(name: int, value: int) -> bytes:
    return frames.settings([(name, value)])


def replaced(name: str, value: str | None) -> bytes:
    """The usual request with one pseudo-header changed, or left out."""
    fields = [(key, value if key == name else old) for key, old in REQUEST]
    return block(base=tuple((key, text) for key, text in fields if text is not None))


def ending(payload: bytes) -> bytes:
    return headers(1, payload, END_BOTH)


CONNECTION_ERRORS: list[tuple[str, bytes, ErrorCode]] = [
    ("4.2 a frame above SETTINGS_MAX_FRAME_SIZE", b"\x00\x40\x01\x00\x00\x00\x00\x00\x01", ErrorCode.FRAME_SIZE_ERROR),
    ("4.3 a block that does not decode", headers(1, b"\x80"), ErrorCode.COMPRESSION_ERROR),
    ("4.3 another frame inside a header block", headers(1, flags=0) + frames.ping(b"12345678"), ErrorCode.PROTOCOL_ERROR),
    (
        "4.3 another stream's CONTINUATION inside a header block",
        headers(1, flags=0) + frames.frame(frames.CONTINUATION, frames.END_HEADERS, 3),
        ErrorCode.PROTOCOL_ERROR,
    ),
    ("4.3 an unknown frame inside a header block", headers(1, flags=0) + frames.frame(0xBE, 0, 0), ErrorCode.PROTOCOL_ERROR),
    ("5.1 DATA on an idle stream", data(1, b"x"), ErrorCode.PROTOCOL_ERROR),
    ("5.1 RST_STREAM on an idle stream", frames.rst_stream(1, 0), ErrorCode.PROTOCOL_ERROR),
    ("5.1 WINDOW_UPDATE on an idle stream", frames.window_update(1, 1), ErrorCode.PROTOCOL_ERROR),
    ("5.1.1 a stream with an even number", headers(2), ErrorCode.PROTOCOL_ERROR),
    ("5.1.1 a stream below one that was opened", request(5) + request(3), ErrorCode.PROTOCOL_ERROR),
    ("5.1.1 DATA on a stream that was left out", headers(5) + data(3, b"x"), ErrorCode.PROTOCOL_ERROR),
    ("6.1 DATA on stream 0", data(0, b"x"), ErrorCode.PROTOCOL_ERROR),
    ("6.1 DATA on an even stream", OPEN + data(2, b"x"), ErrorCode.PROTOCOL_ERROR),
    ("6.1 DATA with more padding than payload", OPEN + data(1, b"\x04abc", frames.PADDED), ErrorCode.PROTOCOL_ERROR),
    ("6.1 DATA without its pad length", OPEN + data(1, b"", frames.PADDED), ErrorCode.FRAME_SIZE_ERROR),
    ("6.2 HEADERS on stream 0", headers(0), ErrorCode.PROTOCOL_ERROR),
    ("6.2 HEADERS with more padding than payload", headers(1, b"\x05abc", 0x4 | frames.PADDED), ErrorCode.PROTOCOL_ERROR),
    ("6.2 HEADERS too short for its priority", headers(1, b"abc", 0x4 | frames.PRIORITIZED), ErrorCode.FRAME_SIZE_ERROR),
    ("6.3 PRIORITY on stream 0", frames.frame(frames.PRIORITY, 0, 0, bytes(5)), ErrorCode.PROTOCOL_ERROR),
    ("6.3 PRIORITY of four bytes", frames.frame(frames.PRIORITY, 0, 1, bytes(4)), ErrorCode.FRAME_SIZE_ERROR),
    ("6.4 RST_STREAM on stream 0", frames.rst_stream(0, 0), ErrorCode.PROTOCOL_ERROR),
    ("6.4 RST_STREAM of three bytes", OPEN + frames.frame(frames.RST_STREAM, 0, 1, bytes(3)), ErrorCode.FRAME_SIZE_ERROR),
    ("6.5 SETTINGS on a stream", frames.frame(frames.SETTINGS, 0, 1), ErrorCode.PROTOCOL_ERROR),
    (
        "6.5 SETTINGS acknowledged with content",
        frames.frame(frames.SETTINGS, frames.ACK, 0, bytes(6)),
        ErrorCode.FRAME_SIZE_ERROR,
    ),
    ("6.5 SETTINGS of five bytes", frames.frame(frames.SETTINGS, 0, 0, bytes(5)), ErrorCode.FRAME_SIZE_ERROR),
    ("6.5.2 SETTINGS_ENABLE_PUSH of 2", setting(Setting.ENABLE_PUSH, 2), ErrorCode.PROTOCOL_ERROR),
    ("6.5.2 SETTINGS_INITIAL_WINDOW_SIZE of 2^31", setting(Setting.INITIAL_WINDOW_SIZE, 1 << 31), ErrorCode.FLOW_CONTROL_ERROR),
    ("6.5.2 SETTINGS_MAX_FRAME_SIZE of 16383", setting(Setting.MAX_FRAME_SIZE, 16_383), ErrorCode.PROTOCOL_ERROR),
    ("6.5.2 SETTINGS_MAX_FRAME_SIZE of 2^24", setting(Setting.MAX_FRAME_SIZE, 1 << 24), ErrorCode.PROTOCOL_ERROR),
    ("6.6 PUSH_PROMISE", frames.frame(frames.PUSH_PROMISE, frames.END_HEADERS, 1, uint32(2)), ErrorCode.PROTOCOL_ERROR),
    ("6.7 PING on a stream", frames.frame(frames.PING, 0, 1, bytes(8)), ErrorCode.PROTOCOL_ERROR),
    ("6.7 PING of seven bytes", frames.ping(bytes(7)), ErrorCode.FRAME_SIZE_ERROR),
    ("6.8 GOAWAY on a stream", frames.frame(frames.GOAWAY, 0, 1, bytes(8)), ErrorCode.PROTOCOL_ERROR),
    ("6.8 GOAWAY of seven bytes", frames.frame(frames.GOAWAY, 0, 0, bytes(7)), ErrorCode.FRAME_SIZE_ERROR),
    ("6.9 WINDOW_UPDATE of the connection by nothing", frames.window_update(0, 0), ErrorCode.PROTOCOL_ERROR),
    ("6.9 WINDOW_UPDATE of three bytes", frames.frame(frames.WINDOW_UPDATE, 0, 0, bytes(3)), ErrorCode.FRAME_SIZE_ERROR),
    ("6.9.1 a connection window above 2^31-1", frames.window_update(0, 0x7FFFFFFF), ErrorCode.FLOW_CONTROL_ERROR),
    (
        "6.9.2 an initial window that overflows a stream's",
        OPEN + frames.window_update(1, 0x7FFFFFFF - 65_535) + setting(Setting.INITIAL_WINDOW_SIZE, 65_536),
        ErrorCode.FLOW_CONTROL_ERROR,
    ),
    ("6.10 CONTINUATION without HEADERS", frames.frame(frames.CONTINUATION, frames.END_HEADERS, 1), ErrorCode.PROTOCOL_ERROR),
    (
        "6.10 CONTINUATION after the end of the block",
        OPEN + frames.frame(frames.CONTINUATION, frames.END_HEADERS, 1),
        ErrorCode.PROTOCOL_ERROR,
    ),
    (
        "10.5 CONTINUATION without end",
        headers(1, b"", 0) + frames.frame(frames.CONTINUATION, 0, 1) * 33,
        ErrorCode.ENHANCE_YOUR_CALM,
    ),
    (
        "10.5 a block without end",
        headers(1, b"\x82" * 16_000, 0) + frames.frame(frames.CONTINUATION, 0, 1, b"\x82" * 16_000) * 2,
        ErrorCode.ENHANCE_YOUR_CALM,
    ),
    ("10.5 DATA without content", OPEN + data(1) * 1001, ErrorCode.ENHANCE_YOUR_CALM),
    ("10.5 a flood of SETTINGS", frames.settings([]) * 101, ErrorCode.ENHANCE_YOUR_CALM),
    ("10.5 a flood of PING", frames.ping(bytes(8)) * 5, ErrorCode.ENHANCE_YOUR_CALM),
]

MALFORMED = ErrorCode.PROTOCOL_ERROR
STREAM_ERRORS: list[tuple[str, bytes, ErrorCode]] = [
    ("5.1 DATA on a stream that the client has ended", request(1) + data(1, b"x"), ErrorCode.STREAM_CLOSED),
    ("5.1 HEADERS on a stream that the client has ended", request(1) + request(1), ErrorCode.STREAM_CLOSED),
    ("6.9 WINDOW_UPDATE of a stream by nothing", OPEN + frames.window_update(1, 0), ErrorCode.PROTOCOL_ERROR),
    ("6.9.1 a stream window above 2^31-1", OPEN + frames.window_update(1, 0x7FFFFFFF), ErrorCode.FLOW_CONTROL_ERROR),
    ("8.1 trailers that do not end the stream", OPEN + headers(1, block(base=(("a", "b"),))), MALFORMED),
    ("8.1 a pseudo-header in trailers", OPEN + headers(1, block(base=((":path", "/"),)), END_BOTH), MALFORMED),
    ("8.1.1 content-length above the data", headers(1, block(("content-length", "5"))) + data(1, b"abc", 1), MALFORMED),
    ("8.1.1 content-length below the data", headers(1, block(("content-length", "2"))) + data(1, b"abc"), MALFORMED),
    ("8.1.1 content-length without data", ending(block(("content-length", "2"))), MALFORMED),
    ("8.1.1 content-length that is no number", ending(block(("content-length", "x"))), MALFORMED),
    ("8.1.1 two lengths", ending(block(("content-length", "1"), ("content-length", "2"))), MALFORMED),
    ("8.2.1 an upper-case field name", ending(block(("X-Name", "a"))), MALFORMED),
    ("8.2.1 a space in a field name", ending(block(("x name", "a"))), MALFORMED),
    ("8.2.1 an empty field name", ending(block(("", "a"))), MALFORMED),
    ("8.2.1 a colon inside a field name", ending(block(("x:y", "a"))), MALFORMED),
    ("8.2.1 an octet above ASCII in a field name", ending(block(("x\xe9", "a"))), MALFORMED),
    ("8.2.1 a line break in a value", ending(block(("x", "a\r\nb"))), MALFORMED),
    ("8.2.1 a zero in a value", ending(block(("x", "a\0"))), MALFORMED),
    ("8.2.1 a value with space before it", ending(block(("x", " a"))), MALFORMED),
    ("8.2.1 a value with space behind it", ending(block(("x", "a\t"))), MALFORMED),
    ("8.2.1 a line break in a volatile value", ending(block(("grpc-timeout", "1\nS"))), MALFORMED),
    ("8.2.2 connection", ending(block(("connection", "keep-alive"))), MALFORMED),
    ("8.2.2 transfer-encoding", ending(block(("transfer-encoding", "chunked"))), MALFORMED),
    ("8.2.2 upgrade", ending(block(("upgrade", "h2c"))), MALFORMED),
    ("8.2.2 te other than trailers", ending(block(("te", "gzip"))), MALFORMED),
    ("8.3 a pseudo-header after a field", ending(block((":authority", "b"), base=(*REQUEST[:3], ("x", "y")))), MALFORMED),
    ("8.3 a pseudo-header after a volatile field", ending(block(*REQUEST, base=(("grpc-timeout", "1S"),))), MALFORMED),
    ("8.3 an unknown pseudo-header", ending(block(base=((":new", "a"), *REQUEST))), MALFORMED),
    ("8.3 a response's pseudo-header", ending(block(base=((":status", "200"), *REQUEST))), MALFORMED),
    ("8.3.1 no :method", ending(replaced(":method", None)), MALFORMED),
    ("8.3.1 no :scheme", ending(replaced(":scheme", None)), MALFORMED),
    ("8.3.1 no :path", ending(replaced(":path", None)), MALFORMED),
    ("8.3.1 an empty :path", ending(replaced(":path", "")), MALFORMED),
    ("8.3.1 a :path that does not begin with a slash", ending(replaced(":path", "x")), MALFORMED),
    ("8.3.1 a repeated :path", ending(block(base=(*REQUEST[:3], (":path", "/b")))), MALFORMED),
    ("8.3.1 host and :authority differ", ending(block(("host", "elsewhere"))), MALFORMED),
    ("8.5 CONNECT with a path", ending(replaced(":method", "CONNECT")), MALFORMED),
]


def named(rows: list[tuple[str, bytes, ErrorCode]]) -> list[object]:
    return [pytest.param(sent, code, id=name) for name, sent, code in rows]


@pytest.mark.parametrize(("sent", "code"), named(CONNECTION_ERRORS))
def test_the_connection_ends_with_goaway(sent: bytes, code: ErrorCode) -> None:
    wire = Wire()
    last = wire.send(sent)[-1]
    assert (last.kind, last.stream_id, last.code) == (frames.GOAWAY, 0, code)
    assert wire.connection.closed
    assert not wire.connection.streams
    assert wire.send(request(101)) == []


@pytest.mark.parametrize(("sent", "code"), named(STREAM_ERRORS))
def test_the_stream_ends_with_rst_stream_and_the_connection_goes_on(sent: bytes, code: ErrorCode) -> None:
    wire = Wire()
    resets = [frame for frame in wire.send(sent) if frame.kind == frames.RST_STREAM]
    assert [(frame.stream_id, frame.code) for frame in resets] == [(1, code)]
    assert 1 not in wire.connection.streams
    wire.send(request(3))
    assert wire.calls[3].ended
    assert not wire.connection.closed


@pytest.mark.parametrize(("sent", "code"), named(CONNECTION_ERRORS + STREAM_ERRORS))
def test_the_answer_does_not_depend_on_how_the_bytes_are_cut(sent: bytes, code: ErrorCode) -> None:
    whole, cut = Wire(), Wire()
    expected = whole.send(sent)
    seen = []
    for at in range(0, len(sent), max(1, len(sent) // 97)):
        seen += cut.send(sent[at : at + max(1, len(sent) // 97)])
    assert seen == expected


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r", b"\0"])
def test_3_4_a_wrong_preface_ends_the_connection(first: bytes) -> None:
    wire = Wire(greet=False)
    wire.receive()
    assert wire.send(first)[-1].code == ErrorCode.PROTOCOL_ERROR


@pytest.mark.parametrize("first", [request(1), frames.SETTINGS_ACK, frames.ping(bytes(8))])
def test_3_4_a_preface_that_does_not_go_on_with_settings_ends_the_connection(first: bytes) -> None:
    wire = Wire(greet=False)
    wire.receive()
    assert wire.send(frames.PREFACE + first)[-1].code == ErrorCode.PROTOCOL_ERROR


def test_5_1_frames_on_a_closed_stream_end_the_connection() -> None:
    for late in (data(1, b"x"), request(1)):
        wire = Wire()
        wire.send(request(1))
        wire.connection.outbox.headers(wire.stream(1), b"\x88", end_stream=True)
        assert wire.send(late)[-1].code == ErrorCode.STREAM_CLOSED


def test_5_1_frames_that_crossed_our_reset_are_ignored() -> None:
    wire = Wire()
    wire.send(headers(1))
    wire.connection.reset(wire.stream(1), ErrorCode.CANCEL)
    assert wire.receive()[-1].code == ErrorCode.CANCEL
    assert wire.send(data(1, b"late"), headers(1, block(base=(("a", "b"),)), END_BOTH), frames.window_update(1, 1)) == []
    assert not wire.connection.closed


@pytest.mark.parametrize(
    "harmless",
    [
        pytest.param(frames.frame(0xBE, 0xFF, 7, b"???"), id="4.1 an unknown frame"),
        pytest.param(frames.settings([(0xBEEF, 1)]), id="6.5.2 an unknown setting"),
        pytest.param(frames.frame(frames.PRIORITY, 0, 9, bytes(5)), id="6.3 PRIORITY on an idle stream"),
        pytest.param(frames.frame(frames.SETTINGS, frames.ACK, 0), id="6.5.3 an acknowledgement"),
        pytest.param(frames.frame(frames.PING, 0xFE, 0, bytes(8)), id="4.1 unknown flags"),
        pytest.param(frames.goaway(0, 0, b"bye"), id="6.8 GOAWAY"),
        pytest.param(headers(1, b"\x02" + block() + b"\0\0", 0x4 | frames.PADDED), id="6.2 padding"),
        pytest.param(headers(1, bytes(5) + block(), 0x4 | frames.PRIORITIZED), id="6.2 priority"),
        pytest.param(headers(0x8000_0001, block()), id="4.1 the reserved bit of a stream number"),
    ],
)
def test_what_is_legal_ends_nothing(harmless: bytes) -> None:
    wire = Wire()
    assert all(frame.kind not in {frames.GOAWAY, frames.RST_STREAM} for frame in wire.send(harmless))
    assert not wire.connection.closed


def test_8_3_the_fields_reach_the_call() -> None:
    wire = Wire()
    more: tuple[Field, ...] = (("x-name", "value"), ("grpc-timeout", "5S"))
    wire.send(headers(1, block(*more)))
    head = wire.calls[1].head
    assert (head.method, head.path, head.authority) == ("POST", "/pkg.Service/Method", "localhost")
    assert head.fields == (("content-type", "application/grpc"), ("te", "trailers"), ("x-name", "value"))
    assert wire.calls[1].volatile == (("grpc-timeout", "5S"),)
