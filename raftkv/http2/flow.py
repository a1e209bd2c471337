"""What a client may send on the whole connection (RFC 9113, section 6.9). The streams' windows are fields of the streams."""

from raftkv.http2.frames import DEFAULT_WINDOW, ErrorCode
from raftkv.http2.violation import ConnectionProtocolError


class ReceiveWindow:
    """The connection's window: data is counted where it is kept, so what has come is given back at once, in batches.

    Invariant: 0 <= _left, and _left is what the client believes, or will when it has read what was announced.
    """

    __slots__ = ("_left", "_size")

    def __init__(self, size: int) -> None:
        self._left = DEFAULT_WINDOW
        self._size = size

    def take(self, size: int) -> int:
        """Data has come; how much to announce now, mostly nothing. Raises where it is more than was allowed."""
        self._left -= size
        if self._left * 2 >= self._size:
            return 0
        if self._left < 0:
            raise ConnectionProtocolError(ErrorCode.FLOW_CONTROL_ERROR, "more DATA than the connection's window allows")
        return self.refill()

    def refill(self) -> int:
        """How much to announce for the window to be whole."""
        increment = self._size - self._left
        self._left = self._size
        return increment
