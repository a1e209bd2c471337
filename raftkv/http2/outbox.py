"""What goes to the client: frames ready to be written, and data that waits for a window (RFC 9113, section 5.2 and 6.9).

An answer that fits is three frames joined at once. Else its data is queued on the stream and leaves in pieces, one frame per
stream and round, as windows, the transport and the budget of one write allow.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from raftkv.http2 import hpack
from raftkv.http2.frames import (
    DATA,
    DEFAULT_MAX_FRAME,
    DEFAULT_WINDOW,
    END_HEADERS,
    END_STREAM,
    HEADER,
    HEADERS,
    MAX_WINDOW,
    ErrorCode,
    header_frames,
)
from raftkv.http2.load import Load
from raftkv.http2.stream import Stream
from raftkv.http2.violation import ConnectionProtocolError, StreamProtocolError

WRITE_BUDGET: Final = 256 * 1024
"""How much data from queues goes into one write: what a client does not collect stays in the queues, where it is counted."""
MANY_BYTES: Final = 64 * 1024
"""From here on a copy, into memory that the kernel has to find first, costs more than a write of several pieces."""
MAX_UNSENT_REPLIES: Final = 1000
"""Answers to PING, SETTINGS and bad streams that wait for the client to read: more of them are a flood."""


class Outbox:
    """Frames and queues of one connection.

    Invariants: `queued` is the sum over the streams; a stream is in `_waiting` exactly while it has a queue.
    """

    __slots__ = (
        "_finished",
        "_load",
        "_parts",
        "_patient",
        "_prefix",
        "_replies",
        "_size",
        "_waiting",
        "congested",
        "initial_window",
        "max_frame",
        "queued",
        "traffic",
        "window",
    )

    def __init__(self, finished: Callable[[Stream], None], load: Load) -> None:
        self._finished = finished
        self._load = load
        self._parts: list[bytes | memoryview] = []
        self._size = 0
        self._replies = 0
        self._patient = 0
        self._prefix = b""
        self._waiting: dict[int, Stream] = {}
        self.window = DEFAULT_WINDOW
        self.initial_window = DEFAULT_WINDOW
        self.max_frame = DEFAULT_MAX_FRAME
        self.congested = False
        """The transport has more than it can send: data stays in the queues."""
        self.queued = 0
        self.traffic = True
        """Headers or data were sent since somebody looked: what gRPC's keepalive enforcement wants to know."""

    def __bool__(self) -> bool:
        """Whether there is something to write."""
        return bool(self._parts)

    @property
    def urgent(self) -> bool:
        """Whether somebody waits for what there is to write."""
        return len(self._parts) > self._patient

    @property
    def large(self) -> bool:
        """Whether there is so much to write that it is better left in pieces than copied once more."""
        return self._size >= MANY_BYTES

    def take(self) -> bytes:
        """Everything that is ready, for one write."""
        return b"".join(self.take_pieces())

    def take_pieces(self) -> list[bytes | memoryview]:
        """As `take`, not joined."""
        pieces, self._parts = self._parts, []
        self._size = self._patient = 0
        if not self.congested:
            self._replies = 0
        return pieces

    def control(self, frame: bytes) -> None:
        """A frame of the server's own making."""
        self._parts.append(frame)

    def reply(self, frame: bytes) -> None:
        """A frame that the client provoked. Raises where it provokes without reading."""
        self._replies += 1
        if self._replies > MAX_UNSENT_REPLIES:
            raise ConnectionProtocolError(ErrorCode.ENHANCE_YOUR_CALM, "too many frames that demand an answer")
        self._parts.append(frame)

    def patient_reply(self, frame: bytes) -> None:
        """A reply that may wait a little for a write that somebody waits for."""
        self.reply(frame)
        self._patient += 1

    def answer(self, stream: Stream, headers: bytes, data: bytes, trailers: bytes) -> None:
        """A whole answer; each header block fits into a frame."""
        size = len(data)
        if size > stream.send_window or size > self.window or size > self.max_frame or self.congested or self._prefix:
            self.headers(stream, headers)
            self.data(stream, data)
            self.trailers(stream, trailers)
            return
        self.traffic = True
        self.window -= size
        self._size += size
        pack, stream_id = HEADER.pack, stream.id
        self._parts.append(
            b"".join(
                (
                    pack(len(headers) << 8 | HEADERS, END_HEADERS, stream_id),
                    headers,
                    pack(size << 8 | DATA, 0, stream_id),
                    data,
                    pack(len(trailers) << 8 | HEADERS, END_HEADERS | END_STREAM, stream_id),
                    trailers,
                )
            )
        )
        self._finished(stream)

    def headers(self, stream: Stream, block: bytes, *, end_stream: bool = False) -> None:
        """A header block that overtakes nothing: the first of a stream, or one without data."""
        assert stream.queue is None
        stream.headers_sent = self.traffic = True
        self._parts.append(
            header_frames(stream.id, self._prefix + block, end_stream=end_stream, max_frame=self.max_frame),
        )
        self._prefix = b""
        if end_stream:
            self._finished(stream)

    def data(self, stream: Stream, data: bytes) -> None:
        """Data after what the stream has queued."""
        size = len(data)
        if stream.queue is None and size <= self._room(stream) and size <= self.max_frame:
            self.traffic = True
            stream.send_window -= size
            self.window -= size
            self._size += size
            self._parts.append(HEADER.pack(size << 8 | DATA, 0, stream.id))
            self._parts.append(data)
            return
        if stream.queue is None:
            stream.queue = deque()
            self._waiting[stream.id] = stream
        stream.queue.append(memoryview(data))
        stream.queued += size
        self.queued += size
        self._load.queued += size
        self.pump()

    def trailers(self, stream: Stream, block: bytes) -> None:
        """The end of the stream, after what it has queued."""
        if stream.queue is None:
            self.headers(stream, block, end_stream=True)
        else:
            stream.trailers = block

    def drop(self, stream: Stream) -> None:
        """Forgets what the stream has queued."""
        if stream.queue is not None:
            del self._waiting[stream.id]
            self.queued -= stream.queued
            self._load.queued -= stream.queued
            stream.queue = None
            stream.queued = 0

    def pump(self) -> None:
        """Sends from the queues what may be sent: a frame of each stream in turn."""
        progress = True
        while progress and self._waiting:
            progress = False
            for stream in list(self._waiting.values()):
                progress |= self._send_one(stream)

    def _room(self, stream: Stream) -> int:
        """How much data may leave now; a queue may always move on once when the write is empty."""
        if self.congested or self._size >= WRITE_BUDGET:
            return -1
        return min(stream.send_window, self.window)

    def _send_one(self, stream: Stream) -> bool:
        """One frame from a stream's queue. Whether there was one."""
        queue = stream.queue
        assert queue is not None
        piece = queue[0]
        room = self._room(stream)
        size = min(len(piece), room, self.max_frame)
        if size < 0 or (size == 0 and len(piece)):
            return False
        if size == len(piece):
            queue.popleft()
        else:
            queue[0] = piece[size:]
        self.traffic = True
        stream.send_window -= size
        stream.queued -= size
        self.window -= size
        self.queued -= size
        self._load.queued -= size
        self._size += size
        self._parts.append(HEADER.pack(size << 8 | DATA, 0, stream.id))
        self._parts.append(piece[:size])
        if not queue:
            self._emptied(stream)
        return True

    def _emptied(self, stream: Stream) -> None:
        stream.queue = None
        del self._waiting[stream.id]
        if stream.trailers is not None:
            self.headers(stream, stream.trailers, end_stream=True)
        elif stream.receiver is not None:
            stream.receiver.drained()

    def grow(self, increment: int) -> None:
        """WINDOW_UPDATE for the connection."""
        self.window += increment
        if self.window > MAX_WINDOW:
            raise ConnectionProtocolError(ErrorCode.FLOW_CONTROL_ERROR, "the connection's window is too large")
        if self._waiting:
            self.pump()

    def grow_stream(self, stream: Stream, increment: int) -> None:
        """WINDOW_UPDATE for a stream."""
        stream.send_window += increment
        if stream.send_window > MAX_WINDOW:
            raise StreamProtocolError(ErrorCode.FLOW_CONTROL_ERROR, "the stream's window is too large")
        if stream.queue is not None:
            self.pump()

    def forget_peer_table(self) -> None:
        """The client made its compression table smaller, and must be told that it is not used at all (RFC 7541, 4.2)."""
        self._prefix = hpack.SIZE_UPDATE_TO_ZERO
