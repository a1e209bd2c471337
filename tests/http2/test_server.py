"""A server's life: connections come, change their protocol, idle, and end with it."""

import asyncio
import ssl
from contextlib import suppress
from pathlib import Path

import grpc
import pytest
from aiohttp import ClientSession, TCPConnector, web

from raftkv.errors import Code, ConfigError
from raftkv.http2 import GrpcServer, Options, frames
from raftkv.http2.framing import framed
from raftkv.pb.rpc import PutRequest
from raftkv.tls import ServerTLS, TLSSettings
from tests.http2.echo import Echo
from tests.http2.raw import RawClient, request_headers
from tests.http2.running import LOOPBACK, SECONDS, Client, StartServer
from tests.http2.wire import parse

CERTIFICATES = Path(__file__).parent / "certificates"
BODY = framed(PutRequest(value=b"hello").SerializeToString())
WAIT = framed(PutRequest(key=b"wait", value=b"w").SerializeToString())


def server_tls(*, ask_client: bool = False) -> ServerTLS:
    return ServerTLS(
        TLSSettings(
            cert_file=CERTIFICATES / "server.pem",
            key_file=CERTIFICATES / "server.key.pem",
            trusted_ca_file=CERTIFICATES / "authority.pem" if ask_client else None,
        )
    )


def client_tls(*protocols: str, certificate: bool = False) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(CERTIFICATES / "authority.pem"))
    if protocols:
        context.set_alpn_protocols(list(protocols))
    if certificate:
        context.load_cert_chain(CERTIFICATES / "client.pem", CERTIFICATES / "client.key.pem")
    return context


async def hello(request: web.BaseRequest) -> web.Response:
    return web.Response(text=f"hello {request.method} {len(await request.read())}")


async def read_all(port: int, sent: bytes, tls: ssl.SSLContext | None = None) -> bytes:
    """What a connection brings until the server closes it."""
    reader, writer = await asyncio.open_connection(LOOPBACK, port, ssl=tls)
    writer.write(sent)
    async with asyncio.timeout(SECONDS):
        found = await reader.read()
    writer.close()
    return found


# --- two protocols on one port --------------------------------------------------------------------------------------


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
async def test_http1_and_grpc_share_a_port(start: StartServer, secure: bool) -> None:  # noqa: FBT001 - a parameter of the test
    handler = web.Server(hello)
    running = await start(http1=handler, tls=server_tls() if secure else None)
    scheme = "https" if secure else "http"
    async with ClientSession(connector=TCPConnector(ssl=client_tls() if secure else True)) as session:
        for size in (0, 1_000_000):
            async with session.post(f"{scheme}://{LOOPBACK}:{running.port}/", data=bytes(size)) as response:
                assert await response.text() == f"hello POST {size}"
        async with RawClient(running.port, client_tls("h2") if secure else None) as client:
            assert (await client.ask(request_headers(), BODY)).status == (0, "")
            assert running.server.connections == 2
    await handler.shutdown()


@pytest.mark.parametrize("at", [1, 3, 16, 23])
async def test_a_preface_in_pieces_is_recognised(start: StartServer, at: int) -> None:
    running = await start(http1=web.Server(hello))
    reader, writer = await asyncio.open_connection(LOOPBACK, running.port)
    writer.write(frames.PREFACE[:at])
    await asyncio.sleep(0)
    writer.write(frames.PREFACE[at:] + frames.settings(()) + frames.ping(b"12345678"))
    async with asyncio.timeout(SECONDS):
        assert (await reader.readexactly(9))[3] == frames.SETTINGS
    writer.close()


async def test_http1_without_somebody_to_speak_it_is_closed(start: StartServer) -> None:
    running = await start()
    assert await read_all(running.port, b"GET / HTTP/1.1\r\n\r\n") == b""


async def test_a_post_that_begins_like_the_preface_is_http1(start: StartServer) -> None:
    running = await start(http1=web.Server(hello))
    assert b"200 OK" in await read_all(
        running.port, b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    )


# --- TLS ------------------------------------------------------------------------------------------------------------


async def test_grpcio_clients_come_in_over_tls(start: StartServer) -> None:
    running = await start(tls=server_tls())
    credentials = grpc.ssl_channel_credentials((CERTIFICATES / "authority.pem").read_bytes())
    async with grpc.aio.secure_channel(running.address, credentials) as channel:
        assert await Client(channel).unary(PutRequest(value=b"x"), timeout=SECONDS) == PutRequest(value=b"x")


async def test_handlers_see_the_name_in_the_clients_certificate(start: StartServer) -> None:
    running = await start(tls=server_tls(ask_client=True))
    async with RawClient(running.port, client_tls("h2", certificate=True)) as client:
        assert (await client.ask(request_headers(), BODY)).status == (0, "")
    assert running.echo.calls[0].identity == "alice"


async def test_clients_without_a_certificate_stay_outside(start: StartServer) -> None:
    running = await start(tls=server_tls(ask_client=True))
    with suppress(OSError):  # with TLS 1.3 the client learns it only when it reads
        assert await read_all(running.port, b"x", client_tls("h2")) == b""
    assert running.server.connections == 0


