"""gRPC messages inside DATA: one byte for compression, four for the length, then the message (gRPC over HTTP/2)."""

import zlib
from typing import Final

from raftkv.errors import MalformedRequestError, MessageTooLargeError

PREFIX_SIZE: Final = 5
_GZIP: Final = 31
"""zlib's window bits for gzip framing."""
IDENTITY: Final = "identity"
GZIP: Final = "gzip"
ENCODINGS: Final = (IDENTITY, GZIP)


def frame_prefix(size: int) -> bytes:
    """What comes before an uncompressed message of so many bytes."""
    return b"\0" + size.to_bytes(4, "big")


def framed(message: bytes) -> bytes:
    """A message with its prefix, uncompressed."""
    return b"\0" + len(message).to_bytes(4, "big") + message


class MessageReader:
    """Cuts one stream's DATA into messages, whatever the frames' borders.

    Invariant: `buffered` bytes wait for the rest of their message, never more than one message's limit and a frame.
    """

    __slots__ = ("_buffer", "_encoding", "_max_bytes")

    def __init__(self, max_bytes: int, encoding: str = IDENTITY) -> None:
        self._buffer = bytearray()
        self._max_bytes = max_bytes
        self._encoding = encoding

    @property
    def buffered(self) -> int:
        """Bytes that wait for the rest of their message."""
        return len(self._buffer)

    def feed(self, payload: bytes) -> list[bytes]:
        """The messages that are complete now. Raises MessageTooLargeError, MalformedRequestError."""
        buffer = self._buffer
        buffer += payload
        messages = []
        at = 0
        while len(buffer) - at >= PREFIX_SIZE:
            size = int.from_bytes(buffer[at + 1 : at + PREFIX_SIZE], "big")
            if size > self._max_bytes:
                raise too_large(size, self._max_bytes)
            end = at + PREFIX_SIZE + size
            if end > len(buffer):
                break
            messages.append(self._message(buffer[at], bytes(buffer[at + PREFIX_SIZE : end])))
            at = end
        del buffer[:at]
        return messages

    def finish(self) -> None:
        """No more DATA comes. Raises MalformedRequestError where a message is left half."""
        if self._buffer:
            raise MalformedRequestError("raftkv: the stream ended inside a message")

    def _message(self, flag: int, data: bytes) -> bytes:
        if not flag:
            return data
        if flag != 1:
            raise MalformedRequestError(f"raftkv: unexpected message flag {flag}")
        if self._encoding != GZIP:
            raise MalformedRequestError("grpc: compressed flag set with identity or empty encoding")
        return decompress(data, self._max_bytes)


def too_large(size: int, limit: int) -> MessageTooLargeError:
    """As grpc-go words it."""
    return MessageTooLargeError(f"grpc: received message larger than max ({size} vs. {limit})")


def decompress(data: bytes, max_bytes: int) -> bytes:
    """Gunzip that stops at the limit, whatever the input promises. Raises MessageTooLargeError, MalformedRequestError."""
    parts, size = [], 0
    while data:
        inflater = zlib.decompressobj(_GZIP)
        try:
            part = inflater.decompress(data, max_bytes - size + 1)
        except zlib.error:
            raise MalformedRequestError("grpc: failed to decompress the received message") from None
        size += len(part)
        if size > max_bytes:
            raise MessageTooLargeError(f"grpc: received message after decompression larger than max ({size} vs. {max_bytes})")
        if not inflater.eof:
            raise MalformedRequestError("grpc: failed to decompress the received message")
        parts.append(part)
        data = inflater.unused_data
    return b"".join(parts)
