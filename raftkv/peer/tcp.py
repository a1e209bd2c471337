"""Peers over TCP or TLS.

Each node dials every other and sends on the connection it dialled; it receives on those it accepted. So a message and its
answer use two connections, and neither side has to agree on who dials. A snapshot gets a connection of its own.

    dialler                        acceptor
    Hello ------------------------>            who I am, whom I mean, what for
          <------------------------ Hello      welcome, or the reason of the refusal
    Frame, Frame, ... ------------>            MESSAGES: until either side closes
    SnapshotRows, ... ------------>            SNAPSHOT: InstallSnapshot first, the empty SnapshotRows last
          <------------------------ Hello      installed, or the reason why not

Bounds: a link that cannot send holds at most MAX_BUFFERED_BYTES, then drops messages and starts over; an accepted connection
must say Hello within HELLO_TIMEOUT_S and send frames of at most MAX_FRAME_BYTES.
"""

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import cast

import structlog
from google.protobuf.message import DecodeError

from raftkv.errors import PeerError
from raftkv.pb import raft as pb
from raftkv.peer.asks import ASKS
from raftkv.peer.codec import MalformedFrameError, PeerMessage, decode, encode
from raftkv.peer.framing import Deframer, pack
from raftkv.peer.peers import Receiver
from raftkv.raft.messages import InstallSnapshot

log = structlog.get_logger(__name__)

PROTOCOL = 1
"""The version of this conversation; peers that speak another are refused."""
MAX_BUFFERED_BYTES = 32 * 1024 * 1024
HELLO_TIMEOUT_S = 5.0
USER_TIMEOUT_MS = 5_000
"""Data that is not acknowledged for so long means that the peer's machine is gone (TCP_USER_TIMEOUT, RFC 5482)."""
FIRST_RETRY_S = 0.02
LAST_RETRY_S = 1.0
SNAPSHOT_FRAMES_AHEAD = 8
"""Frames of a snapshot that may wait for the disk before the sender is held back."""


@dataclass(frozen=True, slots=True)
class Self:
    """Who this node is to its peers."""

    cluster_id: int
    node_id: int
    version: str


class TcpPeers:
    """The real network. `async with` it inside a TaskGroup: the group owns the tasks that dial and receive snapshots."""

    def __init__(
        self,
        this: Self,
        tasks: asyncio.TaskGroup,
        *,
        server_tls: ssl.SSLContext | None = None,
        client_tls: ssl.SSLContext | None = None,
    ) -> None:
        self.this = this
        self.tasks = tasks
        self.client_tls = client_tls
        self._server_tls = server_tls
        self._listeners: list[asyncio.Server] = []
        self._links: dict[int, _Link] = {}
        self._inbound: set[_Inbound] = set()
        self.sent_bytes: Counter[int] = Counter()
        """What was sent to each node, since the start."""
        self.received_bytes: Counter[int] = Counter()
        """What came from each node; from 0 what strangers say before they say who they are."""
        self.send_failures: Counter[int] = Counter()
        """How often messages to a node were dropped, for there was no way to it."""
        self.receiver: Receiver

    async def listen(self, host: str, port: int, receiver: Receiver) -> int:
        """Accepts peers at an address and hands what they say to `receiver`; returns the port, which is chosen where it is 0.

        Raises:
            OSError: the address cannot be had.
        """
        self.receiver = receiver
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(lambda: _Inbound(self), host, port, ssl=self._server_tls)
        self._listeners.append(listener)
        return int(listener.sockets[0].getsockname()[1])

    def set_members(self, addresses: Mapping[int, str]) -> None:
        wanted = {node_id: address for node_id, address in addresses.items() if node_id != self.this.node_id}
        for node_id, link in list(self._links.items()):
            if wanted.get(node_id) != link.address:
                self._links.pop(node_id).close()
        for node_id, address in wanted.items():
            if node_id not in self._links:
                self._links[node_id] = _Link(self, node_id, address)

    def send(self, messages: Iterable[PeerMessage]) -> None:
        frames: dict[int, list[bytes]] = {}
        for message in messages:
            frames.setdefault(message.target, []).append(encode(message))
        for target, batch in frames.items():
            if (link := self._links.get(target)) is None or not link.send(batch):
                self.send_failures[target] += 1
                self.receiver.peer_unreachable(target)

    async def send_snapshot(self, message: InstallSnapshot, frames: AsyncIterator[bytes]) -> None:
        link = self._links.get(message.target)
        if link is None:
            raise PeerError(f"node {message.target:x} is not a member")
        try:
            reader, writer = await asyncio.open_connection(*_host_port(link.address), ssl=self.client_tls)
        except OSError as error:
            raise PeerError(f"cannot reach {link.address}: {error}") from error
        try:
            writer.write(pack([self.hello(message.target, pb.Hello.SNAPSHOT), encode(message)]))
            _check_welcome(await _read_hello(reader), message.target)
            async for frame in frames:
                writer.write(pack([frame]))
                await writer.drain()
            _check_welcome(await _read_hello(reader), message.target)
        except (OSError, EOFError) as error:
            raise PeerError(f"snapshot to {link.address} broke off: {error}") from error
        finally:
            writer.close()

    @property
    def connected(self) -> list[int]:
        """The members that messages can be sent to now."""
        return [node_id for node_id, link in list(self._links.items()) if link.open]

    async def close(self) -> None:
        """Closes every connection and stops accepting."""
        for link in self._links.values():
            link.close()
        self._links.clear()
        for listener in self._listeners:
            listener.close()
        for connection in list(self._inbound):
            connection.close()
        for listener in self._listeners:
            await listener.wait_closed()

    # --- used by the connections ---

    def hello(self, target: int, purpose: "pb.Hello.Purpose", refusal: str = "") -> bytes:
        """This node's encoded Hello to `target`."""
        return pb.Hello(
            protocol=PROTOCOL,
            cluster_id=self.this.cluster_id,
            source=self.this.node_id,
            target=target,
            purpose=purpose,
            version=self.this.version,
            refusal=refusal,
        ).SerializeToString()

    def refusal(self, hello: pb.Hello) -> str:
        """Why a peer that opens with `hello` is not welcome; empty if it is."""
        if hello.protocol != PROTOCOL:
            return f"peer protocol {hello.protocol} is not spoken here, only {PROTOCOL}"
        if hello.cluster_id != self.this.cluster_id:
            return f"this is cluster {self.this.cluster_id:x}, not {hello.cluster_id:x}"
        if hello.target != self.this.node_id:
            return f"this is member {self.this.node_id:x}, not {hello.target:x}"
        return ""

    def opened(self, connection: "_Inbound") -> None:
        """A connection was accepted."""
        self._inbound.add(connection)

    def closed(self, connection: "_Inbound") -> None:
        """An accepted connection ended; its node may have."""
        self._inbound.discard(connection)
        if connection.source:
            self.receiver.peer_lost(connection.source)


