"""Peers over TCP or TLS.

Each node dials every other and sends on the connection it dialled; it receives on those it accepted. So a message and its
answer use two connections, and neither side has to agree on who dials. A snapshot gets a connection of its own.

    dialler                        acceptor
    Hello ------------------------>            who I am, whom I mean, what for
          <------------------------ Hello      welcome, or the reason of the refusal
    Frame, Frame, ... ------------>            MESSAGES: until either side closes
    SnapshotRows, ... ------------>            SNAPSHOT: InstallSnapshot first, the empty SnapshotRows last
          <------------------------ Hello      installed, or the reason why not
          <------------------------ Roster     JOIN: who the members are, for a node that has no data yet

Whoever may come in has to be believed: Raft has no defence against a member that lies. So with TLS and a CA both sides show
certificates, and that of a member must be valid for the host at which the cluster knows it; without them the peer port
belongs on a network of its own.

Bounds: a link that cannot send holds at most MAX_BUFFERED_BYTES, then drops messages and starts over; at most MAX_INBOUND
connections are accepted, one for each member's messages; each must end its TLS handshake and say Hello, of at most
MAX_HELLO_BYTES, within HELLO_TIMEOUT_S; frames have at most MAX_FRAME_BYTES, incomplete ones together MAX_HELD_BYTES.
"""

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import cast

import structlog
from google.protobuf.message import DecodeError

from raftkv.errors import PeerError
from raftkv.pb import raft as pb
from raftkv.peer.address import Address
from raftkv.peer.codec import MalformedFrameError, PeerMessage, encode
from raftkv.peer.framing import Deframer, pack
from raftkv.peer.inbound import HELLO_TIMEOUT_S, MAX_HELLO_BYTES, Inbound, tune
from raftkv.peer.peers import Receiver
from raftkv.raft.messages import InstallSnapshot
from raftkv.tls import ClientTLS, ServerTLS, TLSListener
from raftkv.tls.names import hosts_of, valid_for
from raftkv.tls.seldom import Seldom

log = structlog.get_logger(__name__)

