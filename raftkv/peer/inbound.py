"""A connection that another node opened, from its first byte to its last.

    accepted --TLS handshake, if any--> wants Hello --refused--> closed
                                            | MESSAGES: messages, until either side closes
                                            | SNAPSHOT: InstallSnapshot, rows, then the answer
                                            | JOIN: the roster, then closed

Nothing that comes is believed before it was looked at, and nothing can make it raise: nonsense closes the connection.
"""

import asyncio
import socket
from collections import Counter
from typing import Protocol, cast

import structlog
from google.protobuf.message import DecodeError

from raftkv.errors import PeerError
from raftkv.pb import raft as pb
from raftkv.peer.asks import ASKS
from raftkv.peer.codec import MalformedFrameError, decode
from raftkv.peer.framing import MAX_FRAME_BYTES, Deframer, pack
from raftkv.peer.peers import Receiver
from raftkv.peer.snapshot_frames import SnapshotFrames
from raftkv.raft.messages import InstallSnapshot
from raftkv.tls.seldom import Seldom

log = structlog.get_logger(__name__)

HELLO_TIMEOUT_S = 5.0
MAX_HELLO_BYTES = 16 * 1024
"""Before a peer has said who it is."""
MAX_HELD_BYTES = 256 * 1024 * 1024
"""Parts of frames that are not complete, of all connections."""
USER_TIMEOUT_MS = 5_000
"""Data that is not acknowledged for so long means that the peer's machine is gone (TCP_USER_TIMEOUT, RFC 5482)."""
TLS_HANDSHAKE = b"\x16\x03"
"""How a client of TLS begins (RFC 8446, 5.1)."""
PLAIN_TEXT_ONLY = b"only plain text is spoken here"
"""No TLS client can read it, but all of them take it for what it is."""


class Host(Protocol):
    """The node, as its visitors see it."""

    node_id: int
    receiver: Receiver
    tasks: asyncio.TaskGroup
    seldom: Seldom
    held_bytes: int
    received_bytes: Counter[int]
    receive_failures: Counter[int]

    def hello(self, target: int, purpose: "pb.Hello.Purpose", refusal: str = "") -> bytes: ...
    def refusal(self, hello: pb.Hello, transport: asyncio.BaseTransport) -> str: ...
    def roster(self) -> bytes: ...
    def admit(self, connection: "Inbound") -> bool: ...
    def speaks(self, connection: "Inbound") -> None: ...
    def closed(self, connection: "Inbound") -> None: ...


class Inbound(asyncio.Protocol):
    """A connection that a peer opened: Hello, then messages or a snapshot."""

    def __init__(self, peers: Host) -> None:
        self.source = 0  # the peer, once it is welcome and sends messages
        self.handshake: asyncio.Task[None] | None = None
        self._peers = peers
        self._transport: asyncio.Transport | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._deframer = Deframer(MAX_HELLO_BYTES)
        self._handle = self._hello
        self._snapshot: SnapshotFrames | None = None
        self._snapshot_source = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        if not self._peers.admit(self):
            self._transport.abort()
            return
        tune(self._transport)
        self._patience = asyncio.get_running_loop().call_later(HELLO_TIMEOUT_S, self._transport.abort)

    def release(self) -> None:
        """The TLS handshake failed."""
        self._peers.closed(self)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
        elif self.handshake is not None:
            self.handshake.cancel()

    def abort(self) -> None:
        """Ends the connection without a word."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        peers = self._peers
        peers.received_bytes[self.source] += len(data)
        try:
            for frame in self._cut(data):
                self._handle(frame)
        except (MalformedFrameError, DecodeError) as error:
            peers.receive_failures[self.source] += 1
            if peers.seldom.allows(f"{self.source}: {error}"):
                log.warning("peer sends nonsense", peer=f"{self.source:x}", error=str(error))
            if self._transport is not None and not self._transport.is_closing():
                self._transport.abort()

    def _cut(self, data: bytes) -> list[bytes]:
        """The frames that are complete now. Raises MalformedFrameError where it speaks another language, or too much."""
        if self._patience is not None and data.startswith(TLS_HANDSHAKE):
            self._write(PLAIN_TEXT_ONLY)
            self.close()
            raise MalformedFrameError("it speaks TLS, and here only plain text is spoken")
        peers, deframer = self._peers, self._deframer
        before = deframer.held
        try:
            frames = deframer.feed(data)
        finally:
            peers.held_bytes += deframer.held - before
        if deframer.held > before and peers.held_bytes > MAX_HELD_BYTES:
            raise MalformedFrameError("more parts of frames than there is room for")
        return frames

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's signature)
        self._stop_waiting()
        self._peers.held_bytes -= self._deframer.held
        if self._snapshot is not None:
            self._snapshot.end()
        self._peers.closed(self)

    def _stop_waiting(self) -> None:
        """It has said who it is, or will not."""
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _write(self, frame: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(pack([frame]))

    def _hello(self, frame: bytes) -> None:
        hello = pb.Hello.FromString(frame)
        self._stop_waiting()
        assert self._transport is not None
        refusal = self._peers.refusal(hello, self._transport)
        self._write(self._peers.hello(hello.source, hello.purpose, refusal))
        self._handle = self._ignore
        if refusal:
            if self._peers.seldom.allows(f"{hello.source}: {refusal}"):
                log.warning("refused a peer", source=f"{hello.source:x}", reason=refusal)
            self.close()
            return
        self._deframer.limit = MAX_FRAME_BYTES
        if hello.purpose == pb.Hello.JOIN:
            self._write(self._peers.roster())
            self.close()
        elif hello.purpose == pb.Hello.SNAPSHOT:
            self._snapshot_source = hello.source
            self._handle = self._snapshot_begins
        else:
            self.source = hello.source
            self._handle = self._message
            self._peers.speaks(self)

    def _ignore(self, frame: bytes) -> None:
        """What a refused peer still says."""

    def _message(self, frame: bytes) -> None:
        message = decode(frame)
        if message.source != self.source or message.target != self._peers.node_id:
            raise MalformedFrameError(f"a message from {message.source:x} to {message.target:x} on the wrong connection")
        if isinstance(message, ASKS):
            self._peers.receiver.ask_arrived(message)
        else:
            self._peers.receiver.receive(message)

    def _snapshot_begins(self, frame: bytes) -> None:
        message = decode(frame)
        if not isinstance(message, InstallSnapshot) or message.source != self._snapshot_source:
            raise MalformedFrameError("a snapshot connection must begin with its InstallSnapshot")
        assert self._transport is not None
        self._snapshot = SnapshotFrames(self._transport)
        self._handle = self._snapshot.add
        self._peers.tasks.create_task(self._receive_snapshot(message, self._snapshot), name="snapshot from a peer")

    async def _receive_snapshot(self, message: InstallSnapshot, frames: SnapshotFrames) -> None:
        refusal = ""
        try:
            await self._peers.receiver.receive_snapshot(message, aiter(frames))
        except PeerError as error:
            refusal = str(error)
            log.warning("snapshot not installed", source=f"{message.source:x}", reason=refusal)
        self._write(self._peers.hello(message.source, pb.Hello.SNAPSHOT, refusal))
        self.close()


def tune(transport: asyncio.Transport) -> None:
    """No waiting for more to send, and an early word about a machine that is gone."""
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
