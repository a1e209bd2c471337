"""Names for writes, so that raftkv applies a repeated one once.

    sequence:   1 2 3 | 4 5 6 ... 131 | 132
              finished|  may be out   | waits until 4 is finished

A raftkv cluster remembers the last answers of each client. So the sequences that are not finished lie within a window of
that size: however slow one write is, the cluster has not forgotten it when it is repeated.
"""

import asyncio
from collections import deque

from raftkv.errors import ConfigError

WINDOW = 128
CLIENT_ID_BYTES = 16


class RequestIds:
    """The writes of one client in one process. `client_id` must be nobody else's, ever: it is drawn by lot."""

    def __init__(self, client_id: bytes, *, window: int = WINDOW) -> None:
        if len(client_id) != CLIENT_ID_BYTES:
            raise ConfigError(f"a client id has {CLIENT_ID_BYTES} bytes, not {len(client_id)}")
        self._client = client_id.hex()
        self._window = window
        self._next = 1
        self._unfinished: dict[int, None] = {}  # in ascending order, for they are taken so
        self._waiters: deque[asyncio.Future[None]] = deque()

    async def take(self) -> int:
        """The sequence of a new write, as soon as it fits into the window; `finish` it in the end."""
        while self._free() <= 0:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                self._wake()  # in the place of the one who was woken and leaves
                raise
        sequence = self._next
        self._next += 1
        self._unfinished[sequence] = None
        return sequence

    def finish(self, sequence: int) -> None:
        """The write will not be sent again."""
        del self._unfinished[sequence]
        if self._waiters:
            self._wake()

    def text(self, sequence: int) -> bytes:
        """The value of the metadata `raftkv-request-id`."""
        return f"{self._client}-{sequence}".encode()

    def _free(self) -> int:
        """How many more sequences fit into the window."""
        oldest = next(iter(self._unfinished), self._next)
        return oldest + self._window - self._next

    def _wake(self) -> None:
        free = self._free()
        while free > 0 and self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                free -= 1
