"""Answers that a handler gives of its own accord, without being asked for the next one."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from raftkv.errors import Code, NoLeaderError
from raftkv.http2 import GrpcServer
from raftkv.pb.rpc import PutRequest
from raftkv.rpc.method import Call, Kind, Method, Outlet
from tests.http2.running import LOOPBACK, Client

PATH = "/test.Echo/Both"


class Pushing:
    """A handler that only listens; the test speaks through its outlet."""

    def __init__(self) -> None:
        self.outlet: asyncio.Queue[Outlet] = asyncio.Queue()
        self.requests: asyncio.Queue[PutRequest] = asyncio.Queue()
        self.cancelled = asyncio.Event()

    async def both(self, requests: AsyncIterator[PutRequest], call: Call) -> AsyncIterator[bytes]:
        assert call.outlet is not None
        self.outlet.put_nowait(call.outlet)
        try:
            async for request in requests:
                self.requests.put_nowait(request)
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()
        yield b""


class World:
    """A server with that handler, a client's call, and its outlet."""

    def __init__(self, client: Client, call: Any, pushing: Pushing, outlet: Outlet) -> None:
        self.client = client
        self.call = call
        self.pushing = pushing
        self.outlet = outlet

    async def values(self, count: int) -> list[bytes]:
        return [(await self.call.read()).value for _ in range(count)]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    grpc_aio = pytest.importorskip("grpc.aio")
    pushing = Pushing()
    server = GrpcServer([Method(PATH, Kind.BIDI, PutRequest, PutRequest, pushing.both)])
    port = await server.listen(LOOPBACK, 0)
    channel = grpc_aio.insecure_channel(f"{LOOPBACK}:{port}", options=[("grpc.max_receive_message_length", -1)])
    client = Client(channel)
    call = client.both()
    await call.write(PutRequest(key=b"hello"))
    world = World(client, call, pushing, await pushing.outlet.get())
    yield world
    call.cancel()
    await channel.close()
    await server.stop()


def message(value: bytes) -> bytes:
    return PutRequest(value=value).SerializeToString()


async def test_each_tail_makes_a_message(world: World) -> None:
    body, tails = PutRequest(key=b"k").SerializeToString(), [message(b"%d" % number) for number in range(5)]
    world.outlet.send_each(body, tails)
    world.outlet.send(message(b"last"))
    assert await world.values(6) == [b"0", b"1", b"2", b"3", b"4", b"last"]


async def test_large_bodies_are_shared(world: World) -> None:
    body, tails = PutRequest(key=bytes(200_000)).SerializeToString(), [message(b"%d" % number) for number in range(3)]
    world.outlet.send_each(body, tails)
    assert await world.values(3) == [b"0", b"1", b"2"]


async def test_the_backlog_is_seen_and_its_end_is_told(world: World) -> None:
    drained = asyncio.Event()
    world.outlet.on_drained = drained.set
    assert world.outlet.backlog == 0
    for _ in range(64):
        world.outlet.send(message(bytes(100_000)))
    assert world.outlet.backlog > 100_000
    assert not drained.is_set()
    await world.values(64)
    await drained.wait()
    assert world.outlet.backlog == 0


async def test_an_error_ends_the_call_and_the_handler(world: World) -> None:
    world.outlet.send(message(b"1"))
    world.outlet.end(NoLeaderError())
    world.outlet.send(message(b"2"))
    assert await world.values(1) == [b"1"]
    assert (await world.call.code()).value[0] == Code.UNAVAILABLE
    assert await world.call.details() == "etcdserver: no leader"
    await world.pushing.cancelled.wait()


async def test_nothing_is_said_to_who_has_left(world: World) -> None:
    world.call.cancel()
    await world.pushing.cancelled.wait()
    world.outlet.send(message(b"1"))
    world.outlet.send_each(b"", [message(b"1")])
    assert world.outlet.backlog == 0


async def test_requests_are_taken_meanwhile(world: World) -> None:
    world.outlet.send(message(b"1"))
    await world.call.write(PutRequest(key=b"again"))
    assert [(await world.pushing.requests.get()).key for _ in range(2)] == [b"hello", b"again"]
    await world.call.done_writing()
    world.outlet.send(message(b"2"))
    assert await world.values(2) == [b"1", b"2"]
