"""The door of a server: who may come in, and which protocol the client speaks.

accepted --(too many, or too many in their handshake)--> closed
    --> TLS handshake, with a deadline --(not the certificate of a friend)--> closed
    --> first bytes, with a deadline
          the HTTP/2 preface, or ALPN h2 --> GrpcProtocol
          a TLS handshake                --> closed
          anything else                  --> the HTTP/1.1 protocol, or closed
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import cast

import structlog

from raftkv.http2.frames import PREFACE
from raftkv.http2.protocol import GrpcProtocol, Shared
from raftkv.tls import ServerTLS
from raftkv.tls.seldom import Seldom

log = structlog.get_logger(__name__)

TLS_HANDSHAKE = b"\x16\x03"
"""How every TLS connection begins (RFC 8446, 5.1); no HTTP does."""

PLAIN_TEXT_ONLY = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nonly plain text is spoken here\n"
"""No TLS client can read it, but all of them take it for what it is."""

ProtocolFactory = Callable[[], asyncio.BaseProtocol]


class Door:
    """The rules of a server, and everybody who is inside, by whatever listener."""

    __slots__ = ("_empty", "_gates", "_seldom", "http1", "shaking_hands", "shared")

    def __init__(self, shared: Shared, http1: ProtocolFactory | None) -> None:
        self.shared = shared
        self.http1 = http1
        self.shaking_hands = 0
        """How many of those inside are still in their TLS handshake."""
        self._gates: set[Gate] = set()
        self._seldom = Seldom(asyncio.get_running_loop().time)
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._gates)

    @property
    def gates(self) -> "list[Gate]":
        """Those inside now."""
        return list(self._gates)

    def admit(self, gate: "Gate") -> bool:
        """Whether there is room for one more; harmless when asked twice."""
        if gate not in self._gates:
            if len(self._gates) >= self.shared.options.max_connections:
                return False
            self._gates.add(gate)
            self._empty.clear()
        return True

    def welcome(self, tls: ServerTLS) -> "Gate | None":
        """A gate for a connection that begins its handshake, or None where there is no room."""
        if self.shaking_hands >= self.shared.options.max_handshakes:
            return None
        gate = Gate(self, tls)
        if self.admit(gate):
            return gate
        gate.release()
        return None

    def refuse(self, address: object, reason: str) -> None:
        """Says why somebody is sent away, but not endlessly."""
        if self._seldom.allows(reason):
            log.warning("a client was sent away", address=str(address), reason=reason)

    def release(self, gate: "Gate") -> None:
        """Gone; harmless when said twice."""
        self._gates.discard(gate)
        if not self._gates:
            self._empty.set()

    async def wait_empty(self, seconds: float) -> None:
        """Until nobody is inside, or the time is up."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._empty.wait()


class Gate(asyncio.Protocol):
    """One connection, until it is known what it speaks; with HTTP/1.1 to its end, for somebody must count it.

    Invariant: it is inside from its admission to the loss of its connection.
    """

    def __init__(self, door: Door, tls: ServerTLS | None = None) -> None:
        self._door = door
        self._tls = tls
        self._shaking_hands = tls is not None
        door.shaking_hands += self._shaking_hands
        self._transport: asyncio.Transport | None = None
        self._early = b""
        """What came before the protocol was known."""
        self._timer: asyncio.TimerHandle | None = None
        self._http1: asyncio.Protocol | None = None
        self.handshake: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is ready for use, behind its TLS handshake if there is one."""
        self._transport = cast("asyncio.Transport", transport)
        self._hands_shaken()
        if not self._door.admit(self) or not self._is_friend(transport):
            self._transport.abort()
            return
        tunnel = transport.get_extra_info("ssl_object")
        agreed = tunnel.selected_alpn_protocol() if tunnel is not None else None
        if agreed == "h2":
            self._enter_http2(self._transport)
        elif agreed is not None:
            self._enter_http1(self._transport)
        else:
            seconds = self._door.shared.options.handshake_seconds
            self._timer = asyncio.get_running_loop().call_later(seconds, self.abort)

    def data_received(self, data: bytes) -> None:
        """The first bytes, or all of an HTTP/1.1 connection."""
        if self._http1 is not None:
            self._http1.data_received(data)
            return
        assert self._transport is not None
        self._early += data
        if not PREFACE.startswith(self._early[: len(PREFACE)]):
            self._enter_http1(self._transport)
        elif len(self._early) >= len(PREFACE):
            self._enter_http2(self._transport)

    def _is_friend(self, transport: asyncio.BaseTransport) -> bool:
        reason = "" if self._tls is None else self._tls.refusal(transport.get_extra_info("peercert"))
        if reason:
            self._door.refuse(transport.get_extra_info("peername"), reason)
        return not reason

    def _hands_shaken(self) -> None:
        """Or not: the handshake is over."""
        if self._shaking_hands:
            self._shaking_hands = False
            self._door.shaking_hands -= 1

    def _enter_http2(self, transport: asyncio.Transport) -> None:
        self._stop_timer()
        protocol = GrpcProtocol(self._door.shared, self.release)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if self._early:
            protocol.data_received(self._early)
        self._early = b""

    def _enter_http1(self, transport: asyncio.Transport) -> None:
        self._stop_timer()
        if self._early.startswith(TLS_HANDSHAKE):
            self._door.refuse(
                transport.get_extra_info("peername"),
                "it speaks TLS, and here only plain text is spoken: does its URL begin with https:// in place of http://?",
            )
            transport.write(PLAIN_TEXT_ONLY)
            transport.close()
            return
        if self._door.http1 is None:
            transport.close()
            return
        self._http1 = cast("asyncio.Protocol", self._door.http1())
        self._http1.connection_made(transport)
        if self._early:
            self._http1.data_received(self._early)
        self._early = b""

    # --- HTTP/1.1 hears what it must ------------------------------------------------------------------------------

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

    # --- the end --------------------------------------------------------------------------------------------------

    @property
    def undecided(self) -> bool:
        """Nobody knows yet what it speaks."""
        return self._transport is None or self._timer is not None

    def release(self) -> None:
        """The connection is gone; a place is free."""
        self._stop_timer()
        self._hands_shaken()
        self._door.release(self)

    def abort(self) -> None:
        """Ends the connection without a word."""
        if self._transport is not None:
            self._transport.abort()
        elif self.handshake is not None:
            self.handshake.cancel()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