async def test_a_tls_client_without_alpn_is_told_apart_by_its_first_bytes(start: StartServer) -> None:
    running = await start(tls=server_tls())
    async with RawClient(running.port, client_tls()) as client:
        assert (await client.ask(request_headers(), BODY)).status == (0, "")


async def test_cve_2026_73500_a_handshake_that_does_not_go_on_ends(start: StartServer) -> None:
    running = await start(tls=server_tls(), handshake_seconds=0.05)
    assert await read_all(running.port, b"\x16\x03\x01") == b""
    assert running.server.connections == 0


async def test_plain_text_at_a_tls_port_ends(start: StartServer) -> None:
    running = await start(tls=server_tls())
    await read_all(running.port, frames.PREFACE)
    assert running.server.connections == 0


# --- limits and silence ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [b"", frames.PREFACE[:10]])
async def test_a_client_that_says_nothing_is_sent_away(start: StartServer, sent: bytes) -> None:
    running = await start(handshake_seconds=0.05)
    assert await read_all(running.port, sent) == b""


async def test_a_client_without_settings_is_sent_away(start: StartServer) -> None:
    running = await start(handshake_seconds=0.05)
    last = parse(await read_all(running.port, frames.PREFACE))[-1]
    assert (last.kind, last.code) == (frames.GOAWAY, frames.ErrorCode.SETTINGS_TIMEOUT)


async def test_connections_above_the_limit_are_closed(start: StartServer) -> None:
    running = await start(max_connections=1)
    async with RawClient(running.port) as client:
        with suppress(ConnectionResetError):
            assert await read_all(running.port, b"") == b""
        assert (await client.ask(request_headers(), BODY)).status == (0, "")


async def test_a_silent_client_is_asked_and_closed_when_it_does_not_answer(start: StartServer) -> None:
    running = await start(keepalive_interval_seconds=0.02, keepalive_timeout_seconds=0.02, handshake_seconds=0.02)
    reader, writer = await asyncio.open_connection(LOOPBACK, running.port)
    writer.write(frames.PREFACE + frames.settings(()))
    found = b""
    async with asyncio.timeout(SECONDS):
        try:
            while data := await reader.read(1000):
                found += data
        except ConnectionResetError:
            pass
    assert any(frame.kind == frames.PING for frame in parse(found))
    writer.close()


async def test_a_silent_client_that_answers_stays(start: StartServer) -> None:
    running = await start(keepalive_interval_seconds=0.02, keepalive_timeout_seconds=0.3, handshake_seconds=0.5)
    async with RawClient(running.port) as client:
        await client.until(lambda: client.pings >= 2)
        assert not client.gone


def test_options_that_cannot_work_are_refused() -> None:
    for options in (
        {"max_connections": 0},
        {"stream_window_bytes": 1000},
        {"headers": (("Upper", "x"),)},
        {"handshake_seconds": -1.0},
    ):
        with pytest.raises(ConfigError):
            Options(**options)


# --- the end --------------------------------------------------------------------------------------------------------


async def test_stop_lets_calls_finish(start: StartServer) -> None:
    running = await start()
    async with RawClient(running.port) as client:
        number = client.open(request_headers())
        client.send(number, WAIT, end_stream=True)
        await running.echo.begun.get()
        async with asyncio.TaskGroup() as group:
            group.create_task(running.server.stop(SECONDS))
            await client.until(lambda: client.goaway is not None)
            running.echo.go_on.set()
            assert (await client.reply(number)).status == (0, "")
            client.writer.close()


async def test_stop_answers_what_does_not_finish_in_time(start: StartServer) -> None:
    running = await start()
    async with RawClient(running.port) as client:
        number = client.open(request_headers())
        client.send(number, WAIT, end_stream=True)
        await running.echo.begun.get()
        async with asyncio.TaskGroup() as group:
            group.create_task(running.server.stop(0.02))
            assert (await client.reply(number)).status == (Code.UNAVAILABLE, "etcdserver: server stopped")
            client.writer.close()
    assert await running.echo.cancelled.get() == "w"


async def test_stop_closes_the_port_and_every_connection() -> None:
    server = GrpcServer(Echo().methods())
    port = await server.listen(LOOPBACK, 0)
    _, writer = await asyncio.open_connection(LOOPBACK, port)
    async with grpc.aio.insecure_channel(f"{LOOPBACK}:{port}") as channel:
        await Client(channel).unary(PutRequest(), timeout=SECONDS)
        await server.stop(SECONDS)
    assert server.connections == 0
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(LOOPBACK, port)
    writer.close()


async def test_grpcio_clients_move_on_when_a_server_drains(start: StartServer) -> None:
    first, second = await start(), await start()
    client = first.client(enable_retries=0)
    await client.unary(PutRequest(), timeout=SECONDS)
    await first.server.stop(SECONDS)
    code = (await asyncio.gather(client.unary(PutRequest(), timeout=SECONDS), return_exceptions=True))[0]
    assert isinstance(code, grpc.aio.AioRpcError)
    assert code.code() == grpc.StatusCode.UNAVAILABLE
    assert await second.client().unary(PutRequest(), timeout=SECONDS) == PutRequest()
