"""Streams of requests over a WebSocket (RFC 6455), for browsers: each text is a request in JSON, each answer a text.

    GET with Upgrade -> 101 -> {"create_request": ...} -> {"result": ...} {"result": ...} ... -> closed by either side

What is in the texts is what the lines of a POST have (etcd has grpc-websocket-proxy for the same).
"""

from typing import Final

from aiohttp import WSMsgType
from aiohttp.web import BaseRequest, StreamResponse, WebSocketResponse

from raftkv.errors import RequestError
from raftkv.gateway.answers import in_time
from raftkv.gateway.body import NoBodyError
from raftkv.gateway.calls import JSON_GROWTH, Exchange, Requests, Surroundings
from raftkv.gateway.headers import BEARER
from raftkv.gateway.json_text import JsonError
from raftkv.gateway.routes import Route
from raftkv.gateway.status import error_line
from raftkv.rpc.method import Kind

ORDERLY: Final = 1000
"""The code of a close without an error (RFC 6455, 7.4.1)."""


def asked_for(request: BaseRequest, route: Route | None) -> bool:
    """Whether this is a WebSocket for a method that takes a stream."""
    return route is not None and route.method.kind is Kind.BIDI and request.headers.get("Upgrade", "").lower() == "websocket"


class SocketExchange(Exchange):
    """One call over a WebSocket."""

    def __init__(self, route: Route, request: BaseRequest, surroundings: Surroundings) -> None:
        super().__init__(route, request, surroundings)
        self._socket = WebSocketResponse(
            protocols=(BEARER,), max_msg_size=JSON_GROWTH * surroundings.max_message_bytes, compress=False
        )

    async def take(self) -> bytes:
        """The next text. Raises NoBodyError when the client is gone: whoever closes wants no more answers either."""
        message = await self._socket.receive()
        match message.type:
            case WSMsgType.TEXT:
                return str(message.data).encode()
            case WSMsgType.BINARY:
                return bytes(message.data)
            case _:
                raise NoBodyError

    async def _several(self) -> Requests:
        await self._socket.prepare(self._request)
        self._response = self._socket
        self._handling = True
        try:
            return Requests(await self._read(await self.take()), self, self._read)
        except JsonError as error:
            raise RequestError(str(error)) from None

    async def _send_line(self, line: str, status: int = 0) -> None:  # noqa: ARG002 (HTTP's status is 101 by now)
        await in_time(self._request, self._socket.send_str(line.rstrip("\n")))

    async def _finish(self) -> StreamResponse:
        await in_time(self._request, self._socket.close(code=ORDERLY))
        return self._socket

    async def _fail(self, error: RequestError) -> StreamResponse:
        if not self._handling:
            return await super()._fail(error)
        await self._send_line(error_line(error))
        return await self._finish()
