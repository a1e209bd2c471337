"""Bytes and frame sequences from a seed, thrown at a connection. Run by hand for long: `make fuzz`.

What must hold for every seed: nothing is raised, what the server answers are whole frames, what it keeps is bounded, streams and
queues agree with each other, and after an error nothing is looked at any more.
"""

import random
import sys
from collections.abc import Callable

from raftkv.http2 import frames, hpack, huffman
from raftkv.http2.frames import ErrorCode
from raftkv.http2.options import Options
from tests.http2.wire import Wire, block

OPTIONS = Options(
    max_concurrent_streams=8, stream_window_bytes=65_535, connection_window_bytes=100_000, max_queued_bytes=50_000
)
ANSWER = hpack.encode(((":status", "200"),))
ROUNDS = 60


Maker = Callable[["Client"], bytes]


class Client:
    """Mostly opens streams in order and uses open ones, and sometimes does not."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.wild = self.chance.choice((0.0, 0.002, 0.05))
        """How often it breaks a rule on purpose."""
        self.wire = Wire(OPTIONS)
        self.last = -1

    def new_stream(self) -> int:
        self.last += self.chance.choice((2, 2, 2, 4))
        return self.last

    def used_stream(self) -> int:
        if self.chance.random() < self.wild:
            return self.chance.choice((0, 1, 2, self.last + 2, self.chance.randrange(1 << 31)))
        return self.chance.choice(list(self.wire.connection.streams) or [0])


def fields(chance: random.Random, wild: float) -> bytes:
    """A header block: usual, with something added, or broken."""
    form = chance.randrange(4)
    if form == 0 or (form == 3 and chance.random() >= wild):
        return block()
    if form == 1:
        added = chance.choice(("te", "x", "grpc-timeout", "X", ":path", "content-length", "connection", "host"))
        return block((added, chance.choice(("", "1", "trailers", "a\n", "v" * chance.randrange(16_000)))))
    if form == 2:
        name, value = huffman.encode(b"x-%d" % chance.randrange(50)), huffman.encode(b"v" * chance.randrange(40))
        literal = b"\x40" + bytes((0x80 | len(name),)) + name + bytes((0x80 | len(value),)) + value
        return block() + literal + bytes((0xBE if chance.random() >= wild else 0xC0,)) * chance.randrange(3)
    return chance.randbytes(chance.randrange(60))


def a_request(client: Client) -> bytes:
    flags = client.chance.choice((4, 4, 5, 0x24)) if client.chance.random() >= client.wild else client.chance.randrange(256)
    payload = fields(client.chance, client.wild)
    return frames.frame(frames.HEADERS, flags, client.new_stream(), bytes(5) + payload if flags & 0x20 else payload)


def cut_request(client: Client) -> bytes:
    """HEADERS and CONTINUATION."""
    payload, number = fields(client.chance, client.wild), client.new_stream()
    at = client.chance.randrange(len(payload) + 1)
    return frames.frame(frames.HEADERS, 0, number, payload[:at]) + frames.frame(frames.CONTINUATION, 4, number, payload[at:])


def some_data(client: Client) -> bytes:
    number = client.used_stream()
    if not number:
        return b""
    stream = client.wire.connection.streams.get(number)
    size = client.chance.choice((0, 1, 5, 300, 16_384))
    if stream is not None and client.chance.random() >= client.wild:
        if stream.remote_closed:
            return b""
        size = min(size, stream.receive_window)
    return frames.frame(frames.DATA, client.chance.choice((0, 0, 0, 1)), number, bytes(size))


def padded_data(client: Client) -> bytes:
    number = client.used_stream()
    stream = client.wire.connection.streams.get(number)
    if stream is None or stream.remote_closed:
        return b""
    return frames.frame(frames.DATA, frames.PADDED, number, bytes((client.chance.randrange(60),)) + bytes(60))


def trailers(client: Client) -> bytes:
    number = client.used_stream()
    return frames.frame(frames.HEADERS, 5, number, hpack.encode((("x", "y"),))) if number else b""


def some_settings(client: Client) -> bytes:
    chance = client.chance
    values = (0, 1, 2, 100, 16_384, 65_535, 1 << 20, (1 << 31) - 1, (1 << 32) - 1)
    if chance.random() < client.wild:
        return frames.settings([(chance.randrange(8), chance.choice(values)) for _ in range(chance.randrange(3))])
    return frames.settings([(4, chance.choice((0, 1, 1000, 65_535))), (5, chance.choice((16_384, 50_000))), (1, 4096)])


def a_window(client: Client) -> bytes:
    number = client.chance.choice((0, client.used_stream()))
    return frames.window_update(number, client.chance.choice((1, 1000, 70_000)))


def a_reset(client: Client) -> bytes:
    number = client.used_stream()
    return frames.rst_stream(number, client.chance.randrange(16)) if number else b""


def a_ping(client: Client) -> bytes:
    client.wire.clock.advance(6.0)
    return frames.ping(client.chance.randbytes(8), ack=client.chance.random() < 0.5)


def any_frame(client: Client) -> bytes:
    chance = client.chance
    if chance.random() >= client.wild:
        return frames.frame(chance.randrange(10, 256), chance.randrange(256), chance.randrange(1 << 32), bytes(3))
    payload = chance.randbytes(chance.choice((0, 4, 5, 8, chance.randrange(40))))
    return frames.frame(chance.randrange(12), chance.randrange(256), client.used_stream(), payload)


MAKERS: tuple[Maker, ...] = (
    *(a_request,) * 5,
    cut_request,
    *(some_data,) * 6,
    padded_data,
    trailers,
    *(a_window,) * 3,
    some_settings,
    any_frame,
    a_reset,
    a_ping,
)


def act(wire: Wire, chance: random.Random) -> None:
    """Something that the server does of itself."""
    connection = wire.connection
    if not connection.streams:
        return
    stream = chance.choice(list(connection.streams.values()))
    form = chance.randrange(6)
    if form == 0:
        connection.reset(stream, ErrorCode.CANCEL)
    elif form == 1 and not stream.headers_sent:
        connection.outbox.answer(stream, ANSWER, chance.randbytes(chance.choice((5, 70_000))), ANSWER)
    elif form == 2 and stream.trailers is None and stream.queued < 1 << 18:
        if not stream.headers_sent:
            connection.outbox.headers(stream, ANSWER)
        connection.outbox.data(stream, chance.randbytes(chance.choice((5, 70_000))))
    elif form == 3 and stream.trailers is None:
        connection.outbox.trailers(stream, ANSWER)
    elif form == 4:
        connection.outbox.congested = not connection.outbox.congested
    else:
        connection.consumed(stream, chance.randrange(1, 5000))


def check(wire: Wire) -> None:
    """The invariants of a connection."""
    connection, outbox = wire.connection, wire.connection.outbox
    streams = connection.streams
    assert outbox.queued == sum(stream.queued for stream in streams.values())
    assert set(outbox._waiting) == {number for number, stream in streams.items() if stream.queue is not None}
    assert all(stream.queued == sum(map(len, stream.queue or ())) for stream in streams.values())
    assert len(streams) <= OPTIONS.max_concurrent_streams
    assert len(connection._rest) <= frames.DEFAULT_MAX_FRAME + frames.HEADER_SIZE
    assert len(connection._ids._ended_early) <= 1000
    assert len(connection._ids._skipped) <= 1000
    assert not (connection.closed and (streams or connection._rest))


def run(seed: int) -> int:
    """One connection's life, in bytes that come in pieces. How many rounds it lasted."""
    client = Client(seed)
    chance, wire = client.chance, client.wire
    for number in range(ROUNDS):
        sent = chance.choice(MAKERS)(client)
        if chance.random() < client.wild / 4:
            sent += chance.randbytes(chance.randrange(40))
        at = chance.randrange(len(sent) + 1)
        wire.send(sent[:at])
        wire.send(sent[at:])
        if chance.random() < 0.4:
            act(wire, chance)
        wire.clock.advance(chance.random())
        check(wire)
        if wire.connection.closed:
            return number
    return ROUNDS


def main() -> None:
    """`python -m tests.http2.fuzz FIRST_SEED COUNT`."""
    first, count = int(sys.argv[1]), int(sys.argv[2])
    rounds = 0
    for seed in range(first, first + count):
        try:
            rounds += run(seed)
        except Exception:
            sys.stderr.write(f"seed {seed}\n")
            raise
    sys.stdout.write(f"seeds {first} to {first + count - 1}: {rounds / count:.0f} rounds each, no invariant broken\n")


if __name__ == "__main__":
    main()
