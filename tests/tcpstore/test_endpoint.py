"""Endpoints in front of a real node, with a client that sends what torch's sends (tests/torch has torch itself)."""

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, cast

import pytest

from raftkv.client import Client, Watch
from raftkv.errors import InvalidArgumentError, LeaseLostError, RaftKVError
from raftkv.pb.rpc import TxnResponse
from raftkv.pb.update import Change, UpdateResponse
from raftkv.tcpstore import Endpoint, Namespace, serve, wire
from raftkv.tcpstore.wire import Query
from tests.harness.cluster import Cluster
from tests.harness.raftkv import RaftkvCluster
from tests.tcpstore.wire_client import WireClient, connected


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with RaftkvCluster(tmp_path_factory.mktemp("store")) as cluster:
        yield cluster


@pytest.fixture
def namespace(request: pytest.FixtureRequest) -> Namespace:
    return Namespace("a job/é", request.node.name)


@pytest.fixture
async def client(cluster: Cluster) -> AsyncIterator[Client]:
    async with Client(cluster.endpoints, timeout=math.inf) as client:
        yield client


@pytest.fixture
async def endpoint(client: Client, namespace: Namespace) -> AsyncIterator[Endpoint]:
    async with serve(client, namespace) as endpoint:
        yield endpoint


@pytest.fixture
async def one(endpoint: Endpoint) -> AsyncIterator[WireClient]:
    async with connected(endpoint.port) as client:
        yield client


@pytest.fixture
async def other(cluster: Cluster, namespace: Namespace) -> AsyncIterator[WireClient]:
    """At another endpoint of the same round."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(Client(cluster.endpoints, timeout=math.inf))
        endpoint = await stack.enter_async_context(serve(client, namespace))
        yield await stack.enter_async_context(connected(endpoint.port))


async def test_what_one_sets_another_gets(one: WireClient, other: WireClient) -> None:
    one.set(b"/a", b"1")
    assert await one.ping(1) == 1, "committed before the next answer"
    other.send(Query.CHECK, b"/a")
    assert await other.byte() == wire.READY[0]
    assert await other.get(b"/a") == b"1"


async def test_thousands_of_sets_are_few_revisions(one: WireClient, client: Client, namespace: Namespace) -> None:
    before = (await client.status()).header.revision
    for number in range(3000):
        one.set(b"/%d" % number, b"x")
    one.send(Query.GETNUMKEYS)
    assert await one.number() == 3000
    found = await client.range(namespace.prefix, prefix=True, keys_only=True)
    assert found.header.revision - before < 60
    assert found.kvs[0].key == b"/raftkv/store/a%20job%2F%C3%A9/test_thousands_of_sets_are_few_revisions/0"
    assert {kv.lease for kv in found.kvs} == {namespace.lease_id}


async def test_wait_ends_when_another_sets(one: WireClient, other: WireClient) -> None:
    one.send(Query.WAIT, b"/a", b"/b")
    other.set(b"/b", b"2")
    other.set(b"/a", b"1")
    assert await one.byte() == wire.STOP_WAITING[0]
    one.send(Query.MULTI_GET, b"/a", b"/b")
    assert (await one.data(), await one.data()) == (b"1", b"2")


async def test_wait_is_cancelled(one: WireClient) -> None:
    one.send(Query.WAIT, b"/never")
    one.send(Query.CANCEL_WAIT)
    assert await one.byte() == wire.WAIT_CANCELED[0]
    one.set(b"/never", b"")
    one.send(Query.WAIT, b"/never")
    assert await one.byte() == wire.STOP_WAITING[0]


async def test_sums_of_all_adds_are_different(one: WireClient, other: WireClient) -> None:
    async def add(client: WireClient) -> list[int]:
        return [await client.add(b"/n", 1) for _ in range(20)]

    sums = await asyncio.gather(add(one), add(other))
    assert sorted(sums[0] + sums[1]) == list(range(1, 41))


async def test_pushed_item_wakes_one_waiter(endpoint: Endpoint, one: WireClient, other: WireClient) -> None:
    for client in (one, other):
        client.send(Query.WAIT, b"/q")
    async with connected(endpoint.port) as third:
        third.send(Query.QUEUE_PUSH, b"/q", values=(b"1",))
        woken, sleeping = await first_byte(one, other)
        assert await woken.pop(b"/q") == b"1"
        sleeping.send(Query.CANCEL_WAIT)
        assert await sleeping.byte() == wire.WAIT_CANCELED[0]
        assert await sleeping.pop(b"/q") is None


async def test_item_that_a_woken_waiter_does_not_pop_stays_at_the_front(one: WireClient, other: WireClient) -> None:
    assert await one.push(b"/q", b"1") == 1
    assert await one.push(b"/q", b"2") == 2
    one.send(Query.WAIT, b"/q")
    assert await one.byte() == wire.STOP_WAITING[0]
    assert await one.length(b"/q") == 2
    assert [await other.pop(b"/q"), await other.pop(b"/q"), await other.pop(b"/q")] == [b"1", b"2", None]


async def test_item_of_a_waiter_that_is_gone_is_there_for_others(endpoint: Endpoint, one: WireClient) -> None:
    async with connected(endpoint.port) as doomed:
        doomed.send(Query.WAIT, b"/q")
        await one.push(b"/q", b"1")
        assert await doomed.byte() == wire.STOP_WAITING[0]
    one.send(Query.WAIT, b"/q")
    assert await one.byte() == wire.STOP_WAITING[0]
    assert await one.pop(b"/q") == b"1"


async def test_rounds_and_jobs_share_nothing(client: Client, one: WireClient, namespace: Namespace) -> None:
    one.set(b"/a", b"1")
    await one.ping(1)
    async with serve(client, Namespace(namespace.job, namespace.round + "0")) as later, connected(later.port) as stranger:
        stranger.send(Query.GETNUMKEYS)
        assert await stranger.number() == 0


async def test_keys_come_back_as_they_were_named(one: WireClient) -> None:
    names = [b"/", b"//a b", b"/a%20b", b"raw", b"/\x00\xff", "/é".encode()]
    for name in names:
        one.set(name, name)
    one.send(Query.LIST_KEYS)
    assert sorted([await one.data() for _ in range(await one.number())]) == sorted(names)


@pytest.mark.parametrize("stream", [b"\x01", b"\x00\x01\x02\x03\x04", b"GET / HTTP/1.1\r\n\r\n"])
async def test_strangers_are_hung_up_on(endpoint: Endpoint, stream: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
    writer.write(stream + b"\0" * 16)
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    writer.close()


async def test_keys_go_with_their_lease_and_take_the_endpoint_along(client: Client, namespace: Namespace) -> None:
    namespace = replace(namespace, ttl_s=2)
    with pytest.RaisesGroup(LeaseLostError, flatten_subgroups=True):
        async with serve(client, namespace) as endpoint, connected(endpoint.port) as doomed:
            doomed.set(b"/a", b"1")
            await doomed.ping(1)
            await client.lease_revoke(namespace.lease_id)
            await asyncio.Event().wait()
    assert (await client.range(namespace.prefix, prefix=True)).count == 0


async def first_byte(*clients: WireClient) -> tuple[WireClient, WireClient]:
    """The client that is answered first, and the other one."""
    async with asyncio.TaskGroup() as tasks:
        reading = {tasks.create_task(client.byte()): client for client in clients}
        done, rest = await asyncio.wait(reading, return_when=asyncio.FIRST_COMPLETED)
        for task in rest:
            task.cancel()
    return reading[done.pop()], reading[rest.pop()]


class Held:
    """A client whose writes wait at the door, and which says when it reads and watches."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.reads, self.watches, self.writes = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.refusal: RaftKVError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    async def txn(self, **options: Any) -> TxnResponse:
        answer = await self.client.txn(**options)
        self.reads.set()
        return answer

    def watch(self, *args: Any, **options: Any) -> Watch:
        self.watches.set()
        return self.client.watch(*args, **options)

    async def update(self, changes: list[Change], **options: Any) -> UpdateResponse:
        await self.writes.wait()
        if self.refusal is not None:
            raise self.refusal
        return await self.client.update(changes, **options)


