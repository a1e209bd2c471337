"""Streams as they are on the wire: nothing is resumed, nothing put in order, so what is wrong shows."""

import asyncio
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

from google.protobuf.message import Message

from raftkv.client.channel import Stream
from raftkv.client.connection import ConnectionOptions
from raftkv.client.endpoint import parse_endpoint
from raftkv.client.http2 import DialOptions, Http2Channel
from raftkv.client.method import WATCH_PATH
from raftkv.errors import ConnectionBrokenError
from raftkv.pb import rpc

OPTIONS = DialOptions(
    timeout=1.0,
    tls=None,
    server_name=None,
    connection=ConnectionOptions(max_message_bytes=1 << 30, keepalive_after=1.0, keepalive_timeout=1.0),
)


Response = TypeVar("Response", bound=Message)


class MessageStream(Generic[Response]):
    """One stream on a connection of its own. Iterating ends when the stream does."""

    def __init__(self, endpoint: str, path: str, response: type[Response]) -> None:
        self._path = path
        self._response = response
        self._channel = Http2Channel(parse_endpoint(endpoint, tls=False), OPTIONS)
        self._stream: Stream | None = None

    async def open(self) -> bool:
        """Connects; answers whether that worked."""
        try:
            self._stream = await self._channel.stream(self._path)
        except ConnectionBrokenError:
            return False
        return True

    async def send(self, request: Message, *, last: bool = False) -> bool:
        """Sends a request, and maybe says that it is the last; answers whether the stream is still there."""
        assert self._stream is not None
        try:
            await self._stream.send(request.SerializeToString())
        except ConnectionBrokenError:
            return False
        if last:
            self._stream.end()
        return True

    async def responses(self, silence_s: float) -> AsyncIterator[Response | None]:
        """What comes; None each time that nothing has come for so long."""
        assert self._stream is not None
        while True:
            try:
                async with asyncio.timeout(silence_s):
                    message = await self._stream.receive()
            except TimeoutError:
                yield None
                continue
            except ConnectionBrokenError:
                return
            if message is None:
                return
            yield self._response.FromString(message)

    async def close(self) -> None:
        """Ends the stream and its connection."""
        if self._stream is not None:
            self._stream.cancel()
        await self._channel.close()


def watch_stream(endpoint: str) -> MessageStream[rpc.WatchResponse]:
    """A stream of watches."""
    return MessageStream(endpoint, WATCH_PATH, rpc.WatchResponse)
