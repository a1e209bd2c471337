"""Calls from seeds on a protocol with real handlers: whatever comes, nothing is raised, left running or left in memory."""

import asyncio
import gzip
import random

import pytest

from raftkv.http2 import frames
from raftkv.http2.framing import framed
from raftkv.pb.rpc import PutRequest
from tests.http2.echo import SERVICE, Echo
from tests.http2.test_protocol import Connected
from tests.http2.wire import REQUEST, block

METHODS = ("Unary", "Future", "Later", "Now", "Down", "Up", "Both", "Nothing")
DEEDS = (b"", b"", b"", b"fail", b"crash", b"wait", b"enough", b"tell")
ODD_FIELDS = (
    ("x-bin", "AAE"),
    ("x-bin", "\xe9"),
    ("x-bin", "!"),
    ("grpc-timeout", "5S"),
    ("grpc-timeout", "0n"),
    ("grpc-timeout", "\xb2S"),
    ("raftkv-request-id", "1:2"),
    ("grpc-encoding", "gzip"),
    ("grpc-encoding", "br"),
    ("x-long", "v" * 15_000),
    ("x-name", "\xff"),
)


def head(chance: random.Random) -> bytes:
    path = chance.choice((SERVICE, SERVICE, SERVICE, "/", "/\xff/")) + chance.choice(METHODS)
    base = tuple((name, path if name == ":path" else value) for name, value in REQUEST)
    return block(*chance.sample(ODD_FIELDS, chance.choice((0, 0, 0, 1, 2))), base=base)


def message(chance: random.Random) -> bytes:
    request = PutRequest(key=chance.choice(DEEDS), value=bytes(chance.choice((0, 10, 5000))), lease=chance.randrange(20))
    body = request.SerializeToString()
    form = chance.randrange(12)
    if form == 0:
        return chance.randbytes(chance.randrange(30))
    if form == 1:
        return b"\1" + framed(gzip.compress(body))[1:]
    if form == 2:
        return framed(body) * 2
    return framed(body)


def step(chance: random.Random, connected: Connected, number: int) -> bytes:
    """Frames on a new stream, or on one that is open."""
    streams = connected.protocol._connection.streams
    choice = chance.random()
    if choice < 0.5 or not streams:
        flags = frames.END_HEADERS | (frames.END_STREAM if chance.random() < 0.1 else 0)
        sent = frames.frame(frames.HEADERS, flags, number, head(chance))
        if flags & frames.END_STREAM or chance.random() < 0.2:
            return sent
        return sent + frames.frame(frames.DATA, chance.choice((0, 1, 1)), number, message(chance))
    stream = chance.choice(list(streams.values()))
    if choice < 0.7 and not stream.remote_closed:
        return frames.frame(frames.DATA, chance.choice((0, 0, 1)), stream.id, message(chance))
    if choice < 0.8:
        return frames.rst_stream(stream.id, 8)
    return frames.window_update(stream.id, 1000) + frames.settings([(4, chance.choice((0, 100, 65_535)))])


@pytest.mark.parametrize("seed", range(12))
async def test_calls_from_a_seed_leave_nothing_behind(seed: int) -> None:
    chance = random.Random(seed)
    echo = Echo()
    connected = Connected(echo.methods(), max_concurrent_streams=20, max_queued_bytes=100_000)
    connected.shared.hooks.crashed = lambda method, error: None
    started: list[object] = []
    handled: list[object] = []
    connected.shared.hooks.started = started.append
    connected.shared.hooks.handled = lambda method, code, seconds: handled.append(method)
    for number in range(1, 401, 2):
        connected.protocol.data_received(step(chance, connected, number))
        assert not connected.protocol._connection.closed
        if chance.random() < 0.2:
            await connected.settle()
        if chance.random() < 0.05:
            connected.protocol.pause_writing()
        elif chance.random() < 0.1:
            connected.protocol.resume_writing()
    connected.protocol.connection_lost(None)
    await asyncio.wait_for(connected.shared.tasks.stop(), 5.0)
    assert connected.protocol.buffered == 0
    assert connected.protocol._connection.streams == {}
    assert connected.protocol._outbox.queued == 0
    assert len(handled) == len(started) > 20
