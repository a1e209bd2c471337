"""Which streams there have been on a connection (RFC 9113, section 5.1.1).

Clients open odd ids, upwards. An id that is not open may be idle (never used: a frame on it is PROTOCOL_ERROR), closed (used before:
STREAM_CLOSED), or ended early by us, and then frames that the client sent before it knew are no violation.
"""

from collections.abc import Iterable
from typing import Final

from raftkv.http2.frames import ErrorCode
from raftkv.http2.violation import ConnectionProtocolError

MAX_REMEMBERED: Final = 1000
"""Streams that ended early, and ids that were left out, of each kind: the oldest are forgotten, and count as closed."""


class StreamIds:
    """The ids used so far.

    Invariant: `last` is the largest id that was opened, 0 before the first.
    """

    __slots__ = ("_ended_early", "_skipped", "last")

    def __init__(self) -> None:
        self.last = 0
        self._ended_early: dict[int, None] = {}
        self._skipped: dict[int, None] = {}

    def open(self, stream_id: int) -> None:
        """A new stream, above all others; the ids between are closed unused."""
        first = self.last + 2 if self.last else 1
        if stream_id != first:
            _remember(self._skipped, range(max(first, stream_id - 2 * MAX_REMEMBERED), stream_id, 2))
        self.last = stream_id

    def end_early(self, stream_id: int) -> bool:
        """We end a stream before its client does. Whether this is news."""
        if stream_id in self._ended_early:
            return False
        _remember(self._ended_early, (stream_id,))
        return True

    def check_used(self, stream_id: int) -> None:
        """Raises unless a client has used the id: on others only PRIORITY may come."""
        if not stream_id & 1 or stream_id > self.last or stream_id in self._skipped:
            raise ConnectionProtocolError(ErrorCode.PROTOCOL_ERROR, "a frame on a stream that is not open")

    def check_late(self, stream_id: int) -> None:
        """Raises unless DATA or HEADERS on the id, which is not open, can be late."""
        self.check_used(stream_id)
        if stream_id not in self._ended_early:
            raise ConnectionProtocolError(ErrorCode.STREAM_CLOSED, "a frame on a closed stream")


def _remember(ids: dict[int, None], new: Iterable[int]) -> None:
    for stream_id in new:
        if len(ids) >= MAX_REMEMBERED:
            del ids[next(iter(ids))]
        ids[stream_id] = None
