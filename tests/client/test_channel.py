"""The HTTP/2 channel against a server that misbehaves as told."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from h2.errors import ErrorCodes

from raftkv.client.channel import Reply, UnaryCall
from raftkv.client.connection import Connection, ConnectionOptions
from raftkv.client.endpoint import parse_endpoint
from raftkv.client.http2 import DialOptions, Http2Channel
from raftkv.errors import Code, ConnectionBrokenError
from tests.client.scripted import HEADERS, Request, ScriptedServer

PATH = "/test.Service/Method"


@asynccontextmanager
async def channel_to(
    endpoint: str, *, dial: float = 5.0, max_message_bytes: int = 1 << 20, after: float = 60.0, patience: float = 60.0
) -> AsyncIterator[Http2Channel]:
    connection = ConnectionOptions(max_message_bytes=max_message_bytes, keepalive_after=after, keepalive_timeout=patience)
    options = DialOptions(timeout=dial, tls=None, server_name=None, connection=connection)
    channel = Http2Channel(parse_endpoint(endpoint, tls=False), options)
    try:
        yield channel
    finally:
        await channel.close()


async def ask(channel: Http2Channel, body: bytes = b"hello") -> Reply:
    return await channel.unary(UnaryCall(PATH, body, (), 5.0))


async def failure(channel: Http2Channel, call: UnaryCall | None = None) -> ConnectionBrokenError:
    with pytest.raises(ConnectionBrokenError) as caught:
        await channel.unary(call or UnaryCall(PATH, b"hello"))
    return caught.value


def echo(request: Request) -> None:
    request.answer(request.body)


def ignore(request: Request) -> None:
    """The server never answers."""


async def test_request_is_a_grpc_request() -> None:
    async with ScriptedServer(echo) as server, channel_to(server.endpoint) as channel:
        await channel.unary(UnaryCall(PATH, b"x", ((b"name", b"value"),), 1.5))
    headers = server.requests[0].headers
    assert headers[b":method"] == b"POST"
    assert headers[b":authority"] == server.endpoint.encode()
    assert headers[b"te"] == b"trailers"
    assert headers[b"content-type"] == b"application/grpc"
    assert headers[b"grpc-timeout"] == b"1500m"
    assert headers[b"name"] == b"value"


async def test_call_without_a_timeout_says_none() -> None:
    async with ScriptedServer(echo) as server, channel_to(server.endpoint) as channel:
        await channel.unary(UnaryCall(PATH, b"x"))
    assert b"grpc-timeout" not in server.requests[0].headers


async def test_answer_carries_status_message_and_metadata() -> None:
    def script(request: Request) -> None:
        request.answer(b"answer", headers=[(b"raftkv-version", b"1")])

    async with ScriptedServer(script) as server, channel_to(server.endpoint) as channel:
        reply = await ask(channel)
    assert (reply.code, reply.body, reply.header(b"raftkv-version")) == (0, b"answer", b"1")


async def test_refusal_is_a_reply_with_its_text_decoded() -> None:
    def script(request: Request) -> None:
        request.refuse(Code.NOT_FOUND, "nothing%3A %C3%A4")

    async with ScriptedServer(script) as server, channel_to(server.endpoint) as channel:
        reply = await ask(channel)
    assert (reply.code, reply.text) == (Code.NOT_FOUND, "nothing: ä")


@pytest.mark.parametrize(
    ("headers", "code", "text"),
    [
        ([(b":status", b"503")], Code.UNAVAILABLE, "HTTP status 503"),
        ([(b":status", b"404")], Code.UNIMPLEMENTED, "HTTP status 404"),
        ([(b":status", b"418")], Code.UNKNOWN, "HTTP status 418"),
        ([(b":status", b"200")], Code.UNKNOWN, "the server ended the call without a status"),
        ([*HEADERS, (b"grpc-status", b"0")], Code.INTERNAL, "the answer is not one whole message"),
        ([*HEADERS, (b"grpc-status", b"what")], Code.UNKNOWN, ""),
    ],
)
async def test_answer_that_is_not_grpcs_gets_the_code_that_fits(
    headers: list[tuple[bytes, bytes]], code: Code, text: str
) -> None:
    async with ScriptedServer(lambda request: request.raw_answer(headers)) as server, channel_to(server.endpoint) as channel:
        reply = await ask(channel)
    assert (reply.code, reply.text) == (code, text)


async def test_large_messages_pass_in_both_directions() -> None:
    body = bytes(range(256)) * 4_000
    async with ScriptedServer(echo) as server, channel_to(server.endpoint) as channel:
        reply = await ask(channel, body)
    assert reply.body == body


async def test_answer_above_the_limit_is_refused_and_the_connection_lives() -> None:
    async with ScriptedServer(echo) as server, channel_to(server.endpoint, max_message_bytes=100) as channel:
        reply = await ask(channel, bytes(101))
        assert (reply.code, reply.text) == (
            Code.RESOURCE_EXHAUSTED,
            "the answer of 101 bytes is longer than max_message_bytes=100",
        )
        assert (await ask(channel, bytes(100))).code == 0
    assert len(server.connections) == 1


async def test_many_calls_share_one_connection() -> None:
    async with ScriptedServer(echo) as server, channel_to(server.endpoint) as channel, asyncio.TaskGroup() as tasks:
        replies = [tasks.create_task(ask(channel, b"%d" % number)) for number in range(300)]
    assert [task.result().body for task in replies] == [b"%d" % number for number in range(300)]
    assert len(server.connections) == 1


async def test_no_more_calls_are_open_than_the_server_allows() -> None:
    waiting: list[Request] = []

    async with ScriptedServer(waiting.append, max_streams=2) as server, channel_to(server.endpoint) as channel:
        async with asyncio.TaskGroup() as tasks:
            calls = [tasks.create_task(ask(channel, b"%d" % number)) for number in range(6)]
            for answered in range(6):
                await server.arrived(answered + 1)
                assert len(server.requests) <= answered + 2
                echo(waiting[answered])
        assert [task.result().body for task in calls] == [b"%d" % number for number in range(6)]


async def test_call_that_waits_for_a_place_is_cancelled_without_a_trace() -> None:
    one_at_a_time = ScriptedServer(ignore, max_streams=1)
    async with one_at_a_time as server, channel_to(server.endpoint) as channel, asyncio.TaskGroup() as tasks:
        first, second = tasks.create_task(ask(channel)), tasks.create_task(ask(channel))
        await server.arrived(1)
        second.cancel()
        server.script = echo
        first.cancel()
        assert (await ask(channel)).code == 0


async def test_cancelled_call_is_reset_at_the_server() -> None:
    async with ScriptedServer(ignore) as server, channel_to(server.endpoint) as channel, asyncio.TaskGroup() as tasks:
        task = tasks.create_task(ask(channel))
        await server.arrived(1)
        task.cancel()
        await server.requests[0].cancelled.wait()


async def test_dropped_connection_breaks_its_calls_as_sent_and_the_next_call_opens_another() -> None:
    async with ScriptedServer(lambda request: request.connection.drop()) as server, channel_to(server.endpoint) as channel:
        error = await failure(channel)
        assert error.sent
        server.script = echo
        assert (await ask(channel)).code == 0
    assert len(server.connections) == 2


async def test_request_that_is_not_through_counts_as_not_sent() -> None:
    """The server reads nothing, so its window holds most of the request back until the connection breaks."""
    async with ScriptedServer(ignore, reads=False) as server, channel_to(server.endpoint) as channel:
        call = UnaryCall(PATH, bytes(500_000))
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(failure(channel, call))
            (await server.begun()).connection.drop()
        assert call.connected
        assert not task.result().sent


async def test_refused_stream_counts_as_not_sent_and_another_reset_as_sent() -> None:
    async with ScriptedServer(ignore) as server, channel_to(server.endpoint) as channel:
        server.script = lambda request: request.reset(ErrorCodes.REFUSED_STREAM)
        assert not (await failure(channel)).sent
        server.script = lambda request: request.reset(ErrorCodes.INTERNAL_ERROR)
        error = await failure(channel)
        assert error.sent
        assert "INTERNAL_ERROR" in error.reason


async def test_answer_before_the_request_is_through_is_the_answer() -> None:
    """As a server does that finds a request too large at its head."""
    async with ScriptedServer(ignore, reads=False) as server, channel_to(server.endpoint) as channel:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(ask(channel, bytes(500_000)))
            request = await server.begun()
            request.refuse(Code.RESOURCE_EXHAUSTED, "too large")
        assert task.result().text == "too large"
        await request.cancelled.wait()


async def test_goaway_lets_calls_below_it_end_and_sends_the_next_to_a_new_connection() -> None:
    async with ScriptedServer(ignore) as server, channel_to(server.endpoint) as channel:
        async with asyncio.TaskGroup() as tasks:
            first, second = tasks.create_task(ask(channel)), tasks.create_task(failure(channel))
            await server.arrived(2)
            one, _ = server.requests
            one.connection.go_away(one.stream_id, debug=b"bye")
            error = await second
            server.script = echo
            assert (await ask(channel, b"elsewhere")).body == b"elsewhere"
            echo(one)
        assert first.result().code == 0
        assert not error.sent
        assert "NO_ERROR: bye" in error.reason
    assert len(server.connections) == 2


async def test_goaway_in_two_steps_as_servers_do_it() -> None:
    """First with the highest id, so that no call on its way is lost, then with the last that was taken."""
    async with ScriptedServer(ignore) as server, channel_to(server.endpoint) as channel:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(ask(channel))
            await server.arrived(1)
            request = server.requests[0]
            request.connection.go_away(2**31 - 1)
            request.connection.go_away(request.stream_id)
            echo(request)
        assert task.result().code == 0


async def test_calls_at_once_share_one_attempt_to_connect_and_its_failure() -> None:
    async with ScriptedServer(echo, says_hello=False) as server, channel_to(server.endpoint, dial=0.05) as channel:
        async with asyncio.TaskGroup() as tasks:
            failures = [tasks.create_task(failure(channel)) for _ in range(20)]
        assert {task.result().reason for task in failures} == {"no connection within 0.05 s"}
        assert not any(task.result().sent for task in failures)
        assert len(server.connections) == 1


async def test_impatient_caller_does_not_spoil_the_connection_for_others() -> None:
    async with ScriptedServer(echo) as server, channel_to(server.endpoint) as channel, asyncio.TaskGroup() as tasks:
        impatient, patient = tasks.create_task(ask(channel)), tasks.create_task(ask(channel))
        await asyncio.sleep(0)
        impatient.cancel()
        assert (await patient).code == 0


async def test_server_that_is_no_grpc_server_is_named_so() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with channel_to(f"127.0.0.1:{port}") as channel:
            error = await failure(channel)
    assert error.reason == "what listens there is no gRPC server"


async def test_nobody_there_is_said_in_words() -> None:
    async with channel_to("127.0.0.1:1") as channel:
        error = await failure(channel)
    assert str(error) == "127.0.0.1:1: connection refused"
    assert not error.sent


async def test_name_without_an_address_is_said_in_words() -> None:
    async with channel_to("no-such-host.invalid:1") as channel:
        assert (await failure(channel)).reason.startswith("the name does not resolve")


async def test_name_is_resolved_and_its_addresses_tried_in_turn() -> None:
    async with ScriptedServer(echo) as server, channel_to(server.endpoint.replace("127.0.0.1", "localhost")) as channel:
        assert (await ask(channel)).code == 0


async def test_silent_server_is_pinged_and_given_up() -> None:
    async with ScriptedServer(ignore) as server, channel_to(server.endpoint, after=0.01, patience=0.01) as channel:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(failure(channel))
            await server.arrived(1)
            transport = server.connections[0].transport
            transport.pause_reading()  # so the ping is not answered either
        assert task.result().reason == "no answer to a ping within 0.01 s"
        assert task.result().sent


async def test_slow_server_that_answers_pings_is_waited_for() -> None:
    async with ScriptedServer(ignore) as server, channel_to(server.endpoint, after=0.01, patience=5.0) as channel:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(ask(channel))
            await server.until(lambda: server.pings > 0)
            echo(server.requests[0])
        assert task.result().code == 0


async def test_closing_breaks_what_is_under_way_and_what_comes_after() -> None:
    async with ScriptedServer(ignore) as server, channel_to(server.endpoint) as channel:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(failure(channel))
            await server.arrived(1)
            await channel.close()
        assert task.result().reason == "the client was closed"
        assert (await failure(channel)).reason == "the client is closed"


async def test_stream_carries_messages_both_ways_until_either_ends_it() -> None:
    def script(request: Request) -> None:
        request.answer(request.body)

    async with ScriptedServer(script) as server, channel_to(server.endpoint) as channel:
        stream = await channel.stream(PATH, ((b"name", b"value"),))
        await stream.send(b"one")
        stream.end()
        assert await stream.receive() == b"one"
        assert await stream.receive() is None
        assert stream.reply is not None
        assert stream.reply.code == Code.OK
        with pytest.raises(ConnectionBrokenError, match="the call has ended"):
            await stream.send(b"two")
        assert server.requests[0].headers[b"name"] == b"value"


async def test_cancelled_stream_is_reset_and_ends() -> None:
    async with ScriptedServer(ignore) as server, channel_to(server.endpoint) as channel:
        stream = await channel.stream(PATH)
        await stream.send(b"one")
        stream.end()
        await server.arrived(1)
        stream.cancel()
        stream.cancel()
        assert await stream.receive() is None
        await server.requests[0].cancelled.wait()


async def test_broken_connection_breaks_its_streams() -> None:
    async with ScriptedServer(lambda request: request.connection.drop()) as server, channel_to(server.endpoint) as channel:
        stream = await channel.stream(PATH)
        stream.end()
        with pytest.raises(ConnectionBrokenError):
            await stream.receive()
        with pytest.raises(ConnectionBrokenError):
            await stream.send(b"late")


async def test_stream_whose_messages_nobody_takes_holds_the_server_back_but_no_other_call() -> None:
    def script(request: Request) -> None:
        if request.data:
            echo(request)
            return
        h2 = request.connection.h2
        h2.send_headers(request.stream_id, HEADERS)
        message = b"\x00" + (10_000).to_bytes(4) + bytes(10_000)
        while h2.local_flow_control_window(request.stream_id) > len(message):
            request.connection.send_data(request.stream_id, message)
        request.connection.flush()

    async with ScriptedServer(script) as server, channel_to(server.endpoint) as channel:
        stream = await channel.stream(PATH)
        stream.end()
        await server.arrived(1)
        assert (await ask(channel, bytes(500_000))).code == 0
        h2, number = server.connections[0].h2, server.requests[0].stream_id
        assert h2.local_flow_control_window(number) < 10_005
        for _ in range(4 * 1024 * 1024 // 10_005):
            assert await stream.receive() == bytes(10_000)
        await ask(channel)
        assert h2.local_flow_control_window(number) > 1_000_000


async def test_sender_of_a_stream_waits_while_the_server_takes_no_more() -> None:
    async with ScriptedServer(ignore, reads=False) as server, channel_to(server.endpoint) as channel:
        stream = await channel.stream(PATH)
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(stream.send(bytes(500_000)))
            await server.begun()
            assert not task.done()
            task.cancel()
        stream.cancel()


async def test_transport_errors_never_leave_the_seam_as_something_else() -> None:
    async with ScriptedServer(echo) as server, channel_to(server.endpoint) as channel:
        await ask(channel)
        server.connections[0].transport.write(b"\x00\x00\x01\x06\x00\x00\x00\x00\x00x")  # a PING of the wrong length
        with suppress(ConnectionBrokenError):
            await ask(channel)
        assert (await ask(channel)).code == 0


class FullTransport(asyncio.Transport):
    """What is written stays in the buffer, for the server reads nothing; so an orderly close never ends."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection
        self._written = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._written += len(data)

    def get_write_buffer_size(self) -> int:
        return self._written

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        """Waits for the buffer, that is for ever."""

    def abort(self) -> None:
        self._connection.connection_lost(None)


async def test_closing_does_not_wait_for_a_server_that_reads_nothing() -> None:
    options = ConnectionOptions(max_message_bytes=1, keepalive_after=60.0, keepalive_timeout=60.0)
    connection = Connection(parse_endpoint("a:1", tls=False), socket.socket(), options, asyncio.get_running_loop())
    connection.raw_socket.close()
    connection.connection_made(FullTransport(connection))
    connection.opened.cancel()
    await connection.close()
    assert connection.closed.done()
