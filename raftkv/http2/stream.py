"""One stream, as seen by the server (RFC 9113, section 5.1).

    idle --HEADERS--> open --END_STREAM from the client--> half-closed (remote) --END_STREAM from us--> closed
                       |                                        |
                       +--- RST_STREAM from either side, or END_STREAM from us (then RST_STREAM NO_ERROR) ---> closed

Only open and half-closed (remote) streams have an object; it is in the connection's table exactly as long.
"""

from collections import deque
from typing import Protocol

from raftkv.http2.frames import ErrorCode


class Receiver(Protocol):
    """What the connection tells the owner of a stream. Called in the middle of a read: be quick, and do not raise."""

    deadline: float | None
    """When to call `expire`, on the event loop's clock."""

    def data_received(self, payload: bytes, end_stream: bool) -> None:  # noqa: FBT001 - one call per frame; a keyword costs
        """A DATA frame's content; after `end_stream` nothing follows."""
        ...

    def stream_reset(self, code: ErrorCode | int) -> None:
        """The stream is over, by the client, by a violation or with its connection. The last call."""
        ...

    def drained(self) -> None:
        """What was queued for sending has gone."""
        ...

    def expire(self) -> None:
        """The deadline has passed."""
        ...

    def stop(self) -> None:
        """The server is going down."""
        ...


class Stream:
    """The state of one open stream.

    Invariant: queued is the sum of the lengths in queue; a queue or trailers in waiting mean that the outbox holds the stream.
    """

    __slots__ = (
        "expected",
        "headers_sent",
        "id",
        "queue",
        "queued",
        "receive_window",
        "receiver",
        "remote_closed",
        "send_window",
        "trailers",
        "uncredited",
    )

    def __init__(self, stream_id: int, receive_window: int, send_window: int, expected: int) -> None:
        self.id = stream_id
        self.receiver: Receiver | None = None
        self.receive_window = receive_window
        """What the client may still send."""
        self.uncredited = 0
        """What was taken and not yet given back with WINDOW_UPDATE."""
        self.send_window = send_window
        """What we may still send; negative after the client made its windows smaller (section 6.9.2)."""
        self.expected = expected
        """What is missing of the announced content-length; -1: not announced."""
        self.remote_closed = False
        self.headers_sent = False
        self.queue: deque[memoryview] | None = None
        self.queued = 0
        self.trailers: bytes | None = None
        """The header block that follows the queue and ends the stream."""
