"""Real connections on loopback: messages arrive, strangers are refused, snapshots stream, closed connections are noticed."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress

import pytest
import uvloop

from raftkv.errors import PeerError
from raftkv.pb import raft as pb
from raftkv.pb import rpc
from raftkv.peer.asks import Ask, AskReply
from raftkv.peer.framing import Deframer, pack
from raftkv.peer.tcp import Self, TcpPeers
from raftkv.raft.messages import Heartbeat, InstallSnapshot, Membership, Message, Snapshot

END = b"end"
SNAPSHOT = InstallSnapshot(1, 2, 7, Snapshot(10, 6, Membership((1, 2))))


class Inbox:
    """A receiver that remembers, and can be waited for."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[Message] = asyncio.Queue()
        self.asks: asyncio.Queue[Ask | AskReply] = asyncio.Queue()
        self.lost: asyncio.Queue[int] = asyncio.Queue()
        self.unreachable: list[int] = []
        self.frames: list[bytes] = []
        self.refuse = ""
        self.expulsions = 0

    def receive(self, message: Message) -> None:
        self.messages.put_nowait(message)

    def ask_arrived(self, message: Ask | AskReply) -> None:
        self.asks.put_nowait(message)

    def peer_lost(self, node_id: int) -> None:
        self.lost.put_nowait(node_id)

    def peer_unreachable(self, node_id: int) -> None:
        self.unreachable.append(node_id)

    def expelled(self) -> None:
        self.expulsions += 1

    def roster(self) -> tuple[Iterable[rpc.Member], Iterable[int]]:
        return [rpc.Member(ID=1, peerURLs=["http://a:1"]), rpc.Member(ID=2)], [9]

    async def receive_snapshot(self, message: InstallSnapshot, frames: AsyncIterator[bytes]) -> None:
        assert message == SNAPSHOT
        async for frame in frames:
            if frame == END:
                break
            self.frames.append(frame)
        if self.refuse:
            raise PeerError(self.refuse)


class Node:
    """One end: peers and an inbox."""

    def __init__(self, node_id: int, tasks: asyncio.TaskGroup, cluster_id: int = 99) -> None:
        self.node_id = node_id
        self.inbox = Inbox()
        self.peers = TcpPeers(Self(cluster_id, node_id, "0"), tasks)
        self.port = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def listen(self) -> None:
        self.port = await self.peers.listen("127.0.0.1", self.port, self.inbox)

    def meet(self, others: "Iterable[Node]") -> None:
        self.peers.set_members({node.node_id: node.address for node in others})


async def exchange(sender: Node, receiver: Node) -> Message:
    """Sends heartbeats until the connection is up and one arrives."""
    beat = Heartbeat(sender.node_id, receiver.node_id, 1, 0)
    while receiver.inbox.messages.empty():
        sender.peers.send([beat])
        await asyncio.sleep(0.001)
    return await receiver.inbox.messages.get()


async def pair(tasks: asyncio.TaskGroup, **second: int) -> tuple[Node, Node]:
    a, b = Node(1, tasks), Node(2, tasks, **second)
    for node in (a, b):
        await node.listen()
    for node in (a, b):
        node.meet([a, b])
    return a, b


async def test_questions_travel_beside_the_messages_of_raft() -> None:
    async with asyncio.TaskGroup() as tasks:
        a, b = await pair(tasks)
        await exchange(a, b)
        question, answer = Ask(1, 2, 9, 1, b"body"), AskReply(2, 1, 9, b"", 14, "no")
        a.peers.send([question])
        assert await b.inbox.asks.get() == question
        await exchange(b, a)
        b.peers.send([answer])
        assert await a.inbox.asks.get() == answer
        await a.peers.close()
        await b.peers.close()


async def test_messages_travel_both_ways() -> None:
    async with asyncio.TaskGroup() as tasks:
        a, b = await pair(tasks)
        assert await exchange(a, b) == Heartbeat(1, 2, 1, 0)
        assert await exchange(b, a) == Heartbeat(2, 1, 1, 0)
        await a.peers.close()
        await b.peers.close()