@pytest.fixture
async def held(client: Client) -> Held:
    return Held(client)


@pytest.fixture
async def hasty(held: Held, namespace: Namespace) -> AsyncIterator[WireClient]:
    async with serve(cast("Client", held), namespace) as endpoint, connected(endpoint.port) as client:
        yield client


async def test_wait_begins_while_the_set_before_it_is_on_its_way(
    held: Held, hasty: WireClient, client: Client, namespace: Namespace
) -> None:
    hasty.set(b"/mine", b"1")
    hasty.send(Query.WAIT, b"/yours")
    await held.watches.wait()
    held.writes.set()
    assert await client.get(namespace.key(b"/yours")) is None
    await client.put(namespace.key(b"/yours"), b"2")
    assert await hasty.byte() == wire.STOP_WAITING[0]
    assert await hasty.get(b"/mine") == b"1"


async def test_what_a_wait_saw_before_the_set_was_committed_does_not_count(
    held: Held, hasty: WireClient, client: Client, namespace: Namespace
) -> None:
    await client.put(namespace.key(b"/yours"), b"old")
    hasty.set(b"/mine", b"1")
    hasty.send(Query.WAIT, b"/yours")
    await held.reads.wait()
    await client.delete(namespace.key(b"/yours"))
    held.writes.set()
    await held.watches.wait()
    await client.put(namespace.key(b"/yours"), b"new")
    assert await hasty.byte() == wire.STOP_WAITING[0]
    hasty.send(Query.GET, b"/yours")
    assert await hasty.data() == b"new"


async def test_client_whose_set_fails_is_hung_up_on_though_it_waits_for_another(held: Held, hasty: WireClient) -> None:
    held.refusal = InvalidArgumentError("no")
    hasty.set(b"/mine", b"1")
    hasty.send(Query.WAIT, b"/never")
    await held.watches.wait()
    held.writes.set()
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await hasty.byte()
