"""A server on a free port, and a grpcio client of it."""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from raftkv.http2 import GrpcServer, Options
from raftkv.pb.rpc import PutRequest
from tests.http2.echo import SERVICE, Echo

StartServer = Callable[..., Awaitable["Running"]]
LOOPBACK = "127.0.0.1"
SECONDS = 5.0
"""Long enough for a slow machine; no test waits for it."""


class Running:
    """A server with the echo service."""

    def __init__(self, echo: Echo, **arguments: Any) -> None:
        settings = {name: arguments.pop(name) for name in list(arguments) if name in Options.__slots__}
        self.tls = arguments.pop("tls", None)
        self.echo = echo
        self.server = GrpcServer(echo.methods(), options=Options(**settings), **arguments)
        self.port = 0
        self._channels: list[grpc.aio.Channel] = []

    async def start(self) -> None:
        self.port = await self.server.listen(LOOPBACK, 0, tls=self.tls)

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def client(self, **options: int) -> "Client":
        channel = grpc.aio.insecure_channel(self.address, options=[(f"grpc.{name}", value) for name, value in options.items()])
        self._channels.append(channel)
        return Client(channel)

    async def stop(self) -> None:
        for channel in self._channels:
            await channel.close()
        await self.server.stop()


class Client:
    """The echo methods, as a grpcio channel offers them."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel: Any = channel
        form: Any = {"request_serializer": PutRequest.SerializeToString, "response_deserializer": PutRequest.FromString}
        self.unary: Any = channel.unary_unary(SERVICE + "Unary", **form)
        self.future: Any = channel.unary_unary(SERVICE + "Future", **form)
        self.later: Any = channel.unary_unary(SERVICE + "Later", **form)
        self.now: Any = channel.unary_unary(SERVICE + "Now", **form)
        self.down: Any = channel.unary_stream(SERVICE + "Down", **form)
        self.up: Any = channel.stream_unary(SERVICE + "Up", **form)
        self.both: Any = channel.stream_stream(SERVICE + "Both", **form)
