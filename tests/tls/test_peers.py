"""Members prove to each other who they are."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from raftkv.errors import PeerError
from raftkv.peer.framing import pack
from raftkv.peer.tcp import MAX_INBOUND, Self, TcpPeers
from raftkv.raft.messages import Heartbeat
from raftkv.tls import ClientTLS, ServerTLS, TLSSettings
from tests.harness.certificates import Authority, Pair
from tests.peer.test_tcp import SNAPSHOT, Inbox, rows

SECONDS = 5.0
BEAT = Heartbeat(1, 2, 1, 0)


class Node:
    """One member with a certificate, or without."""

    def __init__(self, node_id: int, tasks: asyncio.TaskGroup, ca: Authority, pair: Pair | None, **rules: Any) -> None:
        self.node_id = node_id
        self.inbox = Inbox()
        self.port = 0
        self.secure = pair is not None
        server = client = None
        if pair is not None:
            settings = TLSSettings(
                cert_file=pair.cert, key_file=pair.key, trusted_ca_file=ca.cert, client_cert_auth=True, flags="peer-", **rules
            )
            server, client = ServerTLS(settings), ClientTLS(settings)
        self.peers = TcpPeers(Self(99, node_id, "0"), tasks, server_tls=server, client_tls=client)

    async def listen(self) -> None:
        self.port = await self.peers.listen("127.0.0.1", 0, self.inbox, secure=self.secure)

    def meet(self, other: "Node", scheme: str | None = None, host: str = "127.0.0.1") -> None:
        scheme = scheme or ("https" if other.secure else "http")
        self.peers.set_members({other.node_id: f"{scheme}://{host}:{other.port}"})


@asynccontextmanager
async def two(ca: Authority, first: Pair | None, second: Pair | None, **rules: Any) -> AsyncIterator[tuple[Node, Node]]:
    """Nodes 1 and 2; the rules are those of the second."""
    async with asyncio.TaskGroup() as tasks, asyncio.timeout(SECONDS):
        nodes = Node(1, tasks, ca, first), Node(2, tasks, ca, second, **rules)
        for node in nodes:
            await node.listen()
        yield nodes
        for node in nodes:
            await node.peers.close()


async def arrives(sender: Node, receiver: Node) -> None:
    while receiver.inbox.messages.empty():
        sender.peers.send([BEAT])
        await asyncio.sleep(0.001)
    assert receiver.inbox.messages.get_nowait() == BEAT


async def said(logged: list[str], text: str) -> None:
    """Returns when a line with this text was logged."""
    while not any(text in line for line in logged):  # noqa: ASYNC110 (what is waited for is a line of the log)
        await asyncio.sleep(0.001)


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The reasons in the warnings of peers."""
    lines: list[str] = []

    def warning(event: str, **facts: Any) -> None:
        lines.append(f"{event} {facts}")

    for module in ("raftkv.peer.tcp", "raftkv.peer.inbound", "raftkv.tls.listener"):
        monkeypatch.setattr(f"{module}.log.warning", warning, raising=False)
    return lines


async def test_members_with_certificates_talk(authority: Authority) -> None:
    async with two(authority, authority.issue("n1"), authority.issue("n2")) as (a, b):
        a.meet(b)
        b.meet(a)
        await arrives(a, b)
        await a.peers.send_snapshot(SNAPSHOT, rows(20))
        assert len(b.inbox.frames) == 20


async def test_a_certificate_of_another_authority_is_refused(
    authority: Authority, other_authority: Authority, logged: list[str]
) -> None:
    async with two(authority, other_authority.issue("n1"), authority.issue("n2")) as (a, b):
        b.meet(a)
        await said(logged, "its certificate was refused: unable to get local issuer certificate")
        with pytest.raises(PeerError):
            await b.peers.send_snapshot(SNAPSHOT, rows(1))
        assert a.inbox.messages.empty()


async def test_a_member_cannot_speak_for_another_one(authority: Authority, logged: list[str]) -> None:
    intruder = authority.issue("n3", hosts=("n3.test", "10.0.0.3"))
    async with two(authority, intruder, authority.issue("n2")) as (a, b):
        b.meet(a)  # node 1 is known to be at 127.0.0.1
        a.peers.client_tls.context().check_hostname = False  # type: ignore[union-attr] # it has certificates
        a.meet(b)
        await said(logged, "certificate for n3.test, 10.0.0.3, not for member 1 at https://127.0.0.1")
        assert b.inbox.messages.empty()


async def test_only_allowed_names_are_let_in(authority: Authority, logged: list[str]) -> None:
    async with two(authority, authority.issue("n1"), authority.issue("n2"), allowed_names=("n2",)) as (a, b):
        a.meet(b)
        await said(logged, "certificate of 'n1', which is not an allowed common name")
        b.meet(a)
        await said(logged, "it shows a certificate of 'n1'")
        assert b.inbox.messages.empty()


async def test_a_member_in_plain_text_is_named_so_by_both(authority: Authority, logged: list[str]) -> None:
    async with two(authority, authority.issue("n1"), None) as (a, b):
        a.meet(b, scheme="https")
        await said(logged, "it does not speak TLS, but its peer URL begins with https://")
        await said(logged, "it speaks TLS, and here only plain text is spoken")
        b.meet(a, scheme="http")
        await said(logged, "it does not speak TLS, which is all that is spoken here")


async def test_a_member_without_certificates_says_what_it_misses(authority: Authority, logged: list[str]) -> None:
    async with two(authority, authority.issue("n1"), None) as (a, b):
        b.meet(a)
        await said(logged, "needs TLS, and this node has no --peer-cert-file")


async def test_too_many_strangers_do_not_keep_a_member_out(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("raftkv.peer.tcp.MAX_INBOUND", 4)
    monkeypatch.setattr("raftkv.peer.tcp.HELLO_TIMEOUT_S", 0.1)
    async with two(authority, authority.issue("n1"), authority.issue("n2")) as (a, b):
        strangers = [await asyncio.open_connection("127.0.0.1", b.port) for _ in range(10)]
        a.meet(b)
        await arrives(a, b)
        assert len(b.peers._inbound) <= 4 < MAX_INBOUND
        for _, writer in strangers:
            writer.close()


async def test_half_open_strangers_in_plain_text_are_sent_away(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("raftkv.peer.inbound.HELLO_TIMEOUT_S", 0.05)
    async with two(authority, None, None) as (_, b):
        reader, writer = await asyncio.open_connection("127.0.0.1", b.port)
        writer.write(pack([b"x" * 100])[:50])
        assert await asyncio.gather(reader.read(), return_exceptions=True)
        assert not b.peers._inbound
        assert b.peers.held_bytes == 0
        writer.close()