class _Link(asyncio.Protocol):
    """The way to one peer: dials, says Hello, then sends; dials again when the connection breaks."""

    def __init__(self, peers: TcpPeers, node_id: int, address: str) -> None:
        self.address = address
        self._peers = peers
        self._node_id = node_id
        self._transport: asyncio.Transport | None = None
        self._welcome = False
        self._deframer = Deframer()
        self._ended = asyncio.Event()
        self._task = peers.tasks.create_task(self._keep_connected(), name=f"link to {address}")

    def send(self, frames: list[bytes]) -> bool:
        """Sends the frames, or drops them and returns False."""
        transport = self._transport
        if transport is None or not self._welcome:
            return False
        if transport.get_write_buffer_size() > MAX_BUFFERED_BYTES:
            log.warning("peer takes no more data, connecting again", peer=self.address)
            transport.abort()
            return False
        data = pack(frames)
        self._peers.sent_bytes[self._node_id] += len(data)
        transport.write(data)
        return True

    @property
    def open(self) -> bool:
        """Whether the peer takes messages."""
        return self._transport is not None and self._welcome

    def close(self) -> None:
        self._task.cancel()
        if self._transport is not None:
            self._transport.close()

    async def _keep_connected(self) -> None:
        loop = asyncio.get_running_loop()
        host, port = _host_port(self.address)
        delay = FIRST_RETRY_S
        while True:
            self._ended.clear()
            try:
                async with asyncio.timeout(HELLO_TIMEOUT_S):
                    await loop.create_connection(lambda: self, host, port, ssl=self._peers.client_tls)
            except OSError:  # TimeoutError is one of them
                await asyncio.sleep(delay)
                delay = min(delay * 2, LAST_RETRY_S)
                continue
            await self._ended.wait()
            delay = FIRST_RETRY_S if self._welcome else min(delay * 2, LAST_RETRY_S)
            self._welcome = False
            await asyncio.sleep(delay)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        _tune(self._transport)
        self._deframer = Deframer()
        self._transport.write(pack([self._peers.hello(self._node_id, pb.Hello.MESSAGES)]))

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._deframer.feed(data):
                self._greeted(pb.Hello.FromString(frame))
        except (MalformedFrameError, DecodeError) as error:
            log.warning("peer answers nonsense", peer=self.address, error=str(error))
            self._abort()

    def _greeted(self, hello: pb.Hello) -> None:
        if hello.refusal:
            log.warning("peer refuses this node", peer=self.address, reason=hello.refusal)
            self._abort()
        else:
            self._welcome = True

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's signature)
        self._transport = None
        self._ended.set()
        if self._welcome:
            self._peers.receiver.peer_lost(self._node_id)


