"""Calls over loopback: what grpcio clients see, and what only a client of our own can ask."""

import asyncio
import gzip
import threading
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from raftkv.errors import Code
from raftkv.http2 import Hooks
from raftkv.http2.frames import ErrorCode
from raftkv.http2.framing import framed
from raftkv.pb.rpc import PutRequest
from raftkv.rpc.method import Method
from tests.http2.echo import SERVICE
from tests.http2.raw import RawClient, request_headers
from tests.http2.running import SECONDS, StartServer

HELLO = PutRequest(value=b"hello")
BODY = framed(HELLO.SerializeToString())


def deed(key: str, value: str = "", lease: int = 0) -> PutRequest:
    return PutRequest(key=key.encode(), value=value.encode(), lease=lease)


async def failure(call: Any) -> tuple[grpc.StatusCode, str]:
    """How a call fails, for it must."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), caught.value.details() or ""


# --- metadata -------------------------------------------------------------------------------------------------------


async def test_handlers_see_metadata_peer_path_and_body(start: StartServer) -> None:
    running = await start()
    metadata = (
        ("x-text", "a, b"),
        ("x-data-bin", b"\x00\xff"),
        ("raftkv-request-id", "7:1"),
        ("x-twice", "1"),
        ("x-twice", "2"),
    )
    await running.client().unary(HELLO, metadata=metadata, timeout=SECONDS)
    (call,) = running.echo.calls
    assert call.path == SERVICE + "Unary"
    assert {name: call.metadata[name] for name, _ in metadata} == {
        "x-text": "a, b",
        "x-data-bin": b"\x00\xff",
        "raftkv-request-id": "7:1",
        "x-twice": "2",
    }
    assert call.peer.startswith("127.0.0.1:")
    assert call.identity == ""
    assert call.body == HELLO.SerializeToString()
    assert call.deadline is not None
    assert 0 < call.deadline - asyncio.get_running_loop().time() <= SECONDS + 1


async def test_protocol_fields_are_no_metadata(start: StartServer) -> None:
    running = await start()
    async with RawClient(running.port) as client:
        await client.ask(request_headers(grpc_timeout="5S", x_name="a"), BODY)
    assert running.echo.calls[0].metadata == {"x-name": "a"}


async def test_calls_with_equal_heads_do_not_share_what_is_their_own(start: StartServer) -> None:
    running = await start()
    async with RawClient(running.port) as client:
        for number in ("1", "2"):
            await client.ask(request_headers(raftkv_request_id=number), BODY)
        await client.ask(request_headers(), BODY)
    assert [call.metadata.get("raftkv-request-id") for call in running.echo.calls] == ["1", "2", None]


async def test_every_answer_carries_the_extra_headers(start: StartServer) -> None:
    running = await start(headers=(("raftkv-version", "1.2.3"),))
    async with RawClient(running.port) as client:
        for path in ("/un.Known/Method", SERVICE + "Unary", SERVICE + "Down"):
            for request in (HELLO, deed("fail")):
                reply = await client.ask(request_headers(path), framed(request.SerializeToString()))
                assert reply.headers["raftkv-version"] == "1.2.3"


@pytest.mark.parametrize("value", ["!!!", "abc-"])
async def test_malformed_binary_metadata_is_an_error(start: StartServer, value: str) -> None:
    running = await start()
    async with RawClient(running.port) as client:
        assert (await client.ask(request_headers(x_bin=value), BODY)).status[0] == Code.INTERNAL


async def test_binary_metadata_may_come_with_padding_and_joined_by_commas(start: StartServer) -> None:
    running = await start()
    async with RawClient(running.port) as client:
        await client.ask(request_headers(x_bin="AAE="), BODY)
        await client.ask(request_headers(x_bin="AAE,AAI"), BODY)
    assert [call.metadata["x-bin"] for call in running.echo.calls] == [b"\0\1", b"\0\2"]


# --- requests that cannot be served ---------------------------------------------------------------------------------


async def test_what_is_not_grpc_is_told_so(start: StartServer) -> None:
    running = await start()
    async with RawClient(running.port) as client:
        wrong_type = await client.ask(request_headers(content_type="text/plain"), BODY)
        assert (wrong_type.headers[":status"], wrong_type.status[0]) == ("415", Code.INVALID_ARGUMENT)
        wrong_method = await client.ask(request_headers(pseudo_method="GET"), None)
        assert (wrong_method.headers[":status"], wrong_method.status[0]) == ("405", Code.INTERNAL)
        for content_type in ("application/grpc+proto", "application/grpc;charset=utf-8"):
            assert (await client.ask(request_headers(content_type=content_type), BODY)).status == (0, "")
        assert (await client.ask(request_headers(content_type="application/grpc-web"), BODY)).headers[":status"] == "415"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (SERVICE + "Nothing", "unknown method Nothing for service test.Echo"),
        ("/no.Thing/Unary", "unknown service no.Thing"),
        ("/Unary", 'malformed method name: "/Unary"'),
    ],
)
async def test_unknown_methods_are_unimplemented_in_the_words_of_grpc_go(start: StartServer, path: str, text: str) -> None:
    running = await start()
    async with RawClient(running.port) as client:
        assert (await client.ask(request_headers(path), BODY)).status == (Code.UNIMPLEMENTED, text)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        pytest.param(framed(b"\xff\xff"), Code.INTERNAL, id="not the message type"),
        pytest.param(None, Code.UNIMPLEMENTED, id="no message, no data"),
        pytest.param(b"", Code.UNIMPLEMENTED, id="no message"),
        pytest.param(BODY + BODY, Code.UNIMPLEMENTED, id="two messages"),
        pytest.param(BODY[:-1], Code.INTERNAL, id="half a message"),
        pytest.param(BODY + b"\0", Code.INTERNAL, id="a message and a piece"),
        pytest.param(b"\1" + BODY[1:], Code.INTERNAL, id="compressed without an encoding"),
        pytest.param(b"\7" + BODY[1:], Code.INTERNAL, id="an unknown flag"),
        pytest.param(b"\0\x7f\xff\xff\xff" + bytes(100), Code.RESOURCE_EXHAUSTED, id="an endless message"),
    ],
)
@pytest.mark.parametrize("method", ["Unary", "Down"])
async def test_bad_requests_are_answered_and_reach_no_handler(
    start: StartServer, method: str, content: bytes | None, code: Code
) -> None:
    running = await start()
    async with RawClient(running.port) as client:
        assert (await client.ask(request_headers(SERVICE + method), content)).status[0] == code
    assert running.echo.calls == []


@pytest.mark.parametrize("content", [b"\1" + BODY[1:], BODY[:-1], framed(b"\xff\xff")])
@pytest.mark.parametrize("method", ["Up", "Both"])
async def test_bad_messages_in_a_stream_end_the_call(start: StartServer, method: str, content: bytes) -> None:
    running = await start()
    async with RawClient(running.port) as client:
        assert (await client.ask(request_headers(SERVICE + method), content)).status[0] == Code.INTERNAL


async def test_a_message_above_the_limit_is_refused_in_the_words_of_grpc_go(start: StartServer) -> None:
    running = await start(max_message_bytes=1000)
    client = running.client()
    code, text = await failure(client.unary(PutRequest(value=bytes(2000)), timeout=SECONDS))
    assert (code, text) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "grpc: received message larger than max (2003 vs. 1000)")
    assert await client.unary(PutRequest(value=bytes(997)), timeout=SECONDS) == PutRequest(value=bytes(997))


async def test_metadata_above_the_limit_is_refused(start: StartServer) -> None:
    running = await start(max_header_list_bytes=2000)
    async with RawClient(running.port) as client:
        assert (await client.ask(request_headers(x_long="v" * 3000), BODY)).status[0] == Code.RESOURCE_EXHAUSTED
        assert (await client.ask(request_headers(), BODY)).status == (0, "")


async def test_a_client_cannot_park_more_than_the_buffer_limit(start: StartServer) -> None:
    running = await start(max_buffered_bytes=100_000, max_message_bytes=1 << 20)
    async with RawClient(running.port) as client:
        numbers = [client.open(request_headers()) for _ in range(3)]
        for number in numbers:
            client.http.send_data(number, b"\0\0\x0f\0\0" + bytes(16_000))
            client.http.send_data(number, bytes(16_000))
            client.send(number, bytes(16_000))
        assert (await client.reply(numbers[2])).status == (Code.RESOURCE_EXHAUSTED, "etcdserver: too many requests")
        assert not client.replies[numbers[0]].ended


# --- compression ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["Unary", "Down", "Up", "Both"])
async def test_gzip_requests_are_read(start: StartServer, method: str) -> None:
    running = await start()
    packed = gzip.compress(PutRequest(value=b"x" * 5000, lease=1).SerializeToString())
    async with RawClient(running.port) as client:
        reply = await client.ask(request_headers(SERVICE + method, grpc_encoding="gzip"), b"\1" + framed(packed)[1:])
    assert reply.status == (0, "")
    assert len(reply.content) > 5000


async def test_grpcio_clients_may_compress(start: StartServer) -> None:
    running = await start()
    request = PutRequest(value=b"x" * 5000)
    assert await running.client().unary(request, compression=grpc.Compression.Gzip, timeout=SECONDS) == request


@pytest.mark.parametrize(
    ("packed", "code"),
    [
        pytest.param(gzip.compress(bytes(1 << 22)), Code.RESOURCE_EXHAUSTED, id="a bomb"),
        pytest.param(gzip.compress(b"\n\1x")[:-3], Code.INTERNAL, id="cut off"),
        pytest.param(b"garbage", Code.INTERNAL, id="garbage"),
        pytest.param(gzip.compress(b"\n\1") + gzip.compress(b"x"), Code.OK, id="two members"),
    ],
)
async def test_what_gzip_unpacks_to_is_limited(start: StartServer, packed: bytes, code: Code) -> None:
    running = await start()
    async with RawClient(running.port) as client:
        assert (await client.ask(request_headers(grpc_encoding="gzip"), b"\1" + framed(packed)[1:])).status[0] == code


async def test_an_unknown_encoding_is_answered_with_the_known_ones(start: StartServer) -> None:
    running = await start()
    async with RawClient(running.port) as client:
        reply = await client.ask(request_headers(grpc_encoding="snappy"), BODY)
    assert reply.status == (Code.UNIMPLEMENTED, 'grpc: Decompressor is not installed for grpc-encoding "snappy"')
    assert reply.headers["grpc-accept-encoding"] == "identity,gzip"


# --- deadlines and cancels ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "name"), [("Unary", "w"), ("Down", "w"), ("Up", "w"), ("Both", "w"), ("Later", "later")])
async def test_a_deadline_ends_the_handler_and_is_answered(start: StartServer, method: str, name: str) -> None:
    running = await start()
    async with RawClient(running.port) as client:
        number = client.open(request_headers(SERVICE + method, grpc_timeout="30m"))
        client.send(number, framed(deed("wait", "w").SerializeToString()), end_stream=True)
        assert (await client.reply(number)).status == (Code.DEADLINE_EXCEEDED, "context deadline exceeded")
    assert await running.echo.cancelled.get() == name


async def test_deadlines_expire_in_their_own_order(start: StartServer) -> None:
    running = await start()
    async with RawClient(running.port) as client:
        late, early = (client.open(request_headers(grpc_timeout=timeout)) for timeout in ("60m", "20m"))
        client.flush()
        await client.reply(early)
        assert not client.replies[late].ended
        assert (await client.reply(late)).status[0] == Code.DEADLINE_EXCEEDED


@pytest.mark.parametrize("text", ["5", "S", "123456789S", "-1S", "1.5S", "5s", "٣S".encode().decode("latin-1")])
async def test_a_malformed_timeout_is_an_error(start: StartServer, text: str) -> None:
    running = await start()
    async with RawClient(running.port) as client:
        assert (await client.ask(request_headers(grpc_timeout=text), BODY)).status[0] == Code.INTERNAL


@pytest.mark.parametrize("method", ["Unary", "Down", "Up", "Both", "Later"])
async def test_a_cancel_reaches_the_handler(start: StartServer, method: str) -> None:
    running = await start()
    async with RawClient(running.port) as client:
        number = client.open(request_headers(SERVICE + method))
        client.send(number, framed(deed("wait", "w").SerializeToString()), end_stream=method != "Both")
        await running.echo.begun.get()
        client.http.reset_stream(number, ErrorCode.CANCEL)
        client.flush()
        await running.echo.cancelled.get()
        assert (await client.ask(request_headers(), BODY)).status == (0, "")


@pytest.mark.parametrize("method", ["Unary", "Down", "Up", "Both", "Later"])
async def test_a_lost_connection_reaches_the_handler(start: StartServer, method: str) -> None:
    running = await start()
    async with RawClient(running.port) as client:
        number = client.open(request_headers(SERVICE + method))
        client.send(number, framed(deed("wait", "w").SerializeToString()), end_stream=method != "Both")
        await running.echo.begun.get()
        client.writer.transport.abort()
    await running.echo.cancelled.get()


async def test_a_stream_that_waits_for_its_client_is_closed_when_it_leaves(start: StartServer) -> None:
    running = await start()
    async with RawClient(running.port) as client:
        number = client.open(request_headers(SERVICE + "Down"))
        request = PutRequest(key=b"tell", value=bytes(100_000), lease=1000)
        client.send(number, framed(request.SerializeToString()), end_stream=True)
        await client.until(lambda: len(client.replies[number].content) == 65_535)
        assert running.echo.sent < 10
        client.http.reset_stream(number, ErrorCode.CANCEL)
        client.flush()
        assert await running.echo.cancelled.get() == "down"


async def test_a_grpcio_client_that_cancels_ends_its_handler(start: StartServer) -> None:
    running = await start()
    call = running.client().unary(deed("wait", "w"))
    await running.echo.begun.get()
    call.cancel()
    assert await running.echo.cancelled.get() == "w"


# --- streams --------------------------------------------------------------------------------------------------------


async def test_a_bidirectional_stream_answers_while_the_client_still_sends(start: StartServer) -> None:
    running = await start()
    call = running.client().both(timeout=SECONDS)
    for number in range(20):
        await call.write(PutRequest(lease=number))
        assert (await call.read()).lease == number
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    assert await call.code() == grpc.StatusCode.OK


async def test_a_client_that_sends_faster_than_its_handler_takes_is_held_back(start: StartServer) -> None:
    running = await start(stream_window_bytes=65_535)
    filler = framed(PutRequest(value=bytes(15_000)).SerializeToString())
    async with RawClient(running.port) as client:
        number = client.open(request_headers(SERVICE + "Up"))
        client.send(number, framed(deed("wait", "w").SerializeToString()))
        await running.echo.begun.get()
        sent = 0
        while client.http.local_flow_control_window(number) >= len(filler):
            client.send(number, filler)
            sent += 1
            await client.ask(request_headers(), BODY)  # comes after any WINDOW_UPDATE that the server would send
        assert sent * len(filler) < 2 * 65_536 + len(filler)
        running.echo.go_on.set()
        await client.until(lambda: client.http.local_flow_control_window(number) >= len(filler))
        for stream in (None, number):
            client.http.increment_flow_control_window(1 << 20, stream)
        client.send(number, b"", end_stream=True)
        assert PutRequest.FromString(bytes((await client.reply(number)).content[5:])).lease == sent + 1


async def test_many_calls_at_once_are_all_answered(start: StartServer) -> None:
    running = await start()
    client = running.client()

    async def talk(number: int) -> AsyncIterator[PutRequest]:
        for _ in range(5):
            yield PutRequest(lease=number)

    async def one(number: int) -> None:
        assert (await client.unary(PutRequest(lease=number), timeout=SECONDS)).lease == number
        assert [answer.lease async for answer in client.both(talk(number), timeout=SECONDS)] == [number] * 5

    async with asyncio.TaskGroup() as group:
        for number in range(150):
            group.create_task(one(number))


async def test_blocking_grpcio_clients_are_served(start: StartServer) -> None:
    running = await start()
    answers: list[Any] = []

    def work() -> None:
        with grpc.insecure_channel(running.address) as channel:
            form: Any = {"request_serializer": PutRequest.SerializeToString, "response_deserializer": PutRequest.FromString}
            answers.append(channel.unary_unary(SERVICE + "Unary", **form)(HELLO, timeout=SECONDS))
            answers.extend(channel.unary_stream(SERVICE + "Down", **form)(deed("", lease=3), timeout=SECONDS))
            answers.append(channel.stream_unary(SERVICE + "Up", **form)(iter([HELLO] * 3), timeout=SECONDS))
            answers.extend(channel.stream_stream(SERVICE + "Both", **form)(iter([HELLO] * 3), timeout=SECONDS))

    await asyncio.to_thread(work)
    assert len(answers) == 8
    assert threading.active_count() >= 1


# --- hooks ----------------------------------------------------------------------------------------------------------


async def test_every_started_call_is_handled_once(start: StartServer) -> None:
    started: list[str] = []
    handled: list[tuple[str, Code]] = []

    def note(method: Method, code: Code, seconds: float) -> None:
        assert 0 <= seconds < SECONDS
        handled.append((method.path.removeprefix(SERVICE), code))

    received: list[int] = []
    sent: list[int] = []
    hooks = Hooks(
        started=lambda method: started.append(method.path.removeprefix(SERVICE)),
        handled=note,
        received=received.append,
        sent=sent.append,
    )
    running = await start(hooks=hooks)
    async with RawClient(running.port) as client:
        await client.ask(request_headers(), BODY)
        await client.ask(request_headers(SERVICE + "Down"), framed(deed("fail", lease=2).SerializeToString()))
        await client.ask(request_headers(SERVICE + "Both"), BODY)
        await client.ask(request_headers("/un.Known/Method"), BODY)
        await client.ask(request_headers(grpc_timeout="1m"), framed(deed("wait", "w").SerializeToString()))
        number = client.open(request_headers(SERVICE + "Up"))
        client.flush()
        client.http.reset_stream(number, ErrorCode.CANCEL)
        client.flush()
        await client.ask(request_headers(SERVICE + "Later"), BODY)
    expected = [
        ("Unary", Code.OK),
        ("Down", Code.NOT_FOUND),
        ("Both", Code.OK),
        ("Unary", Code.DEADLINE_EXCEEDED),
        ("Up", Code.CANCELLED),
        ("Later", Code.OK),
    ]
    assert handled == expected
    assert started == [name for name, _ in expected]
    assert sum(received) > 0
    assert sum(sent) > 0
