"""The gRPC server: listeners, connections, and an orderly end."""

import asyncio
import ssl
from collections.abc import Iterable

from raftkv.http2.options import Hooks, Options
from raftkv.http2.preface import Door, Gates, ProtocolFactory
from raftkv.http2.protocol import FAREWELL_SECONDS, Shared
from raftkv.rpc.method import Method


class GrpcServer:
    """Serves methods over HTTP/2, and on the same ports HTTP/1.1 by another protocol, if there is one.

    All of it runs on the event loop of the constructor. Order: construct, `listen` (as often as there are addresses), `stop`.
    """

    def __init__(
        self,
        methods: Iterable[Method],
        *,
        options: Options | None = None,
        hooks: Hooks | None = None,
        http1: ProtocolFactory | None = None,
    ) -> None:
        self._shared = Shared(list(methods), options or Options(), hooks or Hooks())
        self._http1 = http1
        self._gates = Gates()
        self._listeners: list[asyncio.Server] = []

    @property
    def connections(self) -> int:
        """Connections of any kind."""
        return len(self._gates)

    async def listen(self, host: str, port: int, *, tls: ssl.SSLContext | None = None) -> int:
        """Takes connections at an address; returns the port, which is chosen where `port` is 0.

        A TLS context is told to agree on h2, or http/1.1 where that is served, by ALPN. Raises OSError.
        """
        if tls is not None:
            tls.set_alpn_protocols(["h2"] if self._http1 is None else ["h2", "http/1.1"])
        door = Door(self._shared, self._gates, self._http1, tls)
        listener = await asyncio.get_running_loop().create_server(door, host, port)
        self._listeners.append(listener)
        return int(listener.sockets[0].getsockname()[1])

    async def stop(self, grace_seconds: float = 0.0) -> None:
        """Takes nothing new, lets calls finish for at most `grace_seconds`, then ends what is left as StoppedError."""
        for listener in self._listeners:
            listener.close()
        for gate in [gate for gate in self._gates.all() if gate.undecided]:
            gate.abort()
        for connection in list(self._shared.connections):
            connection.drain()
        await self._gates.wait_empty(grace_seconds)
        for connection in list(self._shared.connections):
            connection.close()
        await self._shared.tasks.stop()
        await self._gates.wait_empty(FAREWELL_SECONDS)
        for gate in self._gates.all():
            gate.abort()
