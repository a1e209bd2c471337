"""The channel over the network: connections to one endpoint, opened when needed and opened anew when lost."""

import asyncio
import ipaddress
import os
import socket
import ssl
from dataclasses import dataclass
from typing import Any

from raftkv.client import forked
from raftkv.client.channel import Metadata, Reply, Stream, UnaryCall
from raftkv.client.connection import Connection, ConnectionOptions
from raftkv.client.endpoint import Endpoint
from raftkv.client.tls import TLSConfig
from raftkv.errors import ConnectionBrokenError

TLS_GOODBYE_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class DialOptions:
    """How connections are opened."""

    timeout: float
    """Seconds for all of it: name, TCP, TLS and the server's first HTTP/2 frame."""
    tls: ssl.SSLContext | None
    """None: as far as an endpoint asks for TLS, the system's authorities are trusted."""
    server_name: str | None
    connection: ConnectionOptions


class Http2Channel:
    """Calls to one endpoint over at most one connection that takes new calls, and those that still drain.

    Callers that need a connection at the same time wait for one attempt to open it, and share its failure.
    """

    def __init__(self, endpoint: Endpoint, options: DialOptions) -> None:
        self._endpoint = endpoint
        self._options = options
        self._tls = (options.tls or TLSConfig().context()) if endpoint.tls else None
        self._connection: Connection | None = None
        self._alive: set[Connection] = set()
        self._dialling = asyncio.Lock()
        self._failures = 0
        self._failure = ""
        self._closed = False

    @property
    def endpoint(self) -> Endpoint:
        return self._endpoint

    async def unary(self, call: UnaryCall) -> Reply:
        connection = self._connection
        if connection is None or not connection.usable:
            connection = await self._connect()
        call.connected = True
        return await connection.unary(call)

    async def stream(self, path: str, metadata: Metadata = ()) -> Stream:
        connection = self._connection
        if connection is None or not connection.usable:
            connection = await self._connect()
        return await connection.stream(path, metadata)

    async def close(self) -> None:
        self._closed = True
        for connection in list(self._alive):
            await connection.close()

    async def _connect(self) -> Connection:
        """The connection that takes new calls. Raises ConnectionBrokenError (not sent)."""
        failures = self._failures
        async with self._dialling:
            if self._connection is not None and self._connection.usable:
                return self._connection
            if self._closed:
                raise self._not_connected("the client is closed")
            if self._failures != failures:  # somebody else tried while we waited
                raise self._not_connected(self._failure)
            try:
                self._connection = await self._dial()
            except ConnectionBrokenError as error:
                self._failures += 1
                self._failure = error.reason
                raise
            return self._connection

    async def _dial(self) -> Connection:
        try:
            async with asyncio.timeout(self._options.timeout):
                return await self._open()
        except TimeoutError:
            raise self._not_connected(f"no connection within {self._options.timeout:g} s") from None
        except ssl.SSLCertVerificationError as error:
            raise self._not_connected(f"TLS: {error.verify_message}") from error
        except ssl.SSLError as error:
            raise self._not_connected(f"TLS: {error.reason or error}") from error
        except socket.gaierror as error:
            raise self._not_connected(f"the name does not resolve: {error.strerror}") from error
        except OSError as error:
            reason = os.strerror(error.errno).lower() if error.errno else str(error)
            raise self._not_connected(reason) from error

    async def _open(self) -> Connection:
        """A connection on which the server has shown that it speaks HTTP/2."""
        loop = asyncio.get_running_loop()
        raw_socket = await _connect_socket(self._endpoint, loop)
        connection = Connection(self._endpoint, raw_socket, self._options.connection, loop)
        try:
            transport, _ = await loop.create_connection(
                lambda: connection,
                sock=raw_socket,
                ssl=self._tls,
                server_hostname=(self._options.server_name or self._endpoint.host) if self._tls else None,
                ssl_shutdown_timeout=TLS_GOODBYE_S if self._tls else None,
            )
        except BaseException:
            raw_socket.close()
            raise
        self._keep(connection)
        try:
            _check_protocol(transport.get_extra_info("ssl_object"))
            await connection.opened
        except BaseException:
            connection.opened.cancel()
            connection.abort("it could not be opened")
            raise
        return connection

    def _keep(self, connection: Connection) -> None:
        self._alive.add(connection)
        connection.closed.add_done_callback(lambda _: self._alive.discard(connection))
        forked.register(connection)

    def _not_connected(self, reason: str) -> ConnectionBrokenError:
        return ConnectionBrokenError(str(self._endpoint), reason, sent=False)


async def _connect_socket(endpoint: Endpoint, loop: asyncio.AbstractEventLoop) -> socket.socket:
    """A connected socket to the first address that takes it; the last address's error when none does.

    The socket is made here and not by asyncio, for a forked child must be able to let go of it (`forked`).
    """
    failure = OSError(f"{endpoint.host} has no address")
    for family, address in await _addresses(endpoint, loop):
        raw_socket = socket.socket(family, socket.SOCK_STREAM)
        try:
            raw_socket.setblocking(False)
            raw_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.sock_connect(raw_socket, address)
        except OSError as error:
            raw_socket.close()
            failure = error
        except BaseException:
            raw_socket.close()
            raise
        else:
            return raw_socket
    raise failure


async def _addresses(endpoint: Endpoint, loop: asyncio.AbstractEventLoop) -> list[tuple[int, Any]]:
    """The addresses of an endpoint. One that is written as numbers needs no resolver, which would need a thread."""
    try:
        address = ipaddress.ip_address(endpoint.host)
    except ValueError:
        found = await loop.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
        return [(family, sockaddr) for family, _, _, _, sockaddr in found]
    return [(socket.AF_INET if address.version == 4 else socket.AF_INET6, (endpoint.host, endpoint.port))]


def _check_protocol(encryption: ssl.SSLObject | None) -> None:
    """HTTP/2 over TLS is agreed on in the handshake (RFC 9113, 3.2)."""
    if encryption is not None and encryption.selected_alpn_protocol() != "h2":
        raise OSError("TLS: the server does not offer HTTP/2")
