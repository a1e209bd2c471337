"""One watch between the stream that feeds it and the program that reads it: its request, its position, its buffer.

    waiting --created--> live --buffer full--> lagging --half read--> waiting ...
       ^                  |
       `-- stream lost ---'             any --closed, compacted, refused--> over

A program that reads slowly holds up neither the other watches on the stream nor the memory: its watch is cancelled at the
server when the buffer is full, and created again, from the first revision that was not buffered, when the program has read
half of it. The server's history is the rest of the buffer.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from raftkv.client.watch_position import WatchPosition
from raftkv.errors import RaftKVError
from raftkv.pb import kv, rpc

BUFFER_BYTES = 8 * 1024 * 1024
BUFFER_BATCHES = 4096


class WatchBatch(NamedTuple):
    """What a watch says at once: all that one or more revisions changed, or only how far it has come."""

    revision: int
    """Every change up to and including this revision has been handed on: a later watch goes on at `revision + 1`."""
    events: list[kv.Event]
    """In the order in which they happened; none: the server says that nothing happened up to `revision`."""
    header: rpc.ResponseHeader
    """Who said so; its revision is that of the server's store, which may be ahead of what the batch holds."""


class SubscriptionState(Enum):
    """See the module's picture."""

    WAITING = "waiting"
    LIVE = "live"
    LAGGING = "lagging"
    OVER = "over"


class Subscription:
    """`create` is the request as the program made it. `on_room`: called when a lagging one can be created again."""

    def __init__(
        self,
        create: rpc.WatchCreateRequest,
        *,
        on_room: "Callable[[Subscription], None]",
        buffer_bytes: int = BUFFER_BYTES,
    ) -> None:
        self.state = SubscriptionState.WAITING
        self.watch_id = 0
        """Its number on the present stream; 0: none."""
        self.established = asyncio.Event()
        """Set when it was created for the first time, or is over."""
        self._create = create
        self._on_room = on_room
        self._position = WatchPosition(create.start_revision)
        self._buffer_bytes = buffer_bytes
        self._batches: deque[tuple[WatchBatch, int]] = deque()
        self._size = 0
        self._news = asyncio.Event()
        self._error: RaftKVError | None = None
        self._was_created = False

    # --- for the stream

    @property
    def full(self) -> bool:
        """Whether what comes now has to wait at the server."""
        return self._size >= self._buffer_bytes or len(self._batches) >= BUFFER_BATCHES

    def request(self, watch_id: int) -> rpc.WatchCreateRequest:
        """The request to create it, or to go on, as the `watch_id` of a stream."""
        self.watch_id = watch_id
        request = rpc.WatchCreateRequest()
        request.CopyFrom(self._create)
        request.start_revision = self._position.next
        request.watch_id = watch_id
        request.fragment = True
        return request

    def created(self, header: rpc.ResponseHeader) -> None:
        """The server has created it, when its store was at the header's revision."""
        self.state = SubscriptionState.LIVE
        self._position.created(header.revision)
        self._was_created = True
        self.established.set()

    def take(self, response: rpc.WatchResponse, size: int) -> None:
        """What the server says has changed; `size` is what that took on the wire."""
        events = self._position.take(response)
        if events:
            self._put(WatchBatch(self._position.next - 1, events, response.header), size)

    def progress(self, header: rpc.ResponseHeader, *, certain: bool) -> None:
        """The server says that it has said all up to the header's revision (`WatchPosition.progress`)."""
        if self._position.progress(header.revision, certain=certain):
            self._put(WatchBatch(header.revision, [], header), header.ByteSize())

    def end(self, error: RaftKVError | None) -> None:
        """Nothing more comes; the reader meets the error, or the end of the iteration, after what is buffered."""
        if self.state is not SubscriptionState.OVER:
            self.state = SubscriptionState.OVER
            self._error = error
            self.established.set()
            self._news.set()

    # --- for the reader

    @property
    def revision(self) -> int:
        """Everything up to here has been buffered or read; -1: the server has not yet created the watch."""
        return self._position.next - 1

    def check_created(self) -> None:
        """Raises why it was never created; what came later is for the reader, after what is buffered."""
        if self._error is not None and not self._was_created:
            raise self._error

    async def next(self) -> WatchBatch | None:
        """The next batch, or None when it was closed. Raises what it ended with. Who is cancelled here has taken nothing."""
        while not self._batches:
            if self.state is SubscriptionState.OVER:
                if self._error is not None:
                    raise self._error
                return None
            self._news.clear()
            await self._news.wait()
        batch, size = self._batches.popleft()
        self._size -= size
        if self.state is SubscriptionState.LAGGING and self._half_empty():
            self.state = SubscriptionState.WAITING
            self._on_room(self)
        return batch

    def _put(self, batch: WatchBatch, size: int) -> None:
        self._batches.append((batch, size))
        self._size += size
        self._news.set()

    def _half_empty(self) -> bool:
        return self._size <= self._buffer_bytes // 2 and len(self._batches) <= BUFFER_BATCHES // 2