PROTOCOL = 1
"""The version of this conversation; peers that speak another are refused."""
MAX_BUFFERED_BYTES = 32 * 1024 * 1024
MAX_INBOUND = 256
"""Connections from others, in any state. A cluster needs one for each member, and one for a snapshot."""
NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"})
"""What OpenSSL says to an answer in plain text."""
TLS_ALERT = b"\x15\x03"
"""How a server of TLS answers plain text (RFC 8446, 5.1)."""
FIRST_RETRY_S = 0.02
LAST_RETRY_S = 1.0


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
        server_tls: ServerTLS | None = None,
        client_tls: ClientTLS | None = None,
    ) -> None:
        self.this = this
        self.node_id = this.node_id
        self.tasks = tasks
        self.client_tls = client_tls
        self._server_tls = server_tls
        self.held_bytes = 0
        """Parts of frames that are not complete, of all accepted connections."""
        self.seldom = Seldom(asyncio.get_running_loop().time)
        self._listeners: list[asyncio.Server] = []
        self._tls_listeners: list[TLSListener] = []
        self._links: dict[int, _Link] = {}
        self._inbound: set[Inbound] = set()
        self._speakers: dict[int, Inbound] = {}
        """Where each node's messages come in."""
        self.sent_bytes: Counter[int] = Counter()
        """What was sent to each node, since the start."""
        self.received_bytes: Counter[int] = Counter()
        """What came from each node; from 0 what strangers say before they say who they are."""
        self.send_failures: Counter[int] = Counter()
        """How often messages to a node were dropped, for there was no way to it."""
        self.receive_failures: Counter[int] = Counter()
        """How often a node said what cannot be understood."""
        self.disconnects: Counter[int] = Counter()
        """How often the way to a node was lost."""
        self._removed: frozenset[int] = frozenset()
        self.receiver: Receiver

    async def listen(self, host: str, port: int, receiver: Receiver, *, secure: bool = False) -> int:
        """Accepts peers at an address and hands what they say to `receiver`; returns the port, which is chosen where it is 0.
        `secure`: with TLS.

        Raises:
            OSError: the address cannot be had.
        """
        self.receiver = receiver
        if secure:
            assert self._server_tls is not None, "settings with https:// have certificates"
            secure_listener = TLSListener(
                self._server_tls, self._welcome, self.tasks.create_task, handshake_seconds=HELLO_TIMEOUT_S
            )
            self._tls_listeners.append(secure_listener)
            return await secure_listener.open(host, port)
        listener = await asyncio.get_running_loop().create_server(lambda: Inbound(self), host, port)
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

    def set_removed(self, node_ids: Collection[int]) -> None:
        self._removed = frozenset(node_ids)
        for connection in [connection for connection in self._inbound if connection.source in self._removed]:
            connection.close()

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
            reader, writer = await self._open(link.address)
        except OSError as error:
            raise PeerError(f"cannot reach {link.address}: {error}") from error
        try:
            self.check_server(writer.transport)
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

    async def _open(self, url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        address = Address.of(url)
        timeout = HELLO_TIMEOUT_S if address.secure else None
        return await asyncio.open_connection(
            address.host, address.port, ssl=self.dialling_context(url), ssl_handshake_timeout=timeout
        )

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
        for secure_listener in self._tls_listeners:
            await secure_listener.close()
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
            removed=target in self._removed,
        ).SerializeToString()

    def dialling_context(self, url: str) -> ssl.SSLContext | None:
        """How to speak to a member at this URL; None: in plain text.

        Raises:
            PeerError: there are no certificates to do it with.
        """
        if not Address.of(url).secure:
            return None
        if self.client_tls is None:
            raise PeerError(f"{url} needs TLS, and this node has no --peer-cert-file")
        return self.client_tls.context()

    def check_server(self, transport: asyncio.BaseTransport) -> None:
        """Raises PeerError where the certificate of a member that was dialled is not an allowed one."""
        if transport.get_extra_info("ssl_object") is not None and self.client_tls is not None:
            reason = self.client_tls.refusal(transport.get_extra_info("peercert"))
            if reason:
                raise PeerError(f"it shows a {reason}")

    def _stranger(self, transport: asyncio.BaseTransport, source: int) -> str:
        """Why the certificate behind a connection is not that of node `source`; empty if it is, or if none was asked for."""
        certificate = transport.get_extra_info("peercert")
        if self._server_tls is None or not certificate:
            return ""
        if reason := self._server_tls.refusal(certificate):
            return reason
        link = self._links.get(source)
        if link is None or valid_for(certificate, Address.of(link.address).host):
            return ""
        return f"certificate for {', '.join(hosts_of(certificate)) or 'nobody'}, not for member {source:x} at {link.address}"

    def refusal(self, hello: pb.Hello, transport: asyncio.BaseTransport) -> str:
        """Why a peer that opens with `hello` is not welcome; empty if it is."""
        if hello.protocol != PROTOCOL:
            return f"peer protocol {hello.protocol} is not spoken here, only {PROTOCOL}"
        joins = hello.purpose == pb.Hello.JOIN
        return ("" if joins else self._mismatch(hello)) or self._stranger(transport, hello.source)

    def _mismatch(self, hello: pb.Hello) -> str:
        """Who it is, and whom it means."""
        if hello.cluster_id != self.this.cluster_id:
            return f"this is cluster {self.this.cluster_id:x}, not {hello.cluster_id:x}"
        if hello.target != self.this.node_id:
            return f"this is member {self.this.node_id:x}, not {hello.target:x}"
        if hello.source in {0, self.this.node_id}:
            return f"a peer cannot be {hello.source:x}"
        if hello.source in self._removed:
            return f"member {hello.source:x} was permanently removed from the cluster"
        return ""

    def roster(self) -> bytes:
        """The encoded answer to a node that is about to join."""
        members, removed = self.receiver.roster()
        return pb.Roster(members=[member.SerializeToString() for member in members], removed=removed).SerializeToString()

    def _welcome(self) -> Inbound | None:
        """A visitor that begins its TLS handshake, or None where there is no room."""
        visitor = Inbound(self)
        return visitor if self.admit(visitor) else None

    def admit(self, connection: Inbound) -> bool:
        """Whether there is room for one more connection; harmless when asked twice."""
        if connection not in self._inbound:
            if len(self._inbound) >= MAX_INBOUND:
                return False
            self._inbound.add(connection)
        return True

    def speaks(self, connection: Inbound) -> None:
        """A connection says whose messages it brings. An earlier one of that node is dead: nodes dial again only then."""
        earlier = self._speakers.get(connection.source)
        self._speakers[connection.source] = connection
        if earlier is not None:
            earlier.abort()

    def closed(self, connection: Inbound) -> None:
        """An accepted connection ended; its node may have."""
        self._inbound.discard(connection)
        if connection.source and self._speakers.get(connection.source) is connection:
            del self._speakers[connection.source]
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
        address = Address.of(self.address)
        delay = FIRST_RETRY_S
        while True:
            self._ended.clear()
            try:
                async with asyncio.timeout(HELLO_TIMEOUT_S):
                    tls = self._peers.dialling_context(self.address)
                    await loop.create_connection(lambda: self, address.host, address.port, ssl=tls)
            except (OSError, PeerError) as error:  # TimeoutError is an OSError
                self._complain(error)
                await asyncio.sleep(delay)
                delay = min(delay * 2, LAST_RETRY_S)
                continue
            await self._ended.wait()
            delay = FIRST_RETRY_S if self._welcome else min(delay * 2, LAST_RETRY_S)
            self._welcome = False
            await asyncio.sleep(delay)

    def _complain(self, error: OSError | PeerError) -> None:
        """A node that is not there yet is nothing to talk about, in contrast to one that cannot be spoken to."""
        if isinstance(error, ssl.SSLCertVerificationError):
            reason = f"its certificate was refused: {error.verify_message}"
        elif isinstance(error, ssl.SSLError):
            reason = "it does not speak TLS, but its peer URL begins with https://"
            if error.reason not in NO_TLS:
                reason = (error.reason or str(error)).lower().replace("_", " ")
        elif isinstance(error, PeerError):
            reason = str(error)
        else:
            return
        self._warn(reason)

    def _warn(self, reason: str) -> None:
        if self._peers.seldom.allows(f"{self.address}: {reason}"):
            log.warning("cannot speak to a peer", peer=self.address, reason=reason)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        try:
            self._peers.check_server(transport)
        except PeerError as error:
            self._warn(str(error))
            self._abort()
            return
        tune(self._transport)
        self._deframer = Deframer(MAX_HELLO_BYTES)
        self._transport.write(pack([self._peers.hello(self._node_id, pb.Hello.MESSAGES)]))

    def data_received(self, data: bytes) -> None:
        if not self._welcome and data.startswith(TLS_ALERT):
            self._warn("it speaks TLS, but its peer URL begins with http://")
            self._abort()
            return
        try:
            for frame in self._deframer.feed(data):
                self._greeted(pb.Hello.FromString(frame))
        except (MalformedFrameError, DecodeError) as error:
            self._warn(f"it answers nonsense: {error}")
            self._abort()

    def _greeted(self, hello: pb.Hello) -> None:
        if hello.refusal:
            self._warn(f"it refuses this node: {hello.refusal}")
            self._abort()
            if hello.removed:
                self._peers.receiver.expelled()
        else:
            self._welcome = True

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's signature)
        self._transport = None
        self._ended.set()
        if self._welcome:
            self._peers.disconnects[self._node_id] += 1
            self._peers.receiver.peer_lost(self._node_id)


async def _read_hello(reader: asyncio.StreamReader) -> pb.Hello:
    length = int.from_bytes(await reader.readexactly(4), "big")
    if length > MAX_HELLO_BYTES:
        raise PeerError(f"a peer announces a Hello of {length} bytes")
    return pb.Hello.FromString(await reader.readexactly(length))


def _check_welcome(hello: pb.Hello, target: int) -> None:
    if hello.refusal:
        raise PeerError(f"node {target:x} refuses: {hello.refusal}")
