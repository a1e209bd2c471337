"""Both sides of a wire without sockets: a server connection, and what a client would see of it."""

from dataclasses import dataclass, field

from raftkv.clock import ManualClock
from raftkv.http2 import frames, hpack
from raftkv.http2.connection import ServerConnection
from raftkv.http2.frames import ErrorCode
from raftkv.http2.head import RequestHead
from raftkv.http2.hpack import Field
from raftkv.http2.options import Options
from raftkv.http2.stream import Stream

REQUEST = (
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/pkg.Service/Method"),
    (":authority", "localhost"),
    ("content-type", "application/grpc"),
    ("te", "trailers"),
)


def block(*more: Field, base: tuple[Field, ...] = REQUEST) -> bytes:
    return hpack.encode((*base, *more))


def headers(stream_id: int, payload: bytes | None = None, flags: int = frames.END_HEADERS) -> bytes:
    return frames.frame(frames.HEADERS, flags, stream_id, block() if payload is None else payload)


def request(stream_id: int) -> bytes:
    return headers(stream_id, flags=frames.END_HEADERS | frames.END_STREAM)


def data(stream_id: int, payload: bytes = b"", flags: int = 0) -> bytes:
    return frames.frame(frames.DATA, flags, stream_id, payload)


@dataclass(frozen=True, slots=True)
class Frame:
    kind: int
    flags: int
    stream_id: int
    payload: bytes

    @property
    def code(self) -> int:
        """Of RST_STREAM and GOAWAY."""
        return int.from_bytes(self.payload[-4:] if self.kind == frames.RST_STREAM else self.payload[4:8], "big")


def parse(sent: bytes) -> list[Frame]:
    found, at = [], 0
    while at < len(sent):
        length, flags, stream_id = frames.HEADER.unpack_from(sent, at)
        start, at = at + 9, at + 9 + (length >> 8)
        assert at <= len(sent), "a frame that is cut off"
        found.append(Frame(length & 0xFF, flags, stream_id, sent[start:at]))
    return found


@dataclass
class Recorder:
    """A receiver that remembers what it was told."""

    stream: Stream
    head: RequestHead
    volatile: tuple[Field, ...]
    content: bytearray = field(default_factory=bytearray)
    ended: bool = False
    reset_code: int | None = None
    drained_count: int = 0
    deadline: float | None = None

    def data_received(self, payload: bytes, end_stream: bool) -> None:  # noqa: FBT001 - the interface's shape
        assert not self.ended
        assert self.reset_code is None
        self.content += payload
        self.ended = end_stream

    def stream_reset(self, code: ErrorCode | int) -> None:
        assert self.reset_code is None
        self.reset_code = code

    def drained(self) -> None:
        self.drained_count += 1

    def expire(self) -> None:
        raise AssertionError("the core knows no time")

    def stop(self) -> None:
        raise AssertionError("the core does not stop servers")


class Wire:
    """A server connection, driven by bytes."""

    def __init__(self, options: Options | None = None, *, greet: bool = True) -> None:
        self.clock = ManualClock(100.0)
        self.calls: dict[int, Recorder] = {}
        self.connection = ServerConnection(options or Options(), self._accept, self.clock.now)
        self.connection.start()
        if greet:
            self.greeting = self.send(frames.PREFACE + frames.settings(()))

    def _accept(self, stream: Stream, head: RequestHead, volatile: tuple[Field, ...]) -> None:
        recorder = Recorder(stream, head, volatile)
        stream.receiver = recorder
        self.calls[stream.id] = recorder

    def send(self, *parts: bytes) -> list[Frame]:
        """Bytes from the client; the frames that answer them."""
        self.connection.receive_data(b"".join(parts))
        return self.receive()

    def receive(self) -> list[Frame]:
        return parse(self.connection.outbox.take())

    def stream(self, stream_id: int) -> Stream:
        return self.connection.streams[stream_id]
