"""Responses, and how long a client may take to collect them."""

import asyncio
from collections.abc import Awaitable
from http import HTTPStatus
from typing import Final

from aiohttp.web import BaseRequest, Response, StreamResponse

SEND_SECONDS: Final = 30.0
"""How long a client may take to collect an answer, or one message of a stream."""
JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"

_HEADERS: Final = {"Server": "raftkv", "X-Content-Type-Options": "nosniff"}


class UncollectedError(ConnectionError):
    """The client does not take its answer; its connection was ended."""


def json_answer(body: str, status: int = HTTPStatus.OK) -> Response:
    """An answer in JSON."""
    return Response(body=body.encode(), status=status, headers={**_HEADERS, "Content-Type": JSON})


def text_answer(body: str | bytes, status: int = HTTPStatus.OK, *, headers: dict[str, str] | None = None) -> Response:
    """A line or page of text."""
    return Response(
        body=body.encode() if isinstance(body, str) else body,
        status=status,
        headers={**_HEADERS, "Content-Type": TEXT, **(headers or {})},
    )


def not_allowed(allowed: str | None = None) -> Response:
    """The path is served, but not with this HTTP method."""
    headers = {"Allow": allowed} if allowed is not None else None
    return text_answer("Method Not Allowed\n", HTTPStatus.METHOD_NOT_ALLOWED, headers=headers)


def stream_answer() -> StreamResponse:
    """An answer of lines that come one by one."""
    response = StreamResponse(headers={**_HEADERS, "Content-Type": JSON})
    response.enable_chunked_encoding()
    return response


async def in_time(request: BaseRequest, sending: Awaitable[object]) -> None:
    """Waits until something was sent.

    Raises:
        UncollectedError: the client let it wait for too long.
    """
    try:
        async with asyncio.timeout(SEND_SECONDS):
            await sending
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
        raise UncollectedError from None


async def send(request: BaseRequest, response: Response) -> None:
    """Sends all of a response and waits until the client has taken most of it."""

    async def sending() -> None:
        await response.prepare(request)
        await response.write_eof()
        await request.writer.drain()

    await in_time(request, sending())
