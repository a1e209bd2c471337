"""Calls in progress: requests in, handlers run, answers out. One class per shape of method.

    headers --> requests come --> handler runs --> answers and status
        any of them --stream_reset (the client cancelled, or is gone)--> the handler is cancelled, nothing is sent
        any of them --expire (the deadline)--> the handler is cancelled, DEADLINE_EXCEEDED is sent

A call has ended exactly when its stream has no receiver; from then on nothing of it reaches the client.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Coroutine
from contextlib import aclosing
from typing import Any, Final, Protocol

from google.protobuf.message import DecodeError, Message

from raftkv.errors import (
    CallCancelledError,
    Code,
    DeadlineExceededError,
    MalformedRequestError,
    RequestError,
    StoppedError,
    TooManyRequestsError,
)
from raftkv.http2.frames import ErrorCode
from raftkv.http2.framing import MessageReader
from raftkv.http2.load import Load
from raftkv.http2.options import Hooks, Options
from raftkv.http2.routing import Route
from raftkv.http2.status import StatusBlocks, trailers
from raftkv.http2.stream import Stream
from raftkv.reply import Reply
from raftkv.rpc.method import Answer, Call

REQUESTS_AHEAD_BYTES: Final = 64 * 1024
"""What a stream's handler may leave untaken before its client is held back."""
ANSWERS_AHEAD_BYTES: Final = 64 * 1024
"""What a client may leave uncollected before the stream's handler is held back."""


class Carrier(Protocol):
    """The connection, as its calls see it."""

    options: Options
    hooks: Hooks
    blocks: StatusBlocks
    peer: str
    identity: str
    buffered: int
    """Bytes of requests that are kept for all calls."""
    load: Load

    def now(self) -> float: ...
    def start_task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Runs it in the server's task group. Raises StoppedError."""
        ...

    def send_answer(self, stream: Stream, message: bytes) -> None: ...
    def send_pieces(self, stream: Stream, pieces: list[bytes]) -> None: ...
    def send_message(self, stream: Stream, message: bytes) -> None: ...
    def send_each(self, stream: Stream, body: bytes, tails: list[bytes]) -> None: ...
    def send_trailers(self, stream: Stream, block: bytes) -> None: ...
    def send_error(self, stream: Stream, block: bytes) -> None: ...
    def reset(self, stream: Stream, code: ErrorCode) -> None: ...
    def consumed(self, stream: Stream, size: int) -> None: ...
    def crashed(self, route: Route, error: BaseException) -> None: ...


