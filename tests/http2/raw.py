"""A client made of the h2 library and a socket: it says what grpcio would not."""

import asyncio
import ssl
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import h2.config
import h2.connection
import h2.events

from raftkv.http2.frames import GOAWAY, HEADER_SIZE
from tests.http2.echo import SERVICE
from tests.http2.running import LOOPBACK, SECONDS
from tests.http2.wire import Frame, parse

Headers = dict[str, str]


def request_headers(path: str = SERVICE + "Unary", **more: str) -> list[tuple[str, str]]:
    """The usual request; a keyword replaces or adds a field, with dashes for underscores and a colon for `pseudo_`."""
    fields = {
        ":method": "POST",
        ":scheme": "http",
        ":path": path,
        ":authority": "localhost",
        "content-type": "application/grpc",
        "te": "trailers",
    }
    for name, value in more.items():
        fields[name.replace("pseudo_", ":").replace("_", "-")] = value
    return list(fields.items())


def as_text(fields: Any) -> Any:
    """h2 decodes header names and values as it was configured to, which its types cannot say."""
    return fields


@dataclass
class Reply:
    """What came back on a stream."""

    headers: Headers = field(default_factory=dict)
    content: bytearray = field(default_factory=bytearray)
    trailers: Headers = field(default_factory=dict)
    reset_code: int | None = None
    ended: bool = False

    @property
    def status(self) -> tuple[int, str]:
        fields = self.headers | self.trailers
        return int(fields["grpc-status"]), fields.get("grpc-message", "")


class RawClient:
    """One connection. Nothing is answered by itself but SETTINGS and PING."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self._port = port
        self._tls = tls
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="latin-1"))
        self.replies: dict[int, Reply] = {}
        self.pings = 0
        self.goaway: Frame | None = None
        self._unparsed = b""
        self.gone = False
        self._settled = False

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection(LOOPBACK, self._port, ssl=self._tls)
        self.http.initiate_connection()
        self.flush()
        await self.until(lambda: self._settled)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.writer.close()

    def flush(self) -> None:
        self.writer.write(self.http.data_to_send())

    def open(self, headers: list[tuple[str, str]], *, end_stream: bool = False) -> int:
        number = int(self.http.get_next_available_stream_id())
        self.http.send_headers(number, headers, end_stream=end_stream)
        self.replies[number] = Reply()
        return number

    def send(self, number: int, content: bytes, *, end_stream: bool = False) -> None:
        """Data in frames as large as they may be."""
        size = self.http.max_outbound_frame_size
        for at in range(0, len(content), size):
            self.http.send_data(number, content[at : at + size])
        if end_stream:
            self.http.end_stream(number)
        self.flush()

    async def ask(self, headers: list[tuple[str, str]], content: bytes | None) -> Reply:
        """A whole call."""
        number = self.open(headers, end_stream=content is None)
        if content is not None:
            self.http.send_data(number, content, end_stream=True)
        self.flush()
        return await self.reply(number)

    async def reply(self, number: int) -> Reply:
        await self.until(lambda: self.replies[number].ended or self.gone)
        return self.replies[number]

    async def until(self, condition: Any) -> None:
        """Reads until something has happened."""
        async with asyncio.timeout(SECONDS):
            while not condition():
                data = await self.reader.read(65_536)
                if not data:
                    self.gone = True
                    return
                for event in self.http.receive_data(self._without_goaway(data)):
                    self._note(event)
                self.flush()

    def _without_goaway(self, data: bytes) -> bytes:
        """Whole frames; h2 takes GOAWAY for the end, though streams go on after a graceful one."""
        data, whole = self._unparsed + data, []
        while len(data) >= HEADER_SIZE and len(data) >= (size := HEADER_SIZE + int.from_bytes(data[:3], "big")):
            frame, data = data[:size], data[size:]
            if frame[3] == GOAWAY:
                self.goaway = parse(frame)[0]
            else:
                whole.append(frame)
        self._unparsed = data
        return b"".join(whole)

    def _note(self, event: Any) -> None:
        reply = self.replies.get(getattr(event, "stream_id", None) or 0, Reply())
        match event:
            case h2.events.RemoteSettingsChanged():
                self._settled = True
            case h2.events.ResponseReceived(headers=fields):
                reply.headers = dict(as_text(fields))
            case h2.events.TrailersReceived(headers=fields):
                reply.trailers = dict(as_text(fields))
            case h2.events.DataReceived():
                reply.content += event.data
            case h2.events.StreamEnded():
                reply.ended = True
            case h2.events.StreamReset():
                reply.reset_code = event.error_code
                reply.ended = True
            case h2.events.PingReceived():
                self.pings += 1
