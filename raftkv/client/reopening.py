"""A stream that is opened anew when it is lost, at another endpoint: what the watches and the keepalives of a client share.

    idle --wanted--> opening --opened--> open --lost, or abandoned--> pausing --wanted--> opening ...
      ^                 `---- nobody can be reached ------------------^  |
      `------------------------- not wanted any more --------------------'

The stream knows nothing of what it carries: its `Carried` says what to send first on a new one, takes what comes, and is told
of failures that no other endpoint could mend. Streams ask for a leader (`hasleader`), so a node that has lost the others ends
them, instead of keeping us waiting for changes that it cannot hear of.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Protocol

from google.protobuf.message import DecodeError

from raftkv.client.background import Background
from raftkv.client.channel import Metadata, Stream
from raftkv.client.endpoint import Endpoint
from raftkv.client.retry import MAX_BACKOFF_S, backoff
from raftkv.client.status import error_of
from raftkv.errors import ClientClosedError, Code, ConnectError, ConnectionBrokenError, RaftKVError, RequestError

NEEDS_LEADER: Metadata = ((b"hasleader", b"true"),)

FINAL_CODES = {
    Code.INVALID_ARGUMENT,
    Code.PERMISSION_DENIED,
    Code.UNAUTHENTICATED,
    Code.UNIMPLEMENTED,
    Code.RESOURCE_EXHAUSTED,
}
"""What every endpoint would answer, unless the error says that it can pass."""


@dataclass(frozen=True, slots=True)
class Reopening:
    """What it takes to keep a stream open."""

    open: Callable[[str, Metadata], Awaitable[tuple[Stream, Endpoint]]]
    turn_from: Callable[[Endpoint], None]
    renew: Callable[[RaftKVError], bool]
    """Whether a fresh token may end a refusal; the next stream has one."""
    background: Background
    rng: Random
    loop: asyncio.AbstractEventLoop
    wait_for_ready: bool


class Carried(Protocol):
    """Who uses the stream. All methods are called on the loop, and none may wait."""

    @property
    def wanted(self) -> bool:
        """Whether there is still somebody to keep the stream open for."""
        ...

    def opened(self) -> None:
        """There is a new stream, on which nothing has been sent."""
        ...

    def received(self, message: bytes) -> None:
        """A message came. Raises DecodeError."""
        ...

    def interrupted(self, error: RaftKVError) -> None:
        """The stream was lost, or could not be opened; it will be tried again."""
        ...

    def failed(self, error: RaftKVError) -> None:
        """It makes no sense to try again."""
        ...


class ReopeningStream:
    """The stream, its sender and its receiver; `Carried` bounds what is in the outbox."""

    def __init__(self, path: str, carried: Carried, means: Reopening) -> None:
        self._path = path
        self._carried = carried
        self._means = means
        self._outbox: deque[bytes | None] = deque()
        """None: nothing more is sent on this stream."""
        self._news = asyncio.Event()
        self._stream: Stream | None = None
        self._running = False
        self._released = False
        self._failures = 0

    @property
    def is_open(self) -> bool:
        """Whether there is a stream to send on."""
        return self._stream is not None

    def keep_open(self) -> None:
        """Opens the stream unless it is open or being opened."""
        if not self._running:
            self._running = True
            self._means.background.start(self._run(), self._path)

    def send(self, message: bytes) -> None:
        """Sends, in order, on the stream that is open; what is not sent when that is lost is forgotten."""
        if self._stream is not None:
            self._outbox.append(message)
            self._news.set()

    def end(self) -> None:
        """Says that nothing more is sent on the stream that is open."""
        if self._stream is not None:
            self._outbox.append(None)
            self._news.set()

    def abandon(self) -> None:
        """Gives the present stream up, and goes to another endpoint."""
        if self._stream is not None:
            self._stream.cancel()

    def release(self) -> None:
        """Ends the present stream: nobody wants it."""
        self._released = True
        self.abandon()

    async def _run(self) -> None:
        try:
            while self._carried.wanted:
                await self._open_once()
        except ClientClosedError as error:
            self._carried.failed(error)
        finally:
            self._running = False

    async def _open_once(self) -> None:
        """One stream from its opening to its end, and the pause after it."""
        self._released = False
        begun = self._means.loop.time()
        try:
            stream, endpoint = await self._means.open(self._path, NEEDS_LEADER)
        except ConnectError as unreachable:
            await self._pause(unreachable, begun)
            return
        except RequestError as refused:  # its user could not be authenticated
            if _is_final(refused):
                self._carried.failed(refused)
            else:
                await self._pause(refused, begun)
            return
        failure = await self._converse(stream)
        if self._released:
            return
        if _is_final(failure) and not self._means.renew(failure):
            self._carried.failed(failure)
            return
        self._means.turn_from(endpoint)
        await self._pause(failure, begun)

    async def _converse(self, stream: Stream) -> RaftKVError:
        """Sends and receives until the stream ends; answers why it ended."""
        self._outbox.clear()
        self._stream = stream
        try:
            async with asyncio.TaskGroup() as tasks:
                self._carried.opened()
                sender = tasks.create_task(self._send_all(stream))
                failure = await self._receive_all(stream)
                sender.cancel()
        finally:
            self._stream = None
            stream.cancel()
        return failure

    async def _send_all(self, stream: Stream) -> None:
        while True:
            while self._outbox:
                message = self._outbox.popleft()
                if message is None:
                    stream.end()
                    continue
                try:
                    await stream.send(message)
                except ConnectionBrokenError:
                    return  # the receiver meets it too, and tells
            self._news.clear()
            await self._news.wait()

    async def _receive_all(self, stream: Stream) -> RaftKVError:
        try:
            while (message := await stream.receive()) is not None:
                self._carried.received(message)
        except ConnectionBrokenError as error:
            return error
        except DecodeError as error:
            return RequestError(f"the server sent what cannot be read on {self._path}: {error}", code=Code.INTERNAL)
        reply = stream.reply
        assert reply is not None
        return error_of(reply)

    async def _pause(self, failure: RaftKVError, begun: float) -> None:
        """A stream that has lived for a while counts as a success, and makes the next pause short."""
        self._carried.interrupted(failure)
        if self._means.loop.time() - begun > MAX_BACKOFF_S:
            self._failures = 0
        await asyncio.sleep(backoff(self._failures, self._means.rng))
        self._failures += 1


def _is_final(failure: RaftKVError) -> bool:
    return isinstance(failure, RequestError) and not failure.retryable and failure.code in FINAL_CODES
