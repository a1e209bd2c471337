"""Encrypted connections: who is trusted, by whom, and what is said when not."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from raftkv.client import BlockingClient, Client, TLSConfig
from raftkv.client.channel import UnaryCall
from raftkv.client.connection import ConnectionOptions
from raftkv.client.endpoint import parse_endpoint
from raftkv.client.http2 import DialOptions, Http2Channel
from raftkv.errors import ConfigError, ConnectError, ConnectionBrokenError
from tests.client.scripted import Request, ScriptedServer
from tests.harness.etcd import ETCD
from tests.harness.ports import Ports
from tests.harness.processes import Process

CERTIFICATES = Path(__file__).parent / "certificates"
CA, SERVER, CLIENT, STRANGER = (CERTIFICATES / f"{name}.pem" for name in ("ca", "server", "client", "stranger"))


def server_context(*protocols: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(SERVER)
    context.set_alpn_protocols(protocols)
    return context


def echo(request: Request) -> None:
    request.answer(request.body)


async def ask(endpoint: str, tls: TLSConfig, body: bytes = b"hello") -> bytes:
    connection = ConnectionOptions(max_message_bytes=1 << 24, keepalive_after=60.0, keepalive_timeout=60.0)
    options = DialOptions(timeout=5.0, tls=tls.context(), server_name=tls.server_name, connection=connection)
    channel = Http2Channel(parse_endpoint(endpoint, tls=True), options)
    try:
        return (await channel.unary(UnaryCall("/test.Service/Method", body))).body
    finally:
        await channel.close()


async def refusal(endpoint: str, tls: TLSConfig) -> str:
    with pytest.raises(ConnectionBrokenError) as caught:
        await ask(endpoint, tls)
    assert not caught.value.sent
    return caught.value.reason


async def test_server_of_a_known_authority_is_trusted() -> None:
    async with ScriptedServer(echo, tls=server_context("h2")) as server:
        assert await ask(server.endpoint, TLSConfig(ca_file=CA), bytes(1 << 20)) == bytes(1 << 20)
        assert await ask(server.endpoint.replace("127.0.0.1", "localhost"), TLSConfig(ca_file=CA)) == b"hello"
        assert await ask(server.endpoint, TLSConfig(ca_file=CA, server_name="node.test")) == b"hello"


async def test_server_of_a_stranger_is_not() -> None:
    async with ScriptedServer(echo, tls=server_context("h2")) as server:
        assert await refusal(server.endpoint, TLSConfig(ca_file=STRANGER)) == "TLS: unable to get local issuer certificate"
        assert (await refusal(server.endpoint, TLSConfig())).startswith("TLS: ")
        assert await ask(server.endpoint, TLSConfig(verify=False)) == b"hello"


async def test_server_of_another_name_is_not() -> None:
    async with ScriptedServer(echo, tls=server_context("h2")) as server:
        reason = await refusal(server.endpoint, TLSConfig(ca_file=CA, server_name="other.test"))
    assert "Hostname mismatch, certificate is not valid for 'other.test'" in reason


async def test_server_that_offers_no_http2_is_named_so() -> None:
    async with ScriptedServer(echo, tls=server_context("http/1.1")) as server:
        assert await refusal(server.endpoint, TLSConfig(ca_file=CA)) == "TLS: the server does not offer HTTP/2"


async def test_server_in_plain_text_is_named_so() -> None:
    async with ScriptedServer(echo) as server:
        assert (await refusal(server.endpoint, TLSConfig(ca_file=CA))).startswith("TLS: ")


def test_endpoints_with_https_are_encrypted_without_further_options() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint = f"https://127.0.0.1:{listener.getsockname()[1]}"
        with BlockingClient(endpoint, dial_timeout=0.05, wait_for_ready=False) as client, pytest.raises(ConnectError):
            client.status()
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(1) == b"\x16"  # a TLS handshake


@pytest.mark.parametrize(
    "files", [{"ca_file": "absent.pem"}, {"cert_file": "absent.pem"}, {"ca_file": __file__}, {"cert_file": str(CA)}]
)
def test_file_that_cannot_be_used_is_named_at_once(files: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=next(iter(files.values()))):
        Client(tls=TLSConfig(**files))  # type: ignore[arg-type]  # all of these options are file names


def test_key_without_its_certificate_is_refused() -> None:
    with pytest.raises(ConfigError, match="without its certificate"):
        TLSConfig(key_file=CLIENT)


@pytest.fixture
def guarded_etcd(tmp_path: Path) -> Iterator[str]:
    """An etcd that takes only clients whose certificate it can verify."""
    with Ports() as ports:
        port = ports.take()
        url, peer = f"https://127.0.0.1:{port}", f"http://127.0.0.1:{ports.take()}"
        options = {
            "data-dir": str(tmp_path / "data"),
            "listen-client-urls": url,
            "advertise-client-urls": url,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"default={peer}",
            "cert-file": str(SERVER),
            "key-file": str(SERVER),
            "trusted-ca-file": str(CA),
            "client-cert-auth": "true",
            "unsafe-no-fsync": "true",
        }
        process = Process("etcd", [str(ETCD), *(f"--{name}={value}" for name, value in options.items())], log=tmp_path / "log")
        process.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            process.end()


def test_client_with_a_certificate_is_let_in_and_one_without_is_not(guarded_etcd: str) -> None:
    known = TLSConfig(ca_file=CA, cert_file=CLIENT)
    with BlockingClient(guarded_etcd, tls=known, timeout=30.0) as client:
        client.put("k", "v")
        assert client.get("k") is not None
        assert client.sync_endpoints() == (guarded_etcd,)
        assert client.get("k") is not None
    nobody = BlockingClient(guarded_etcd, tls=TLSConfig(ca_file=CA), wait_for_ready=False)
    with nobody, pytest.raises(ConnectError, match=r"TLS|closed"):
        nobody.get("k")
