"""Handshakes with the gRPC server: who is let in, with which certificate, and how long it may take."""

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Self

import pytest

from raftkv.http2 import Options
from raftkv.http2.framing import framed
from raftkv.pb.rpc import PutRequest
from raftkv.tls import ServerTLS, TLSSettings
from tests.harness.certificates import Authority, Pair
from tests.http2.echo import Echo
from tests.http2.raw import RawClient, request_headers
from tests.http2.running import LOOPBACK, SECONDS, Running

BODY = framed(PutRequest(value=b"hello").SerializeToString())


class Started:
    """A server whose certificate and rules a test chooses."""

    def __init__(self, authority: Authority, *, options: dict[str, Any] | None = None, **rules: Any) -> None:
        self.pair = authority.issue("server")
        rules.setdefault("trusted_ca_file", authority.cert)
        self.tls = ServerTLS(TLSSettings(cert_file=self.pair.cert, key_file=self.pair.key, **rules))
        self.running = Running(Echo(), tls=self.tls, **(options or {}))

    async def __aenter__(self) -> Self:
        await self.running.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.running.stop()

    async def lets_in(self, context: ssl.SSLContext) -> bool:
        """Whether a call succeeds."""
        try:
            async with RawClient(self.running.port, context) as client:
                return (await client.ask(request_headers(), BODY)).status == (0, "")
        except (OSError, KeyError):  # what the server ends at once has no status
            return False

    async def shown(self, authority: Authority) -> int:
        """The serial number of the server's certificate."""
        context = client_context(authority, authority.issue("viewer"))
        _, writer = await asyncio.open_connection(LOOPBACK, self.running.port, ssl=context)
        certificate = writer.get_extra_info("peercert")
        writer.close()
        return int(certificate["serialNumber"], 16)


def client_context(authority: Authority, pair: Pair | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.cert))
    context.set_alpn_protocols(["h2"])
    if pair is not None:
        context.load_cert_chain(pair.cert, pair.key)
    return context


async def test_a_certificate_of_the_authority_is_let_in(authority: Authority) -> None:
    async with Started(authority) as server:
        assert await server.lets_in(client_context(authority, authority.issue("alice", hosts=())))
        assert server.running.echo.calls[0].identity == "alice"


async def test_no_certificate_or_a_bad_one_is_not(authority: Authority, other_authority: Authority) -> None:
    expired = authority.issue("expired", valid=-timedelta(minutes=1))
    async with Started(authority) as server:
        assert not await server.lets_in(client_context(authority))
        assert not await server.lets_in(client_context(authority, other_authority.issue("mallory")))
        assert not await server.lets_in(client_context(authority, expired))
        assert await server.lets_in(client_context(authority, authority.issue("alice")))
    assert server.running.server.connections == 0


async def test_names_are_identities_only_where_certificates_are_for_that(authority: Authority) -> None:
    async with Started(authority, options={"trust_common_names": False}) as server:
        assert await server.lets_in(client_context(authority, authority.issue("alice")))
        assert server.running.echo.calls[0].identity == ""


async def test_a_revoked_certificate_is_refused_from_the_next_connection_on(authority: Authority) -> None:
    alice, bob = authority.issue("alice"), authority.issue("bob")
    async with Started(authority, crl_file=authority.revoke(bob)) as server:
        assert await server.lets_in(client_context(authority, alice))
        assert not await server.lets_in(client_context(authority, bob))
        authority.revoke(alice, bob)
        assert not await server.lets_in(client_context(authority, alice))


@pytest.mark.parametrize(
    ("rule", "name", "hosts", "welcome"),
    [
        ({"allowed_names": ("a", "b")}, "b", ("x.test",), True),
        ({"allowed_names": ("a", "b")}, "c", ("a",), False),
        ({"allowed_hosts": ("x.test", "10.0.0.1")}, "c", ("10.0.0.1",), True),
        ({"allowed_hosts": ("x.test",)}, "x.test", ("y.test",), False),
    ],
)
async def test_only_allowed_names_are_let_in(
    authority: Authority, rule: dict[str, Any], name: str, hosts: tuple[str, ...], *, welcome: bool
) -> None:
    async with Started(authority, **rule) as server:
        assert await server.lets_in(client_context(authority, authority.issue(name, hosts=hosts))) is welcome


