"""Answers that a handler gives of its own accord, without being asked for the next one."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from raftkv.errors import Code, NoLeaderError
from raftkv.http2 import GrpcServer
from raftkv.http2.frames import DEFAULT_WINDOW, ErrorCode
from raftkv.pb.rpc import PutRequest
from raftkv.rpc.method import Call, Kind, Method, Outlet
from tests.http2.raw import RawClient, request_headers
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
def pushing() -> Pushing:
    return Pushing()


@pytest.fixture
async def port(pushing: Pushing) -> AsyncIterator[int]:
    server = GrpcServer([Method(PATH, Kind.BIDI, PutRequest, PutRequest, pushing.both)])
    yield await server.listen(LOOPBACK, 0)
    await server.stop()


@pytest.fixture
async def world(pushing: Pushing, port: int) -> AsyncIterator[World]:
    channel = grpc.aio.insecure_channel(f"{LOOPBACK}:{port}", options=[("grpc.max_receive_message_length", -1)])
    client = Client(channel)
    call = client.both()
    await call.write(PutRequest(key=b"hello"))
    world = World(client, call, pushing, await pushing.outlet.get())
    yield world
    call.cancel()
    await channel.close()


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


async def test_the_backlog_is_seen_and_its_end_is_told(world: World, port: int) -> None:
    # grpcio's asyncio client now and then stands still with so much to read, so this one takes bytes as it is told to
    async with RawClient(port) as slow:
        number = slow.open(request_headers(PATH))
        slow.flush()
        outlet = await world.pushing.outlet.get()
        drained = asyncio.Event()
        outlet.on_drained = drained.set
        assert outlet.backlog == 0
        for _ in range(64):
            outlet.send(message(bytes(10_000)))
        size = 64 * (len(message(bytes(10_000))) + 5)
        await slow.until(lambda: len(slow.replies[number].content) == DEFAULT_WINDOW)
        assert outlet.backlog >= size - DEFAULT_WINDOW
        assert not drained.is_set()
        for stream in (None, number):
            slow.http.increment_flow_control_window(size, stream)
        slow.flush()
        await slow.until(lambda: len(slow.replies[number].content) == size)
        assert drained.is_set()
        assert outlet.backlog == 0


async def test_an_error_ends_the_call_and_the_handler(world: World) -> None:
    world.outlet.send(message(b"1"))
    world.outlet.end(NoLeaderError())
    world.outlet.send(message(b"2"))
    assert await world.values(1) == [b"1"]
    assert (await world.call.code()).value[0] == Code.UNAVAILABLE
    assert await world.call.details() == "etcdserver: no leader"
    await world.pushing.cancelled.wait()


async def test_what_an_abandoned_client_has_not_collected_is_forgotten(port: int, world: World) -> None:
    async with RawClient(port) as slow:
        number = slow.open(request_headers(PATH))
        slow.flush()
        outlet = await world.pushing.outlet.get()
        for _ in range(64):
            outlet.send(message(bytes(10_000)))
        assert outlet.backlog
        outlet.abandon()
        assert outlet.backlog == 0
        await slow.until(lambda: slow.replies[number].ended)
        assert slow.replies[number].reset_code == ErrorCode.REFUSED_STREAM
    await world.pushing.cancelled.wait()


async def test_a_client_that_is_abandoned_may_try_again(world: World) -> None:
    world.outlet.send(message(b"1"))
    world.outlet.abandon()
    assert await world.values(1) == [b"1"]
    assert (await world.call.code()).value[0] == Code.UNAVAILABLE


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
