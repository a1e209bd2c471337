"""The two framings of a call: gRPC's messages inside HTTP/2 data, and the one HTTP/2 frame that h2 must not see.

gRPC over HTTP/2 (grpc/doc/PROTOCOL-HTTP2.md): each message is a flag byte (1: compressed), its length in 4 bytes, big-endian,
and its bytes. HTTP/2 (RFC 9113, 4.1): each frame is its length in 3 bytes, a type, a flag byte, the stream in 4 bytes, and
its payload.
"""

from typing import NamedTuple

PREFIX_BYTES = 5
FRAME_HEADER_BYTES = 9
GOAWAY = 0x7
MAX_GOAWAY_BYTES = 16_384  # the largest frame that we allow; h2 complains about longer ones
NO_STREAM = 0x7FFF_FFFF


class MessageError(Exception):
    """What came is no message that this side takes."""


def frame_message(body: bytes) -> bytes:
    """A message as it goes into the data of a stream."""
    return b"\x00" + len(body).to_bytes(4) + body


class MessageReader:
    """Cuts the data of a stream into messages, none of which is longer than `max_bytes`."""

    __slots__ = ("_buffer", "_max_bytes")

    def __init__(self, max_bytes: int) -> None:
        self._buffer = bytearray()
        self._max_bytes = max_bytes

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are complete with `data`. Raises MessageError."""
        buffer = self._buffer
        buffer += data
        messages = []
        start = 0
        while len(buffer) - start >= PREFIX_BYTES:
            length = self._length(start)
            end = start + PREFIX_BYTES + length
            if end > len(buffer):
                break
            messages.append(bytes(buffer[start + PREFIX_BYTES : end]))
            start = end
        del buffer[:start]
        return messages

    @property
    def empty(self) -> bool:
        """Whether no part of a message is held back."""
        return not self._buffer

    def _length(self, start: int) -> int:
        if self._buffer[start]:
            raise MessageError("the server sent a compressed message, which was not offered")
        length = int.from_bytes(self._buffer[start + 1 : start + PREFIX_BYTES])
        if length > self._max_bytes:
            raise MessageError(f"the answer of {length} bytes is longer than max_message_bytes={self._max_bytes}")
        return length


class GoAway(NamedTuple):
    """The server takes no more calls on this connection; those above `last_stream` it has not looked at (RFC 9113, 6.8)."""

    last_stream: int
    error_code: int
    debug: bytes


class GoAwayFilter:
    """Takes the GOAWAY frames out of what a server sends.

    h2 holds a connection for finished at the first GOAWAY and refuses everything after it, but a server that shuts down in
    good order still answers the calls it has taken.
    """

    __slots__ = ("_held", "_skip")

    def __init__(self) -> None:
        self._skip = 0  # bytes of the current frame that are still to come and pass
        self._held = b""  # the start of a frame whose type or, if it is a GOAWAY, whose end is not known yet

    def feed(self, data: bytes) -> tuple[bytes, list[GoAway]]:
        """What h2 may see of `data` and of what was held back, and the GOAWAY frames among it."""
        if self._held:
            data = self._held + data
            self._held = b""
        position, kept_from = self._skip, 0
        passed: list[bytes] = []
        found: list[GoAway] = []
        while position + FRAME_HEADER_BYTES <= len(data):
            end = position + FRAME_HEADER_BYTES + int.from_bytes(data[position : position + 3])
            if data[position + 3] == GOAWAY and end - position <= MAX_GOAWAY_BYTES:
                if end > len(data):
                    break
                passed.append(data[kept_from:position])
                found.append(_read_goaway(data[position + FRAME_HEADER_BYTES : end]))
                kept_from = end
            position = end
        self._skip = max(0, position - len(data))
        if position < len(data):
            self._held = data[position:]
        if not found and not self._held:
            return data, found
        passed.append(data[kept_from:position])
        return b"".join(passed), found


def _read_goaway(payload: bytes) -> GoAway:
    return GoAway(int.from_bytes(payload[:4]) & NO_STREAM, int.from_bytes(payload[4:8]), payload[8:])
