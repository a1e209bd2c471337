"""Where a watch's responses wait for a handler of this node, in place of a client's connection."""

import asyncio
from collections import deque
from collections.abc import Callable

from raftkv.errors import UnavailableError
from raftkv.pb.rpc import WatchResponse


class News:
    """A raftkv.watch.Sink. Bounded by the hub, which tells nothing more while the backlog is large."""

    __slots__ = ("_abandoned", "_backlog", "_messages", "_reader", "on_room")

    def __init__(self) -> None:
        self._messages: deque[bytes] = deque()
        self._abandoned = False
        self._backlog = 0
        self._reader: asyncio.Future[None] | None = None
        self.on_room: Callable[[], None] = lambda: None

    @property
    def backlog(self) -> int:
        """Bytes that were not looked at."""
        return self._backlog

    def send(self, message: bytes) -> None:
        """One response."""
        self._messages.append(message)
        self._backlog += len(message)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def send_each(self, body: bytes, tails: list[bytes]) -> None:
        """A response for each of the tails."""
        for tail in tails:
            self.send(body + tail)

    def abandon(self) -> None:
        """There is no room for what was not looked at: the reader is told so."""
        self._abandoned = True
        self._messages.clear()
        self._backlog = 0
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def next(self) -> WatchResponse:
        """The next response. Raises UnavailableError where it was abandoned."""
        while not self._messages:
            if self._abandoned:
                raise UnavailableError
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        message = self._messages.popleft()
        self._backlog -= len(message)
        if not self._messages:
            self.on_room()
        return WatchResponse.FromString(message)
