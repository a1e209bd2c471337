"""Listeners for TLS.

The event loop's own TLS listener tells nobody of connections that never finish their handshake, so nobody could count or end
them (CVE-2026-73500). Here each accepted socket is inside, with all that follows, before its handshake begins.
"""

import asyncio
import socket
import ssl

from raftkv.errors import StoppedError
from raftkv.http2.preface import Door, Gate
from raftkv.http2.tasks import HandlerTasks

BACKLOG = 100
PAUSE_SECONDS = 1.0
"""After accepting failed, for want of file descriptors or memory."""


class TLSListener:
    """Accepts connections at the addresses of one host name."""

    def __init__(self, door: Door, tls: ssl.SSLContext, tasks: HandlerTasks) -> None:
        self._door = door
        self._tls = tls
        self._tasks = tasks
        self._loop = asyncio.get_running_loop()
        self._sockets: list[socket.socket] = []
        self._accepting: list[asyncio.Task[None]] = []

    async def open(self, host: str, port: int) -> int:
        """Listens; returns the port. Raises OSError."""
        found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, address in dict.fromkeys((family, address) for family, _, _, _, address in found):
            listener = socket.create_server(address[:2], family=family, backlog=BACKLOG)
            listener.setblocking(False)
            self._sockets.append(listener)
            self._accepting.append(self._tasks.start(self._accept(listener)))
        return int(self._sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Accepts nothing more."""
        for accepting in self._accepting:
            accepting.cancel()
        await asyncio.gather(*self._accepting, return_exceptions=True)
        for listener in self._sockets:
            listener.close()

    async def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = await self._loop.sock_accept(listener)
            except OSError:
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            gate = Gate(self._door)
            if not self._door.admit(gate):
                connection.close()
                continue
            work = self._welcome(gate, connection)
            try:
                gate.handshake = self._tasks.start(work)
            except StoppedError:
                work.close()
                connection.close()

    async def _welcome(self, gate: Gate, connection: socket.socket) -> None:
        """The handshake. What goes wrong with it ends the connection, and is the client's affair."""
        seconds = self._door.shared.options.handshake_seconds
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._loop.connect_accepted_socket(
                lambda: gate, connection, ssl=self._tls, ssl_handshake_timeout=seconds, ssl_shutdown_timeout=seconds
            )
        except OSError:
            gate.release()
        except asyncio.CancelledError:
            gate.release()
            raise
