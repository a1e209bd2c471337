"""Bytes and messages from a seed, thrown at the port for other members. Run by hand for long: `make fuzz`.

What must hold for every seed: nothing is raised but what closes the connection, a replica hears only of messages that are from
whom they say and to it, what is held of incomplete frames is counted and given back, and nothing is left of a connection.
"""

import asyncio
import logging
import random
import sys
from collections.abc import AsyncIterator, Iterable
from typing import Any

import structlog

from raftkv.errors import PeerError
from raftkv.pb import raft as pb
from raftkv.pb.rpc import Member
from raftkv.peer.asks import Ask, AskReply
from raftkv.peer.codec import MalformedFrameError, decode, encode
from raftkv.peer.framing import Deframer, pack
from raftkv.peer.inbound import MAX_HELLO_BYTES, Inbound
from raftkv.peer.tcp import PROTOCOL, Self, TcpPeers
from raftkv.raft.messages import InstallSnapshot, Message
from tests.rpc.messages import damaged, message

CLUSTER, THIS, OTHER = 99, 1, 2
ROUNDS = 30


class Transport(asyncio.Transport):
    """One that goes nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.written = 0
        self.closed = False
        self.paused = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self if name == "socket" else default

    def setsockopt(self, *_: int) -> None:
        """As a socket's."""

    def write(self, data: Any) -> None:
        self.written += len(data)

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


class Hearer:
    """A replica that checks what it hears."""

    def __init__(self) -> None:
        self.heard = 0
        self.snapshots = 0

    def receive(self, message: Message) -> None:
        assert (message.source, message.target) == (OTHER, THIS)
        self.heard += 1

    def ask_arrived(self, message: Ask | AskReply) -> None:
        assert (message.source, message.target) == (OTHER, THIS)
        self.heard += 1

    def peer_lost(self, node_id: int) -> None:
        assert node_id

    def peer_unreachable(self, node_id: int) -> None:
        raise AssertionError("nothing is sent")

    def expelled(self) -> None:
        raise AssertionError("nothing is dialled")

    def roster(self) -> tuple[Iterable[Member], Iterable[int]]:
        return [Member(ID=THIS, name="n")], ()

    async def receive_snapshot(self, message: InstallSnapshot, frames: AsyncIterator[bytes]) -> None:
        assert message.source == OTHER
        self.snapshots += 1
        async for _ in frames:
            pass
        raise PeerError("it ends some time")


def frame(chance: random.Random) -> bytes:
    """A frame that decodes, often; its sender and receiver are right, often."""
    made: Any = message(pb.Frame.DESCRIPTOR, chance)
    if chance.random() < 0.9:
        made.source, made.target = OTHER, THIS
    data = bytes(made.SerializeToString())
    return damaged(data, chance) if chance.random() < 0.2 else data


def hello(chance: random.Random) -> bytes:
    made: Any = message(pb.Hello.DESCRIPTOR, chance)
    made.protocol = PROTOCOL
    made.cluster_id, made.source, made.target = CLUSTER, OTHER, THIS
    return bytes(made.SerializeToString())


def opening(chance: random.Random) -> bytes:
    """What a connection begins with."""
    form = chance.randrange(10)
    if form < 6:
        return pack([hello(chance)])
    if form == 6:
        return pack([bytes(message(pb.Hello.DESCRIPTOR, chance).SerializeToString())])
    if form == 7:
        return pack([damaged(hello(chance), chance)])
    return chance.choice((b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n", chance.randbytes(40), bytes(4), b"\x00\x00\x40\x01"))


def piece(chance: random.Random) -> bytes:
    """More of it."""
    form = chance.randrange(12)
    if form == 0:
        return chance.randbytes(chance.randrange(30))
    if form == 1:
        return chance.choice((b"\xff\xff\xff\xff", (1 << 26).to_bytes(4, "big") + bytes(100), b"\0\0\0\0" * 20))
    if form == 2:
        return pack([frame(chance)])[: chance.randrange(1, 20)]
    return pack([frame(chance) for _ in range(chance.randrange(1, 4))])


def check_decoding(chance: random.Random) -> None:
    """Bytes are a message, which survives another journey, or a MalformedFrameError."""
    try:
        for data in Deframer(1 << 20).feed(pack([frame(chance)])):
            found = decode(data)
            assert decode(encode(found)) == found
    except MalformedFrameError:
        pass


async def run(seed: int) -> tuple[int, int]:
    """The lives of some connections; how many messages and snapshots arrived."""
    chance = random.Random(seed)
    hearer: Any = Hearer()
    async with asyncio.TaskGroup() as tasks:
        peers = TcpPeers(Self(CLUSTER, THIS, "0"), tasks)
        peers.receiver = hearer
        for _ in range(4):
            await connect(peers, chance)
        await asyncio.sleep(0)
        assert not peers._inbound
        assert not peers._speakers
        assert peers.held_bytes == 0
    for _ in range(20):
        check_decoding(chance)
    return hearer.heard, hearer.snapshots


async def connect(peers: TcpPeers, chance: random.Random) -> None:
    """One connection's life, in bytes that come in pieces."""
    connection, transport = Inbound(peers), Transport()
    connection.connection_made(transport)
    sent = opening(chance)
    for _ in range(ROUNDS):
        at = chance.randrange(len(sent) + 1)
        for part in (sent[:at], sent[at:]):
            if part and not transport.closed:
                connection.data_received(part)
        assert transport.closed or peers.held_bytes == connection._deframer.held
        assert connection._deframer.limit > MAX_HELLO_BYTES or connection._deframer.held <= MAX_HELLO_BYTES + 4
        if transport.closed:
            break
        if chance.random() < 0.3:
            await asyncio.sleep(0)
        sent = piece(chance)
    assert transport.written <= 1000 + MAX_HELLO_BYTES
    connection.connection_lost(None)


def main() -> None:
    """`python -m tests.peer.fuzz FIRST_SEED COUNT`."""
    first, count = int(sys.argv[1]), int(sys.argv[2])
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    heard = 0
    for seed in range(first, first + count):
        try:
            heard += asyncio.run(run(seed))[0]
        except Exception:
            sys.stderr.write(f"seed {seed}\n")
            raise
    sys.stdout.write(f"seeds {first} to {first + count - 1}: {heard} messages got through, no invariant broken\n")


if __name__ == "__main__":
    main()
