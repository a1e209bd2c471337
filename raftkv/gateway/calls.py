"""One call through the gateway: the request is read, the handler called, the answer written.

Handlers are those of the gRPC services and cannot tell where a call comes from. What a client may do rests on its token
alone: a certificate on this way may be a proxy's (CVE-2018-16886), so `Call.identity` is empty.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Executor
from contextlib import aclosing, nullcontext
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Protocol, TypeVar

from aiohttp.web import BaseRequest, StreamResponse
from google.protobuf.message import Message

from raftkv.errors import Code, DeadlineExceededError, RequestError, StoppedError
from raftkv.gateway.answers import UncollectedError, in_time, json_answer, send, stream_answer
from raftkv.gateway.body import Texts, greet, too_large, whole_body
from raftkv.gateway.headers import check_origin, metadata, timeout_s
from raftkv.gateway.json_text import JsonError
from raftkv.gateway.outlet import GatewayOutlet
from raftkv.gateway.routes import Route
from raftkv.gateway.status import HTTP_STATUS, error_body, error_line
from raftkv.http2.options import Hooks
from raftkv.rpc.method import Answer, Call, Kind

T = TypeVar("T")

LARGE_BYTES: Final = 32 * 1024
"""Messages above this size are read and written beside the event loop: they would hold it up for a millisecond or more."""
JSON_GROWTH: Final = 2
"""How much longer than its message a request in JSON may be; base64 takes a third more."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all calls of a gateway have in common."""

    hooks: Hooks
    max_message_bytes: int
    worker: Executor
    """One thread: large messages must not take more than half of the interpreter."""
    stopping: Callable[[], bool]


