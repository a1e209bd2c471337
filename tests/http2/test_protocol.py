"""A connection on the loop with a transport that only remembers: how many writes there are, and what waits for the client."""

import asyncio
from typing import Any

from raftkv.http2 import Hooks, Options, frames
from raftkv.http2.framing import framed
from raftkv.http2.protocol import GrpcProtocol, Shared
from raftkv.pb.rpc import PutRequest
from raftkv.rpc.method import Kind, Method
from tests.http2.echo import SERVICE, Echo
from tests.http2.wire import REQUEST, Frame, block, data, headers, parse


class Transport(asyncio.Transport):
    """Remembers writes."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.written = asyncio.Event()
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))
        self.written.set()

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def frames(self) -> list[Frame]:
        found = parse(b"".join(self.writes))
        self.writes.clear()
        self.written.clear()
        return found


class Connected:
    """A protocol with a client that has greeted."""

    def __init__(self, methods: list[Method] | None = None, **options: Any) -> None:
        self.shared = Shared(methods or Echo().methods(), Options(**options), Hooks())
        self.lost = 0
        self.transport = Transport()
        self.protocol = GrpcProtocol(self.shared, self._lose)
        self.protocol.connection_made(self.transport)
        self.protocol.data_received(frames.PREFACE + frames.settings([(4, 1 << 24)]) + frames.window_update(0, 1 << 24))
        self.transport.writes.clear()

    def _lose(self) -> None:
        self.lost += 1

    async def settle(self) -> None:
        """Lets the loop do what is ready."""
        for _ in range(5):
            await asyncio.sleep(0)


def path(method: str) -> bytes:
    return block(base=tuple((name, SERVICE + method if name == ":path" else value) for name, value in REQUEST))


def call(stream_id: int, method: str, request: PutRequest | None = None) -> bytes:
    return headers(stream_id, path(method)) + data(
        stream_id, framed((request or PutRequest()).SerializeToString()), frames.END_STREAM
    )


async def test_answers_that_are_ready_leave_in_the_read_that_asked() -> None:
    connected = Connected()
    connected.protocol.data_received(b"".join(call(number, "Future") for number in range(1, 41, 2)))
    assert len(connected.transport.writes) == 1
    assert sum(frame.kind == frames.DATA for frame in connected.transport.frames()) == 20


async def test_all_answers_of_a_turn_leave_in_one_write() -> None:
    connected = Connected()
    connected.protocol.data_received(b"".join(call(number, "Later") for number in range(1, 41, 2)))
    assert connected.transport.writes == []
    await connected.settle()
    assert len(connected.transport.writes) == 1
    assert sum(frame.kind == frames.DATA for frame in connected.transport.frames()) == 20


async def test_a_ping_waits_for_the_answer_that_is_in_the_making_but_not_for_long() -> None:
    connected = Connected()
    connected.protocol.data_received(call(1, "Later") + frames.ping(b"12345678"))
    assert connected.transport.writes == []
    await connected.settle()
    assert [frame.kind for frame in connected.transport.frames()] == [frames.PING, frames.HEADERS, frames.DATA, frames.HEADERS]
    connected.protocol.data_received(call(3, "Later", PutRequest(key=b"wait")) + frames.ping(b"12345678"))
    await connected.transport.written.wait()
    assert [frame.kind for frame in connected.transport.frames()] == [frames.PING]


async def test_a_ping_is_answered_at_once_where_nothing_is_in_the_making() -> None:
    connected = Connected()
    connected.protocol.data_received(frames.ping(b"12345678"))
    assert [frame.kind for frame in connected.transport.frames()] == [frames.PING]


async def test_a_handler_that_never_waits_cannot_flood_the_loop() -> None:
    connected = Connected()
    turns = 0

    def count() -> None:
        nonlocal turns
        turns += 1
        asyncio.get_running_loop().call_soon(count)

    count()
    connected.protocol.data_received(call(1, "Down", PutRequest(value=bytes(10_000), lease=500)))
    while not (connected.transport.writes and connected.transport.writes[-1].endswith(b"\x0bgrpc-status\x010")):
        await connected.settle()
    assert max(map(len, connected.transport.writes)) < 400_000
    assert turns > 10


async def test_streams_wait_while_the_transport_is_full() -> None:
    echo = Echo()
    connected = Connected(echo.methods())
    connected.protocol.pause_writing()
    connected.protocol.data_received(call(1, "Down", PutRequest(value=bytes(10_000), lease=500)))
    await connected.settle()
    assert echo.sent < 10
    assert all(frame.kind != frames.DATA for frame in connected.transport.frames())
    connected.protocol.resume_writing()
    for _ in range(1000):
        await connected.settle()
    assert sum(frame.kind == frames.DATA for frame in connected.transport.frames()) == 500


async def test_an_error_comes_after_the_messages_before_it() -> None:
    connected = Connected()
    connected.protocol.pause_writing()
    connected.protocol.data_received(call(1, "Down", PutRequest(key=b"fail", value=bytes(15_500), lease=4)))
    await connected.settle()
    connected.transport.frames()
    connected.protocol.resume_writing()
    await connected.settle()
    found = connected.transport.frames()
    assert sum(len(frame.payload) for frame in found if frame.kind == frames.DATA) > 60_000
    assert b"lease not found" in found[-1].payload


async def test_a_handler_that_ignores_its_cancel_sends_nothing() -> None:
    echo = Echo()
    connected = Connected(echo.methods())
    connected.protocol.data_received(call(1, "Deaf"))
    await echo.begun.get()
    connected.protocol.data_received(frames.rst_stream(1, 8))
    assert await echo.cancelled.get() == "deaf"
    await connected.settle()
    assert connected.transport.writes == []


async def test_unary_answers_wait_too_and_new_calls_are_refused_at_the_limit() -> None:
    connected = Connected(max_queued_bytes=50_000)
    connected.protocol.pause_writing()
    large = PutRequest(value=bytes(30_000))
    connected.protocol.data_received(headers(1, path("Future")) + data(1, framed(large.SerializeToString())[:16_000]))
    connected.protocol.data_received(data(1, framed(large.SerializeToString())[16_000:], frames.END_STREAM))
    connected.protocol.data_received(headers(3, path("Future")) + data(3, framed(large.SerializeToString())[:16_000]))
    connected.protocol.data_received(data(3, framed(large.SerializeToString())[16_000:], frames.END_STREAM))
    connected.protocol.data_received(call(5, "Future"))
    refused = [frame for frame in connected.transport.frames() if frame.kind == frames.RST_STREAM]
    assert [(frame.stream_id, frame.code) for frame in refused] == [(5, frames.ErrorCode.REFUSED_STREAM)]


async def test_a_call_that_was_answered_is_not_ended_again_by_its_queue() -> None:
    ended: list[int] = []
    connected = Connected()
    connected.shared.hooks.handled = lambda method, code, seconds: ended.append(int(code))
    connected.protocol.pause_writing()
    connected.protocol.data_received(call(1, "Future"))
    connected.protocol.data_received(frames.rst_stream(1, 8))
    connected.protocol.connection_lost(None)
    assert ended == [0]


async def test_a_lost_connection_is_told_once_and_cancels_all() -> None:
    echo = Echo()
    connected = Connected(echo.methods())
    connected.protocol.data_received(call(1, "Unary", PutRequest(key=b"wait", value=b"a")))
    await echo.begun.get()
    connected.protocol.connection_lost(None)
    assert await echo.cancelled.get() == "a"
    assert connected.lost == 1
    assert connected.shared.connections == set()
    await connected.settle()
    assert connected.transport.writes == []


async def test_a_handler_that_returns_no_answer_fails_its_call_only() -> None:
    async def nothing(request: PutRequest, call: object) -> Any:
        return None

    connected = Connected([Method(SERVICE + "Nothing", Kind.UNARY, PutRequest, PutRequest, nothing)])
    crashes: list[BaseException] = []
    connected.shared.hooks.crashed = lambda method, error: crashes.append(error)
    connected.protocol.data_received(call(1, "Nothing"))
    await connected.settle()
    assert len(crashes) == 1
    assert b"grpc-status\x012" in b"".join(connected.transport.writes)


async def test_crashes_go_to_the_loops_exception_handler_without_a_hook() -> None:
    contexts: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: contexts.append(context))
    connected = Connected()
    connected.protocol.data_received(call(1, "Unary", PutRequest(key=b"crash")))
    await connected.settle()
    assert [type(context["exception"]) for context in contexts] == [ValueError]


async def test_buffered_bytes_are_released_however_a_call_ends() -> None:
    connected = Connected()
    half = b"\0\0\0\x40\0" + bytes(100)
    for number, method in enumerate(("Unary", "Down", "Up", "Both")):
        connected.protocol.data_received(headers(8 * number + 1, path(method)) + data(8 * number + 1, half))
        connected.protocol.data_received(frames.rst_stream(8 * number + 1, 8))
        connected.protocol.data_received(headers(8 * number + 3, path(method)) + data(8 * number + 3, half, frames.END_STREAM))
        connected.protocol.data_received(
            headers(8 * number + 5, path(method)) + data(8 * number + 5, b"\0\x7f\0\0\0" + bytes(9))
        )
        await connected.settle()
        connected.protocol.data_received(call(8 * number + 7, method))
        await connected.settle()
    assert connected.protocol.buffered == 0
    assert connected.protocol._connection.streams == {}
