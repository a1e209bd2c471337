"""Listeners for TLS.

The event loop's own TLS listener tells nobody of connections that never finish their handshake, so nobody could count or end
them (CVE-2026-73500); and its context is the one of the beginning. Here each accepted socket is a visitor, admitted before its
handshake begins, which has a deadline, and each handshake has the context of its moment.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import structlog

from raftkv.errors import StoppedError
from raftkv.tls.contexts import ServerTLS
from raftkv.tls.seldom import Seldom

log = structlog.get_logger(__name__)

BACKLOG = 100
PAUSE_SECONDS = 1.0
"""After accepting failed, for want of file descriptors or memory."""
PLAIN_TEXT = {"HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG"}
"""What OpenSSL says to bytes that are no TLS."""


class Visitor(Protocol):
    """The protocol of a connection that is still in its handshake. The listener sets `handshake`, which may be cancelled."""

    handshake: "asyncio.Task[None] | None"

    def release(self) -> None:
        """The handshake failed: there will be no connection."""
        ...


class TLSListener:
    """Accepts connections at the addresses of one host name."""

    def __init__(
        self,
        tls: ServerTLS,
        welcome: Callable[[], Any],
        start: Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"],
        *,
        handshake_seconds: float,
        protocols: tuple[str, ...] = (),
    ) -> None:
        """`welcome` makes an asyncio.Protocol that is a Visitor, or None where there is no room; `start` owns the tasks."""
        self._tls = tls
        self._welcome = welcome
        self._start = start
        self._handshake_seconds = handshake_seconds
        self._protocols = protocols
        self._loop = asyncio.get_running_loop()
        self._seldom = Seldom(self._loop.time)
        self._sockets: list[socket.socket] = []
        self._accepting: list[asyncio.Task[None]] = []

    async def open(self, host: str, port: int) -> int:
        """Listens; returns the port. Raises OSError."""
        found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, address in dict.fromkeys((family, address) for family, _, _, _, address in found):
            listener = socket.create_server(address[:2], family=family, backlog=BACKLOG)
            listener.setblocking(False)
            self._sockets.append(listener)
            self._accepting.append(self._start(self._accept(listener)))
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
                connection, address = await self._loop.sock_accept(listener)
            except OSError:
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            visitor = self._welcome()
            if visitor is None:
                connection.close()
                continue
            work = self._shake_hands(visitor, connection, str(address[0]))
            try:
                visitor.handshake = self._start(work)
            except StoppedError:
                work.close()
                connection.close()
                visitor.release()

    async def _shake_hands(self, visitor: Any, connection: socket.socket, address: str) -> None:
        """What goes wrong here ends the connection, and is the other side's affair."""
        seconds = self._handshake_seconds
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._loop.connect_accepted_socket(
                lambda: visitor,
                connection,
                ssl=self._tls.context(*self._protocols),
                ssl_handshake_timeout=seconds,
                ssl_shutdown_timeout=seconds,
            )
        except OSError as error:
            visitor.release()
            self._complain(error, address)
        except asyncio.CancelledError:
            visitor.release()
            raise

    def _complain(self, error: OSError, address: str) -> None:
        """An operator who mixed up http and https should read it here, and one who is being scanned should not drown in it."""
        if not isinstance(error, ssl.SSLError):
            return
        reason = error.reason or ""
        if reason in PLAIN_TEXT:
            text = (
                "it does not speak TLS, which is all that is spoken here: does its URL begin with http:// in place of https://?"
            )
        elif isinstance(error, ssl.SSLCertVerificationError):
            text = f"its certificate was refused: {error.verify_message}"
        else:
            text = reason.lower().replace("_", " ") or str(error)
        if self._seldom.allows(text):
            log.warning("a TLS handshake failed", address=address, reason=text)