class Exchange:
    """One call in progress."""

    def __init__(self, route: Route, request: BaseRequest, surroundings: Surroundings) -> None:
        self._route = route
        self._method = route.method
        self._request = request
        self._surroundings = surroundings
        self._loop = asyncio.get_running_loop()
        self._response: StreamResponse | None = None
        """What is being sent."""
        self._handling = False
        """A handler has begun to stream: errors are its own, and are told as the stream's last line."""

    async def run(self) -> StreamResponse:
        """Answers, whatever happens but the loss of the connection."""
        hooks, began = self._surroundings.hooks, self._loop.time()
        if hooks.started is not None:
            hooks.started(self._method)
        code = Code.CANCELLED
        try:
            code, response = await self._answer()
        finally:
            if hooks.handled is not None:
                hooks.handled(self._method, code, self._loop.time() - began)
        return response

    async def _answer(self) -> tuple[Code, StreamResponse]:
        try:
            return Code.OK, await self._call()
        except RequestError as error:
            return error.code, await self._fail(error)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self._surroundings.stopping() or task is None or self._request.transport is None:
                raise
            task.uncancel()
            return Code.UNAVAILABLE, await self._fail(StoppedError())
        except ConnectionError:
            raise  # there is nobody to answer
        except Exception as error:  # noqa: BLE001 - a bug in a handler fails its call only
            self._crashed(error)
            return Code.UNKNOWN, await self._fail(RequestError("raftkv: internal error"))

    async def _call(self) -> StreamResponse:
        headers = self._request.headers
        check_origin(headers)
        wait_s = timeout_s(headers)
        deadline = None if wait_s is None else self._loop.time() + wait_s
        call = Call(self._method.path, metadata(headers), deadline, _peer(self._request))
        carry = self._unary if self._method.kind is Kind.UNARY else self._stream
        timeout = asyncio.timeout_at(deadline)
        try:
            async with timeout:
                return await carry(call)
        except TimeoutError:
            if timeout.expired():
                raise DeadlineExceededError from None
            raise

    # --- the shapes of methods --------------------------------------------------------------------------------------

    async def _unary(self, call: Call) -> StreamResponse:
        handler: Any = self._method.handler
        answer = await handler(await self._single(call), call)
        response = json_answer(await self._written(answer))
        self._response = response
        await send(self._request, response)
        return response

    async def _stream(self, call: Call) -> StreamResponse:
        handler: Any = self._method.handler
        if self._method.kind is Kind.BIDI:
            return await self._converse(handler, call)
        requests = await self._single(call)
        self._handling = True
        answers = handler(requests, call)
        async with aclosing(answers) if hasattr(answers, "aclose") else nullcontext():
            async for answer in answers:
                await self._send_line(f'{{"result":{await self._written(answer)}}}\n')
        return await self._finish()

    async def _converse(self, handler: Any, call: Call) -> StreamResponse:
        """Requests and answers come and go independently of each other."""
        requests = await self._several()
        self._handling = True
        call.outlet = outlet = GatewayOutlet()
        try:
            async with asyncio.TaskGroup() as tasks:
                handling = tasks.create_task(outlet.pull(handler(requests, call)))
                while (answer := await outlet.take()) is not None:
                    await self._send_line(f'{{"result":{await self._written(answer)}}}\n')
                handling.cancel()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        return await self._finish()

    # --- requests ---------------------------------------------------------------------------------------------------

    async def _single(self, call: Call) -> Message:
        """The one request, and its encoding, which the log keeps."""
        data = await whole_body(self._request, JSON_GROWTH * self._surroundings.max_message_bytes)
        message = await self._read(data)
        call.body = message.SerializeToString()
        self._check_size(len(call.body))
        return message

    async def _several(self) -> "Requests":
        """The requests as they come. Only what is wrong with the first one is answered; later ones end the stream (etcd)."""
        texts = Texts(self._request, JSON_GROWTH * self._surroundings.max_message_bytes)
        await greet(self._request)
        text = await texts.take()
        try:
            first = None if text is None else await self._read(text)
        except JsonError as error:
            raise RequestError(str(error)) from None
        return Requests(first, texts, self._read)

    async def _read(self, data: bytes) -> Message:
        return await self._beside_loop(len(data), lambda: self._route.read(data))

    def _check_size(self, size: int) -> None:
        limit = self._surroundings.max_message_bytes
        if size > limit:
            raise too_large(size, limit)

    # --- answers ----------------------------------------------------------------------------------------------------

    async def _written(self, answer: Answer) -> str:
        size = (
            answer.ByteSize()
            if isinstance(answer, Message)
            else sum(map(len, answer))
            if isinstance(answer, list)
            else len(answer)
        )
        return await self._beside_loop(size, lambda: self._route.write(answer))

    async def _beside_loop(self, size: int, work: Callable[[], T]) -> T:
        if size <= LARGE_BYTES:
            return work()
        return await self._loop.run_in_executor(self._surroundings.worker, work)

    async def _send_line(self, line: str, status: int = HTTPStatus.OK) -> None:
        """The next line of a stream; the first one brings the headers."""
        response = self._response
        if response is None:
            response = self._response = stream_answer()
            response.set_status(status)
            await response.prepare(self._request)
        await in_time(self._request, response.write(line.encode()))

    async def _finish(self) -> StreamResponse:
        response = self._response
        if response is None:
            response = self._response = stream_answer()
            await response.prepare(self._request)
        await in_time(self._request, response.write_eof())
        return response

    async def _fail(self, error: RequestError) -> StreamResponse:
        if self._handling:
            await self._send_line(error_line(error), HTTP_STATUS[error.code])
            return await self._finish()
        if self._response is not None:
            raise UncollectedError  # it was cut off while it was being sent
        response = json_answer(error_body(error), HTTP_STATUS[error.code])
        if not self._request.content.is_eof():
            response.force_close()
        await send(self._request, response)
        return response

    def _crashed(self, error: BaseException) -> None:
        hooks = self._surroundings.hooks
        if hooks.crashed is not None:
            hooks.crashed(self._method, error)
        else:
            message = f"the handler of {self._method.path} failed"
            self._loop.call_exception_handler({"message": message, "exception": error})


class Source(Protocol):
    """Where the texts of a stream come from."""

    async def take(self) -> bytes | None:
        """The next one; None after the last."""
        ...


class Requests:
    """The requests of a stream, as its handler iterates them."""

    def __init__(self, first: Message | None, texts: Source, read: Callable[[bytes], Awaitable[Message]]) -> None:
        self._next = first
        self._ended = first is None
        self._texts = texts
        self._read = read

    def __aiter__(self) -> AsyncIterator[Message]:
        return self

    async def __anext__(self) -> Message:
        message, self._next = self._next, None
        if message is None and not self._ended:
            message = await self._later()
        if message is None:
            self._ended = True
            raise StopAsyncIteration
        return message

    async def _later(self) -> Message | None:
        text = await self._texts.take()
        try:
            return None if text is None else await self._read(text)
        except JsonError:
            return None


def _peer(request: BaseRequest) -> str:
    name = request.transport.get_extra_info("peername") if request.transport is not None else None
    if not isinstance(name, tuple):
        return ""
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
