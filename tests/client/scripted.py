"""A gRPC server that does to each request what a test says, the bad manners of real networks included."""

import asyncio
import ssl
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from google.protobuf.message import Message
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, PingReceived, RequestReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

from raftkv.client.framing import MessageReader, frame_message
from raftkv.errors import Code

HEADERS = [(b":status", b"200"), (b"content-type", b"application/grpc")]
GOAWAY_FRAME = b"\x00\x00\x08\x07\x00\x00\x00\x00\x00"


class Request:
    """One request, and the ways to answer it."""

    def __init__(self, connection: "ServerConnection", stream_id: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self.connection = connection
        self.stream_id = stream_id
        self.headers = dict(headers)
        self.path = self.headers[b":path"].decode()
        self.data = b""
        self.cancelled = asyncio.Event()

    @property
    def body(self) -> bytes:
        """The message that the client sent."""
        return MessageReader(1 << 30).feed(self.data)[0]

    def answer(self, message: Message | bytes, *, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        """Status OK with a message."""
        body = message if isinstance(message, bytes) else message.SerializeToString()
        h2 = self.connection.h2
        h2.send_headers(self.stream_id, [*HEADERS, *headers])
        self.connection.send_data(self.stream_id, frame_message(body))
        h2.send_headers(self.stream_id, [(b"grpc-status", b"0")], end_stream=True)
        self.connection.flush()

    def refuse(self, code: Code, text: str, *, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        """Another status, in headers alone."""
        status = [(b"grpc-status", str(int(code)).encode()), (b"grpc-message", text.encode())]
        self.raw_answer([*HEADERS, *headers, *status])

    def raw_answer(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Headers that end the stream."""
        self.connection.h2.send_headers(self.stream_id, list(headers), end_stream=True)
        self.connection.flush()

    def reset(self, code: ErrorCodes) -> None:
        """RST_STREAM."""
        self.connection.h2.reset_stream(self.stream_id, code)
        self.connection.flush()


Script = Callable[[Request], None]


class ServerConnection(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, server: "ScriptedServer") -> None:
        self._server = server
        self.requests: dict[int, Request] = {}
        self.transport: asyncio.Transport
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        self.h2.local_settings = Settings(
            client=False, initial_values={SettingCodes.MAX_CONCURRENT_STREAMS: server.max_streams}
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._server.connections.append(self)
        if self._server.says_hello:
            self.h2.initiate_connection()
            self.flush()

    def data_received(self, data: bytes) -> None:
        if not self._server.says_hello:
            return
        for event in self.h2.receive_data(data):
            self._handle(event)
        self.flush()
        self._server.tell()

    def eof_received(self) -> None:
        self.transport.abort()

    def flush(self) -> None:
        """Sends what h2 holds."""
        self.transport.write(self.h2.data_to_send())

    def send_data(self, stream_id: int, data: bytes) -> None:
        """Data in frames of the size allowed; the client's window is wide enough for tests."""
        for start in range(0, len(data), 16_384):
            self.h2.send_data(stream_id, data[start : start + 16_384])

    def go_away(self, last_stream: int, *, debug: bytes = b"") -> None:
        """GOAWAY past h2, which would end the connection with it."""
        frame = bytearray(GOAWAY_FRAME + last_stream.to_bytes(4) + bytes(4) + debug)
        frame[2] = 8 + len(debug)
        self.transport.write(bytes(frame))

    def drop(self) -> None:
        """Breaks the connection without a word."""
        self.transport.abort()

    def _handle(self, event: Any) -> None:
        match event:
            case RequestReceived():
                assert event.headers is not None
                self.requests[event.stream_id] = Request(self, event.stream_id, event.headers)
            case DataReceived():
                request = self.requests[event.stream_id]
                request.data += event.data
                if self._server.reads:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case StreamEnded():
                self._server.receive(self.requests[event.stream_id])
            case StreamReset():
                self.requests[event.stream_id].cancelled.set()
            case PingReceived():
                self._server.pings += 1


class ScriptedServer:
    """An async context manager; `requests` are those that came in full, `connections` all that were opened."""

    def __init__(
        self,
        script: Script,
        *,
        max_streams: int = 1000,
        says_hello: bool = True,
        reads: bool = True,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.script = script
        self.max_streams = max_streams
        self.says_hello = says_hello
        self.reads = reads
        self.requests: list[Request] = []
        self.connections: list[ServerConnection] = []
        self.pings = 0
        self.endpoint = ""
        self._news = asyncio.Event()
        self._tls = tls
        self._server: asyncio.Server

    def receive(self, request: Request) -> None:
        """A whole request has come."""
        self.requests.append(request)
        self.script(request)

    def tell(self) -> None:
        """Something has come from a client."""
        self._news.set()

    async def until(self, reached: Callable[[], bool]) -> None:
        """Waits until it is so; looks again whenever something comes."""
        while not reached():
            self._news.clear()
            await self._news.wait()

    async def arrived(self, count: int) -> None:
        """Waits until so many requests have come in full."""
        await self.until(lambda: len(self.requests) >= count)

    async def begun(self) -> Request:
        """The first request, as soon as its headers have come."""
        await self.until(lambda: any(connection.requests for connection in self.connections))
        return next(request for connection in self.connections for request in connection.requests.values())

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: ServerConnection(self), "127.0.0.1", 0, ssl=self._tls)
        self.endpoint = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for connection in self.connections:
            with suppress(ProtocolError):
                connection.transport.abort()
        await self._server.wait_closed()
