"""The door of a listener: who may come in, TLS, and which protocol the client speaks.

    accepted --(too many)--> aborted
        --> TLS handshake, with a deadline --> first bytes, with a deadline
              the HTTP/2 preface, or ALPN h2 --> GrpcProtocol
              anything else                  --> the HTTP/1.1 protocol, or closed

TLS is started here and not by the listener, for a listener tells nobody about connections that never finish their handshake
(CVE-2026-73500), and so could neither count nor end them.
"""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from raftkv.errors import StoppedError
from raftkv.http2.frames import PREFACE
from raftkv.http2.protocol import GrpcProtocol, Shared

ProtocolFactory = Callable[[], asyncio.BaseProtocol]


class Gates:
    """Everybody who is inside, by whatever listener: one number of connections for a server."""

    __slots__ = ("_empty", "_gates")

    def __init__(self) -> None:
        self._gates: set[Gate] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._gates)

    def __contains__(self, gate: "Gate") -> bool:
        return gate in self._gates

    def all(self) -> "list[Gate]":
        """Those inside now."""
        return list(self._gates)

    def add(self, gate: "Gate") -> None:
        self._gates.add(gate)
        self._empty.clear()

    def discard(self, gate: "Gate") -> None:
        """Gone; harmless when said twice."""
        self._gates.discard(gate)
        if not self._gates:
            self._empty.set()

    async def wait_empty(self, seconds: float) -> None:
        """Until nobody is inside, or the time is up."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._empty.wait()


class Door:
    """One listener's rules."""

    __slots__ = ("gates", "http1", "shared", "tls")

    def __init__(self, shared: Shared, gates: Gates, http1: ProtocolFactory | None, tls: ssl.SSLContext | None) -> None:
        self.shared = shared
        self.gates = gates
        self.http1 = http1
        self.tls = tls

    def __call__(self) -> "Gate":
        return Gate(self)


class Gate(asyncio.Protocol):
    """One connection, until it is known what it speaks; with HTTP/1.1 to its end, for somebody must count it.

    Invariant: it is among the door's gates exactly from connection_made to the loss of its connection.
    """

    def __init__(self, door: Door) -> None:
        self._door = door
        self._transport: asyncio.Transport | None = None
        self._secured = door.tls is None
        self._early = b""
        """What came before the protocol was known."""
        self._timer: asyncio.TimerHandle | None = None
        self._http1: asyncio.Protocol | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody knocks."""
        door = self._door
        self._transport = cast("asyncio.Transport", transport)
        if len(door.gates) >= door.shared.options.max_connections:
            self._transport.abort()
            return
        door.gates.add(self)
        if door.tls is None:
            self._begin()
            return
        self._transport.pause_reading()
        work = self._secure(self._transport, door.tls)
        try:
            door.shared.tasks.start(work)
        except StoppedError:
            work.close()
            self._transport.abort()

    async def _secure(self, raw: asyncio.Transport, tls: ssl.SSLContext) -> None:
        """The TLS handshake. What can go wrong with it ends the connection, and is the client's affair."""
        seconds = self._door.shared.options.handshake_seconds
        try:
            secure = await asyncio.get_running_loop().start_tls(
                raw, self, tls, server_side=True, ssl_handshake_timeout=seconds, ssl_shutdown_timeout=seconds
            )
        except (OSError, asyncio.CancelledError):
            raw.abort()
            self.release()
            return
        if secure is None or self not in self._door.gates:  # the client left in the middle
            raw.abort()
            self.release()
            return
        self._transport = secure
        self._secured = True
        self._begin()

    def _begin(self) -> None:
        """Waits for the first bytes, unless ALPN has told."""
        assert self._transport is not None
        tunnel = self._transport.get_extra_info("ssl_object")
        agreed = tunnel.selected_alpn_protocol() if tunnel is not None else None
        if agreed == "h2":
            self._enter_http2()
        elif agreed is not None:
            self._enter_http1()
        else:
            seconds = self._door.shared.options.handshake_seconds
            self._timer = asyncio.get_running_loop().call_later(seconds, self.abort)
            self._decide()

    def data_received(self, data: bytes) -> None:
        """The first bytes, or all of an HTTP/1.1 connection."""
        if self._http1 is not None:
            self._http1.data_received(data)
            return
        self._early += data
        if self._secured:
            self._decide()

    def _decide(self) -> None:
        early = self._early
        if not PREFACE.startswith(early[: len(PREFACE)]):
            self._enter_http1()
        elif len(early) >= len(PREFACE):
            self._enter_http2()

    def _enter_http2(self) -> None:
        transport = self._settle()
        protocol = GrpcProtocol(self._door.shared, self.release)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if self._early:
            protocol.data_received(self._early)
        self._early = b""

    def _enter_http1(self) -> None:
        transport = self._settle()
        if self._door.http1 is None:
            transport.close()
            return
        self._http1 = cast("asyncio.Protocol", self._door.http1())
        self._http1.connection_made(transport)
        if self._early:
            self._http1.data_received(self._early)
        self._early = b""

    def _settle(self) -> asyncio.Transport:
        assert self._transport is not None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return self._transport

    # --- HTTP/1.1 hears what it must --------------------------------------------------------------------------------

    def eof_received(self) -> bool | None:
        return self._http1.eof_received() if self._http1 is not None else False

    def pause_writing(self) -> None:
        if self._http1 is not None:
            self._http1.pause_writing()

    def resume_writing(self) -> None:
        if self._http1 is not None:
            self._http1.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._http1 is not None:
            self._http1.connection_lost(exc)
        self.release()

    # --- the end ----------------------------------------------------------------------------------------------------

    def release(self) -> None:
        """The connection is gone; a place is free."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._door.gates.discard(self)

    @property
    def undecided(self) -> bool:
        """Nobody knows yet what it speaks."""
        return self._timer is not None or not self._secured

    def abort(self) -> None:
        """Ends the connection without a word."""
        if self._transport is not None:
            self._transport.abort()