class ServerCall(ABC):
    """What all calls have: a stream, a route, a deadline, and something to cancel."""

    __slots__ = ("_began", "_carrier", "_held", "_metadata", "_reader", "_room", "_route", "_stream", "_work", "deadline")

    def __init__(self, carrier: Carrier, stream: Stream, route: Route, deadline: float | None) -> None:
        self._carrier = carrier
        self._stream = stream
        self._route = route
        self._metadata = route.metadata
        self._reader: MessageReader | None = None
        self._held = 0
        """This call's part of the carrier's `buffered`."""
        self._work: asyncio.Future[Any] | Reply[Any] | None = None
        self._room: asyncio.Future[None] | None = None
        self.deadline = deadline
        hooks = carrier.hooks
        self._began = carrier.now() if hooks.handled is not None else 0.0
        if hooks.started is not None:
            hooks.started(route.method)

    def add_metadata(self, name: str, value: str | bytes) -> None:
        """A field of this call alone."""
        self._metadata = {**self._metadata, name: value}

    # --- what the stream tells ------------------------------------------------------------------------------------

    @abstractmethod
    def data_received(self, payload: bytes, end_stream: bool) -> None:  # noqa: FBT001 - see Receiver
        """Content of the request."""

    def stream_reset(self, code: ErrorCode | int) -> None:  # noqa: ARG002 - gRPC knows only one way to be cancelled
        """The client cancelled, or is gone."""
        self._release()
        self._ended(Code.CANCELLED)
        self._cancel()

    def expire(self) -> None:
        """The client has given up; so do we."""
        self._give_up(DeadlineExceededError())

    def stop(self) -> None:
        """The server is going down."""
        self._give_up(StoppedError())

    def drained(self) -> None:
        """A handler that streams answers may go on."""
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    # --- how it ends ----------------------------------------------------------------------------------------------

    def fail(self, error: RequestError) -> None:
        """Answers with an error, after the messages that are on their way, unless the call has ended."""
        stream, carrier = self._stream, self._carrier
        if stream.receiver is not self:
            return
        stream.receiver = None
        self._release()
        if not stream.headers_sent:
            carrier.send_error(stream, carrier.blocks.error(error.code, str(error)))
        else:
            carrier.send_trailers(stream, trailers(error.code, str(error)))
        self._ended(error.code)

    def _give_up(self, error: RequestError, code: ErrorCode = ErrorCode.CANCEL) -> None:
        """Ends the call now: messages that the client has not collected are not worth waiting for."""
        stream = self._stream
        if stream.queue is None:
            self.fail(error)
        else:
            self._carrier.reset(stream, code)
            self._release()
            self._ended(error.code)
        self._cancel()

    def fail_with(self, error: BaseException) -> None:
        """Maps what a handler raised, once and here."""
        if isinstance(error, RequestError):
            self.fail(error)
        elif isinstance(error, asyncio.CancelledError):
            self.fail(CallCancelledError())
        else:
            if self._stream.receiver is self:
                self._carrier.crashed(self._route, error)
            self.fail(RequestError("raftkv: internal error"))

    def _ended(self, code: Code) -> None:
        carrier = self._carrier
        if carrier.hooks.handled is not None:
            carrier.hooks.handled(self._route.method, code, carrier.now() - self._began)

    def _cancel(self) -> None:
        work = self._work
        if work is not None and not work.done():
            work.cancel()

    # --- answers --------------------------------------------------------------------------------------------------

    def _answer_with(self, outcome: Any) -> None:
        """Hangs the answer on what a handler with a single answer returned."""
        if type(outcome) is Reply:
            if outcome.done():
                self._settled(outcome)
                return
        elif not asyncio.isfuture(outcome):
            try:
                outcome = self._carrier.start_task(outcome)
            except StoppedError as error:
                outcome.close()
                self.fail(error)
                return
        elif outcome.done():
            self._settled(outcome)
            return
        self._work = outcome
        outcome.add_done_callback(self._settled)

    def _settled(self, outcome: "asyncio.Future[Answer] | Reply[Answer]") -> None:
        stream, carrier = self._stream, self._carrier
        try:
            answer = outcome.result()
            message = answer if isinstance(answer, bytes | list) else answer.SerializeToString()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - mapped in one place
            self.fail_with(error)
            return
        if stream.receiver is not self:
            return
        stream.receiver = None
        if self._held:
            self._release()
        if isinstance(message, list):
            carrier.send_pieces(stream, message)
        else:
            carrier.send_answer(stream, message)
        if carrier.hooks.handled is not None:
            self._ended(Code.OK)

    def _stream_answers(self, answers: AsyncIterator[Answer]) -> None:
        """Starts sending what a handler with a stream of answers returned."""
        work = self._send_all(answers)
        try:
            self._work = self._carrier.start_task(work)
        except StoppedError as error:
            work.close()
            self.fail(error)

    async def _send_all(self, answers: AsyncIterator[Answer]) -> None:
        """Runs the handler's iterator to its end, and closes it in any case."""
        stream, carrier = self._stream, self._carrier
        try:
            async with aclosing(_closable(answers)) as iterator:
                async for answer in iterator:
                    if stream.receiver is not self:
                        break
                    carrier.send_message(stream, encoded(answer))
                    if stream.queued > ANSWERS_AHEAD_BYTES:
                        self._room = asyncio.get_running_loop().create_future()
                        await self._room
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - mapped in one place
            self.fail_with(error)
        else:
            self._finish()

    def _finish(self) -> None:
        stream, carrier = self._stream, self._carrier
        if stream.receiver is self:
            stream.receiver = None
            self._release()
            if stream.headers_sent:
                carrier.send_trailers(stream, carrier.blocks.ok)
            else:
                carrier.send_error(stream, carrier.blocks.error(Code.OK, ""))
            self._ended(Code.OK)

    # --- requests -------------------------------------------------------------------------------------------------

    def _messages(self, payload: bytes, *, end_stream: bool) -> list[bytes]:
        """Messages out of frames that are not one whole message. Raises RequestError."""
        carrier, reader = self._carrier, self._reader
        if reader is None:
            reader = self._reader = MessageReader(carrier.options.max_message_bytes, self._route.encoding)
        before = reader.buffered
        messages = reader.feed(payload)
        self._hold(reader.buffered - before)
        if end_stream:
            reader.finish()
        return messages

    def _hold(self, size: int) -> None:
        """Counts what is kept of a request. Raises TooManyRequestsError."""
        carrier = self._carrier
        self._held += size
        carrier.buffered += size
        load = carrier.load
        load.kept += size
        options = carrier.options
        if size > 0 and (carrier.buffered > options.max_buffered_bytes or load.kept > options.max_held_bytes):
            raise TooManyRequestsError

    def _release(self) -> None:
        """What is left of the request is no longer kept."""
        self._carrier.buffered -= self._held
        self._carrier.load.kept -= self._held
        self._held = 0
        self._reader = None

    def _parse(self, body: bytes) -> Message:
        try:
            return self._route.method.request.FromString(body)
        except DecodeError:
            raise MalformedRequestError from None

    def _call(self, body: bytes = b"") -> Call:
        carrier = self._carrier
        return Call(self._route.method.path, self._metadata, self.deadline, carrier.peer, carrier.identity, body)


def encoded(answer: Answer) -> bytes:
    """An answer in one piece."""
    if isinstance(answer, bytes):
        return answer
    return b"".join(answer) if isinstance(answer, list) else answer.SerializeToString()


def _closable(answers: AsyncIterator[Answer]) -> Any:
    """An iterator with aclose: generators have one, other iterators need none."""
    return answers if hasattr(answers, "aclose") else _Unclosed(answers)


class _Unclosed:
    """An iterator that holds nothing which must be closed."""

    def __init__(self, answers: AsyncIterator[Answer]) -> None:
        self._answers = answers

    def __aiter__(self) -> AsyncIterator[Answer]:
        return self._answers

    async def aclose(self) -> None:
        """Nothing to close."""
