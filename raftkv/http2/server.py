"""The gRPC server: listeners, connections, and an orderly end."""

import asyncio
from collections.abc import Iterable

from raftkv.http2.options import Hooks, Options
from raftkv.http2.preface import Door, Gate, ProtocolFactory
from raftkv.http2.protocol import FAREWELL_SECONDS, Shared
from raftkv.rpc.method import Method
from raftkv.tls import ServerTLS, TLSListener


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
        self._door = Door(self._shared, http1)
        self._listeners: list[asyncio.Server] = []
        self._tls_listeners: list[TLSListener] = []

    @property
    def connections(self) -> int:
        """Connections of any kind, with those in their handshake."""
        return len(self._door)

    async def listen(self, host: str, port: int, *, tls: ServerTLS | None = None) -> int:
        """Takes connections at an address; returns the port, which is chosen where `port` is 0. Raises OSError.

        With TLS, h2 is agreed on by ALPN, or http/1.1 where that is served.
        """
        if tls is None:
            listener = await asyncio.get_running_loop().create_server(lambda: Gate(self._door), host, port)
            self._listeners.append(listener)
            return int(listener.sockets[0].getsockname()[1])
        tls_listener = TLSListener(
            tls,
            lambda: self._door.welcome(tls),
            self._shared.tasks.start,
            handshake_seconds=self._shared.options.handshake_seconds,
            protocols=("h2",) if self._door.http1 is None else ("h2", "http/1.1"),
        )
        self._tls_listeners.append(tls_listener)
        return await tls_listener.open(host, port)

    def flush(self) -> None:
        """Writes all answers that are ready now, instead of at the end of this turn of the loop."""
        self._shared.flusher.run()

    async def stop(self, grace_seconds: float = 0.0) -> None:
        """Takes nothing new, lets calls finish for at most `grace_seconds`, then ends what is left as StoppedError."""
        for listener in self._listeners:
            listener.close()
        for tls_listener in self._tls_listeners:
            await tls_listener.close()
        for gate in self._door.gates:
            if gate.undecided:
                gate.abort()
        for connection in list(self._shared.connections):
            connection.drain()
        await self._door.wait_empty(grace_seconds)
        for connection in list(self._shared.connections):
            connection.close()
        await self._shared.tasks.stop()
        await self._door.wait_empty(FAREWELL_SECONDS)
        for gate in self._door.gates:
            gate.abort()
