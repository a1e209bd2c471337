"""Frames on a byte stream: four bytes of length, big-endian, then so many bytes. Sans-IO."""

from collections.abc import Iterable

from raftkv.peer.codec import MalformedFrameError

MAX_FRAME_BYTES = 64 * 1024 * 1024
"""No peer of ours sends more: an Append holds 1 MiB of entries or a single larger one. A longer length is garbage."""

_LENGTH_BYTES = 4


def pack(frames: Iterable[bytes]) -> bytes:
    """The frames as they go over the wire, in one piece."""
    parts: list[bytes] = []
    for frame in frames:
        parts += (len(frame).to_bytes(_LENGTH_BYTES, "big"), frame)
    return b"".join(parts)


class Deframer:
    """Cuts received bytes into frames of at most `limit` bytes."""

    __slots__ = ("_parts", "_wanted", "held", "limit")

    def __init__(self, limit: int = MAX_FRAME_BYTES) -> None:
        self.limit = limit
        self.held = 0
        """Bytes received and not yet part of a complete frame."""
        self._parts: list[bytes] = []
        self._wanted = _LENGTH_BYTES  # nothing is complete below this size, so nothing is joined before

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that are complete with `data`.

        Raises:
            MalformedFrameError: a length above the limit.
        """
        self._parts.append(data)
        self.held += len(data)
        if self.held < self._wanted:
            return []
        if len(self._parts) > 1:
            data = b"".join(self._parts)
        frames, rest = self._cut(data)
        self._parts = [rest] if rest else []
        self.held = len(rest)
        return frames

    def _cut(self, data: bytes) -> tuple[list[bytes], bytes]:
        frames: list[bytes] = []
        position, end = 0, len(data)
        self._wanted = _LENGTH_BYTES
        while end - position >= _LENGTH_BYTES:
            start = position + _LENGTH_BYTES
            length = int.from_bytes(data[position:start], "big")
            if length > self.limit:
                raise MalformedFrameError(f"a peer announces a frame of {length} bytes")
            if end - start < length:
                self._wanted = _LENGTH_BYTES + length
                break
            position = start + length
            frames.append(data[start:position])
        return frames, data[position:]
