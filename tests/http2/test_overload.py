"""However much comes, what the server holds is bounded, and whoever is too many hears so (facts O1, S6)."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

from raftkv.errors import Code
from raftkv.http2 import frames
from raftkv.http2.framing import frame_prefix, framed
from raftkv.http2.load import Load
from raftkv.pb.rpc import PutRequest
from tests.http2.echo import SERVICE
from tests.http2.raw import RawClient, request_headers
from tests.http2.running import SECONDS, Running, StartServer

TOO_MANY = (Code.RESOURCE_EXHAUSTED, "etcdserver: too many requests")
BODY = framed(PutRequest(value=b"hello").SerializeToString())
WAIT = framed(PutRequest(key=b"wait", value=b"w").SerializeToString())


def load_of(running: Running) -> Load:
    return running.server._shared.load


async def until(condition: Any) -> None:
    """Lets the server work until something holds."""
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110 (there is no event for what a client cannot see)
            await asyncio.sleep(0.001)


async def test_calls_above_the_limit_of_all_connections_are_refused(start: StartServer) -> None:
    running = await start(max_calls=3)
    async with RawClient(running.port) as one, RawClient(running.port) as two:
        waiting = [(client, client.open(request_headers())) for client in (one, two, one)]
        for client, number in waiting:
            client.send(number, WAIT, end_stream=True)
            await running.echo.begun.get()
        assert (await two.ask(request_headers(), BODY)).status == TOO_MANY
        assert load_of(running).calls == 3
        running.echo.go_on.set()
        for client, number in waiting:
            assert (await client.reply(number)).status == (0, "")
        assert (await two.ask(request_headers(), BODY)).status == (0, "")
    await until(lambda: load_of(running).calls == 0)


async def test_calls_that_are_cancelled_or_lost_make_room(start: StartServer) -> None:
    running = await start(max_calls=2)
    async with RawClient(running.port) as client, RawClient(running.port) as lost:
        for each in (client, lost):
            number = each.open(request_headers())
            each.send(number, WAIT, end_stream=True)
            await running.echo.begun.get()
        client.http.reset_stream(number := max(client.replies), error_code=8)
        client.flush()
        lost.writer.close()
        await until(lambda: load_of(running).calls == 0)
        assert number
        assert (await client.ask(request_headers(), BODY)).status == (0, "")


async def test_requests_that_never_end_are_bounded_over_all_connections(start: StartServer) -> None:
    running = await start(max_held_bytes=100_000, max_message_bytes=1 << 20)
    part = frame_prefix(1 << 19) + bytes(30_000)
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(RawClient(running.port)) for _ in range(5)]
        for number, client in enumerate(clients[:3], 1):
            client.send(client.open(request_headers()), part)
            await until(lambda expected=number: load_of(running).kept >= expected * 30_000)
        for client in clients[3:]:
            client.send(client.open(request_headers()), part)
            assert (await client.reply(1)).status == TOO_MANY
        assert load_of(running).kept <= 100_000
    await until(lambda: load_of(running).kept == 0)


async def test_answers_that_nobody_collects_are_bounded_over_all_connections(start: StartServer) -> None:
    running = await start(max_held_bytes=200_000)
    large = framed(PutRequest(value=bytes(60_000)).SerializeToString())
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(RawClient(running.port)) for _ in range(3)]
        for client in clients:
            client.http.update_settings({4: 0})  # no window for any answer
            client.flush()
            await client.ask(request_headers(SERVICE + "Nothing"), BODY)  # the server has seen the settings
            for _ in range(2):
                client.send(client.open(request_headers()), large, end_stream=True)
        load = load_of(running)
        await until(lambda: load.queued > 200_000)
        assert (await clients[0].ask(request_headers(), BODY)).status == TOO_MANY
        assert load.queued <= 6 * 60_100
    await until(lambda: load.queued == 0)


async def test_a_flood_leaves_nothing_behind(start: StartServer) -> None:
    """Counted, not measured: there are never more calls, bytes or connections than allowed."""
    running = await start(max_calls=40, max_connections=8, max_held_bytes=300_000, max_concurrent_streams=10)
    load = load_of(running)
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(RawClient(running.port)) for _ in range(8)]
        for number in range(9):
            for client in clients:
                client.send(client.open(request_headers(SERVICE + ("Unary", "Both", "Up")[number % 3])), WAIT[:number])
            await asyncio.sleep(0)
        await until(lambda: load.calls == 40)
        for client in clients:
            await client.ask(request_headers(), BODY)  # refused, but answered: all before it has been looked at
            assert load.calls == 40
            assert load.kept + load.queued <= 8 * 9 * 10
        statuses = [reply.status for client in clients for reply in client.replies.values() if reply.ended]
        assert statuses == [TOO_MANY] * (8 * 10 - 40)
        assert running.server.connections == 8
    await until(lambda: (load.calls, load.kept, load.queued, running.server.connections) == (0, 0, 0, 0))


async def test_o8_a_call_whose_time_is_up_when_it_comes_is_not_handled(start: StartServer) -> None:
    running = await start()
    async with RawClient(running.port) as client:
        reply = await client.ask([*request_headers(), ("grpc-timeout", "0n")], BODY)
    assert reply.status == (Code.DEADLINE_EXCEEDED, "context deadline exceeded")
    assert not running.echo.calls


async def test_headers_above_the_limit_are_refused_and_the_connection_goes_on(start: StartServer) -> None:
    running = await start(max_header_list_bytes=4096)
    async with RawClient(running.port) as client:
        reply = await client.ask([*request_headers(), *((f"x-{n}", "v" * 1000) for n in range(5))], BODY)
        assert reply.status[0] == Code.RESOURCE_EXHAUSTED
        assert (await client.ask(request_headers(), BODY)).status == (0, "")
        assert client.goaway is None or client.goaway.kind != frames.GOAWAY