class _Inbound(asyncio.Protocol):
    """A connection that a peer opened: Hello, then messages or a snapshot."""

    def __init__(self, peers: TcpPeers) -> None:
        self.source = 0  # the peer, once it is welcome and sends messages
        self._peers = peers
        self._deframer = Deframer()
        self._handle = self._hello
        self._frames: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._snapshot_source = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        _tune(self._transport)
        self._patience = asyncio.get_running_loop().call_later(HELLO_TIMEOUT_S, self._transport.abort)
        self._peers.opened(self)

    def close(self) -> None:
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._peers.received_bytes[self.source] += len(data)
        try:
            for frame in self._deframer.feed(data):
                self._handle(frame)
        except (MalformedFrameError, DecodeError) as error:
            log.warning("peer sends nonsense", peer=f"{self.source:x}", error=str(error))
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's signature)
        self._patience.cancel()
        self._frames.put_nowait(None)
        self._peers.closed(self)

    def _hello(self, frame: bytes) -> None:
        hello = pb.Hello.FromString(frame)
        self._patience.cancel()
        refusal = self._peers.refusal(hello)
        self._transport.write(pack([self._peers.hello(hello.source, hello.purpose, refusal)]))
        if refusal:
            log.warning("refused a peer", source=f"{hello.source:x}", reason=refusal)
            self._handle = self._ignore
            self._transport.close()
        elif hello.purpose == pb.Hello.SNAPSHOT:
            self._snapshot_source = hello.source
            self._handle = self._snapshot_begins
        else:
            self.source = hello.source
            self._handle = self._message

    def _ignore(self, frame: bytes) -> None:
        """What a refused peer still says."""

    def _message(self, frame: bytes) -> None:
        message = decode(frame)
        if message.source != self.source or message.target != self._peers.this.node_id:
            raise MalformedFrameError(f"a message from {message.source:x} to {message.target:x} on the wrong connection")
        if isinstance(message, ASKS):
            self._peers.receiver.ask_arrived(message)
        else:
            self._peers.receiver.receive(message)

    def _snapshot_begins(self, frame: bytes) -> None:
        message = decode(frame)
        if not isinstance(message, InstallSnapshot) or message.source != self._snapshot_source:
            raise MalformedFrameError("a snapshot connection must begin with its InstallSnapshot")
        self._handle = self._snapshot_frame
        self._peers.tasks.create_task(self._receive_snapshot(message), name="snapshot from a peer")

    def _snapshot_frame(self, frame: bytes) -> None:
        self._frames.put_nowait(frame)
        if self._frames.qsize() >= SNAPSHOT_FRAMES_AHEAD:
            self._transport.pause_reading()

    async def _receive_snapshot(self, message: InstallSnapshot) -> None:
        refusal = ""
        try:
            await self._peers.receiver.receive_snapshot(message, self._snapshot_frames())
        except PeerError as error:
            refusal = str(error)
            log.warning("snapshot not installed", source=f"{message.source:x}", reason=refusal)
        if not self._transport.is_closing():
            self._transport.write(pack([self._peers.hello(message.source, pb.Hello.SNAPSHOT, refusal)]))
            self._transport.close()

    async def _snapshot_frames(self) -> AsyncIterator[bytes]:
        while (frame := await self._frames.get()) is not None:
            if self._frames.empty() and not self._transport.is_closing():
                self._transport.resume_reading()
            yield frame


def _tune(transport: asyncio.Transport) -> None:
    """No waiting for more to send, and an early word about a machine that is gone."""
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)


def _host_port(address: str) -> tuple[str, int]:
    """`host:port`, `[::1]:port` -> what a socket takes."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


async def _read_hello(reader: asyncio.StreamReader) -> pb.Hello:
    length = int.from_bytes(await reader.readexactly(4), "big")
    return pb.Hello.FromString(await reader.readexactly(length))


def _check_welcome(hello: pb.Hello, target: int) -> None:
    if hello.refusal:
        raise PeerError(f"node {target:x} refuses: {hello.refusal}")
