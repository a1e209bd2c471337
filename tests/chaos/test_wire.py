"""Wires and relays: what a partition, a delay and a loss do to the bytes of a connection."""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

from raftkv_chaos.live.network import CLIENTS, Network
from raftkv_chaos.live.ports import Ports
from raftkv_chaos.live.wire import CLEAR, WAITING_BYTES, Flow, Weather, Wire


class FakeLoop:
    """Time that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0
        self.due: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, act: Callable[[], None]) -> Any:
        self.due.append((when, act))
        return asyncio.Event()  # never cancelled here

    def advance(self, seconds: float) -> None:
        self.now += seconds
        ready, self.due = [each for each in self.due if each[0] <= self.now], [each for each in self.due if each[0] > self.now]
        for _, act in ready:
            act()


class Sink:
    """Remembers what it is given."""

    def __init__(self) -> None:
        self.got: list[bytes | None] = []

    def write(self, data: bytes) -> None:
        self.got.append(data)

    def close(self) -> None:
        self.got.append(None)

    def is_closing(self) -> bool:
        return False


def flow_over(wire: Wire) -> tuple[Flow, Sink, FakeLoop, list[bool]]:
    loop, sink = FakeLoop(), Sink()
    held: list[bool] = []
    flow = Flow(wire, loop, held.append)  # type: ignore[arg-type]  # all of a loop that a flow uses
    flow.sink = sink
    return flow, sink, loop, held


async def test_blocked_wire_holds_everything_even_the_end_and_loses_nothing() -> None:
    wire = Wire(Random(1))
    flow, sink, _, _ = flow_over(wire)
    wire.become(Weather(blocked=True))
    for piece in (b"a", b"b", None):
        flow.feed(piece)
    assert sink.got == []
    wire.become(CLEAR)
    assert sink.got == [b"a", b"b", None]


async def test_late_bytes_stay_in_order() -> None:
    wire = Wire(Random(1))
    flow, sink, loop, _ = flow_over(wire)
    wire.become(Weather(delay_s=0.1, jitter_s=0.5))
    for number in range(20):
        flow.feed(bytes([number]))
    loop.advance(0.05)
    assert sink.got == []
    for _ in range(20):
        loop.advance(0.1)
    assert sink.got == [bytes([number]) for number in range(20)]


async def test_sender_is_held_back_while_much_waits() -> None:
    wire = Wire(Random(1))
    flow, _, _, held = flow_over(wire)
    wire.become(Weather(blocked=True))
    flow.feed(bytes(WAITING_BYTES + 1))
    assert held == [True]
    wire.become(CLEAR)
    assert held == [True, False]


async def test_relay_passes_blocks_and_breaks() -> None:
    network = Network(Random(1), dict)
    async with asyncio.TaskGroup() as tasks:
        with Ports() as ports:
            relayed, listening, peer, peer_target = (ports.take() for _ in range(4))
            server = await asyncio.start_server(echo, "127.0.0.1", listening)
            await network.stand_before("n1", peer=(peer, peer_target), client=(relayed, listening), tasks=tasks)
            reader, writer = await asyncio.open_connection("127.0.0.1", relayed)
            writer.write(b"1")
            assert await reader.readexactly(1) == b"1"
            network.become("n1", CLIENTS, Weather(blocked=True))
            writer.write(b"2")
            late = tasks.create_task(reader.readexactly(1))
            await asyncio.wait([late], timeout=0.05)
            assert not late.done()
            network.clear([("n1", CLIENTS)])
            assert await late == b"2"
            network.break_connections(CLIENTS, "n1")
            assert await reader.read() == b""
            writer.close()
            network.stop()
            server.close()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(100):
        writer.write(data)
    writer.close()