def test_the_faster_event_loop_carries_messages_too() -> None:
    uvloop.run(test_messages_travel_both_ways())


async def test_a_closed_peer_is_noticed_and_found_again() -> None:
    async with asyncio.TaskGroup() as tasks:
        a, b = await pair(tasks)
        await exchange(a, b)
        await exchange(b, a)
        await b.peers.close()
        assert await a.inbox.lost.get() == 2
        again = Node(2, tasks)
        again.port = b.port
        await again.listen()
        assert await exchange(a, again) == Heartbeat(1, 2, 1, 0)
        await a.peers.close()
        await again.peers.close()


async def test_what_cannot_be_sent_is_reported() -> None:
    async with asyncio.TaskGroup() as tasks:
        a = Node(1, tasks)
        await a.listen()
        a.peers.send([Heartbeat(1, 2, 1, 0)])
        assert a.inbox.unreachable == [2]
        await a.peers.close()


@pytest.mark.parametrize(
    ("hello", "reason"),
    [
        (pb.Hello(protocol=1, cluster_id=5, source=2, target=1), "this is cluster 63, not 5"),
        (pb.Hello(protocol=1, cluster_id=99, source=2, target=3), "this is member 1, not 3"),
        (pb.Hello(protocol=9, cluster_id=99, source=2, target=1), "peer protocol 9 is not spoken here, only 1"),
    ],
)
async def test_strangers_are_told_why_they_are_refused(hello: pb.Hello, reason: str) -> None:
    async with asyncio.TaskGroup() as tasks:
        a = Node(1, tasks)
        await a.listen()
        reader, writer = await asyncio.open_connection("127.0.0.1", a.port)
        writer.write(pack([hello.SerializeToString(), b"more"]))
        (answer,) = Deframer().feed(await reader.read())
        assert pb.Hello.FromString(answer).refusal == reason
        writer.close()
        await a.peers.close()


async def test_nonsense_ends_the_connection_and_nothing_else() -> None:
    async with asyncio.TaskGroup() as tasks:
        a, b = await pair(tasks)
        reader, writer = await asyncio.open_connection("127.0.0.1", a.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        with suppress(ConnectionError):
            assert await reader.read() == b""
        assert await exchange(b, a) == Heartbeat(2, 1, 1, 0)
        writer.close()
        await a.peers.close()
        await b.peers.close()


async def test_a_message_that_claims_another_sender_ends_the_connection() -> None:
    async with asyncio.TaskGroup() as tasks:
        a, b = await pair(tasks)
        await exchange(b, a)
        b.peers.send([Heartbeat(3, 1, 1, 0)])
        assert await a.inbox.lost.get() == 2
        assert a.inbox.messages.empty()
        await a.peers.close()
        await b.peers.close()


async def rows(count: int) -> AsyncIterator[bytes]:
    for i in range(count):
        yield b"%d" % i * 1000
    yield END


async def test_a_snapshot_streams_with_backpressure() -> None:
    async with asyncio.TaskGroup() as tasks:
        a, b = await pair(tasks)
        await a.peers.send_snapshot(SNAPSHOT, rows(200))
        assert b.inbox.frames == [b"%d" % i * 1000 for i in range(200)]
        await a.peers.close()
        await b.peers.close()


async def test_the_sender_hears_why_a_snapshot_was_not_installed() -> None:
    async with asyncio.TaskGroup() as tasks:
        a, b = await pair(tasks)
        b.inbox.refuse = "checksum differs"
        with pytest.raises(PeerError, match="checksum differs"):
            await a.peers.send_snapshot(SNAPSHOT, rows(3))
        await a.peers.close()
        await b.peers.close()


async def test_a_snapshot_to_nobody_is_an_error() -> None:
    async with asyncio.TaskGroup() as tasks:
        a, b = await pair(tasks)
        await b.peers.close()
        with pytest.raises(PeerError, match="cannot reach"):
            await a.peers.send_snapshot(SNAPSHOT, rows(1))
        await a.peers.close()