async def test_a_new_certificate_is_shown_without_a_restart(authority: Authority) -> None:
    async with Started(authority) as server:
        old = await server.shown(authority)
        fresh = authority.issue("fresh")
        server.pair.cert.write_bytes(fresh.cert.read_bytes())  # its key is not there yet
        assert await server.shown(authority) == old
        server.pair.key.write_bytes(fresh.key.read_bytes())
        assert await server.shown(authority) != old
        server.pair.cert.unlink()
        assert await server.shown(authority) != old


async def test_a_new_authority_replaces_the_old_one(authority: Authority, other_authority: Authority) -> None:
    async with Started(authority) as server:
        ours, theirs = authority.issue("ours"), other_authority.issue("theirs")
        both = authority.cert.read_bytes()
        clients = client_context(authority, ours), client_context(authority, theirs)
        assert [await server.lets_in(client) for client in clients] == [True, False]
        authority.cert.write_bytes(both + other_authority.cert.read_bytes())
        assert [await server.lets_in(client) for client in clients] == [True, True]
        authority.cert.write_bytes(other_authority.cert.read_bytes())
        assert [await server.lets_in(client) for client in clients] == [False, True]


async def test_old_versions_of_tls_are_refused(authority: Authority) -> None:
    context = client_context(authority, authority.issue("alice"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    async with Started(authority) as server:
        assert not await server.lets_in(context)


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_the_oldest_version_can_be_chosen(authority: Authority, newest: ssl.TLSVersion) -> None:
    context = client_context(authority, authority.issue("alice"))
    context.maximum_version = newest
    async with Started(authority, min_version="TLS1.3") as server:
        assert await server.lets_in(context) is (newest is ssl.TLSVersion.TLSv1_3)


async def test_ciphers_can_be_chosen(authority: Authority) -> None:
    context = client_context(authority, authority.issue("alice"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with Started(authority, ciphers=("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",)) as server:
        assert await server.lets_in(context)
        context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
        assert not await server.lets_in(context)


async def test_sessions_are_not_resumed_so_that_no_ticket_outlives_a_revocation(authority: Authority) -> None:
    context = client_context(authority, authority.issue("alice"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with Started(authority) as server:
        _, writer = await asyncio.open_connection(LOOPBACK, server.running.port, ssl=context)
        session = writer.get_extra_info("ssl_object").session
        assert session is None or not session.has_ticket
        writer.close()


@pytest.fixture
async def stalled(authority: Authority) -> AsyncIterator[Started]:
    async with Started(authority, options={"handshake_seconds": 0.2, "max_handshakes": 3}) as server:
        yield server


async def test_stalled_handshakes_are_counted_and_end(authority: Authority, stalled: Started) -> None:
    door = stalled.running.server._door
    connections = [await asyncio.open_connection(LOOPBACK, stalled.running.port) for _ in range(5)]
    async with asyncio.timeout(SECONDS):
        ends = await asyncio.gather(*(reader.read() for reader, _ in connections), return_exceptions=True)
    assert all(end == b"" or isinstance(end, ConnectionError) for end in ends)
    assert door.shaking_hands == len(door) == 0
    assert await stalled.lets_in(client_context(authority, authority.issue("alice")))
    for _, writer in connections:
        writer.close()


def test_no_more_handshakes_than_allowed_are_begun() -> None:
    async def scenario() -> None:
        running = Running(Echo(), max_handshakes=2)
        door = running.server._door
        tls: Any = object()
        first, second = door.welcome(tls), door.welcome(tls)
        assert first is not None
        assert second is not None
        assert door.welcome(tls) is None
        first.release()
        first.release()
        assert door.shaking_hands == len(door) == 1
        assert door.welcome(tls) is not None

    asyncio.run(scenario())


def test_limits_of_the_server_are_positive() -> None:
    assert Options().max_handshakes < Options().max_connections
