"""The Python clients of etcd work unchanged: keys, watches, leases, locks."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

import aetcd
import etcd3gw
import pytest
from etcd3gw.client import Etcd3Client

from tests.clients.programs import run_with_its_own_libraries
from tests.harness.cluster import Cluster


@pytest.mark.parametrize("script", ["with_etcd3.py", "with_etcetra.py"])
def test_a_program_with_libraries_of_its_own(raftkv_node: Cluster, script: str) -> None:
    run_with_its_own_libraries(script, raftkv_node.endpoints[0])


@pytest.fixture
async def client(raftkv_node: Cluster) -> AsyncIterator[aetcd.Client]:
    host, _, port = raftkv_node.endpoints[0].rpartition(":")
    async with aetcd.Client(host=host, port=int(port)) as client:
        yield client


async def test_aetcd(client: aetcd.Client) -> None:
    await client.put(b"a/1", b"one")
    assert (await client.get(b"a/1")).value == b"one"
    assert await client.replace(b"a/1", b"one", b"uno")
    assert {entry.key: entry.value for entry in await client.get_prefix(b"a/")} == {b"a/1": b"uno"}
    watch = await client.watch_prefix(b"w/")
    await client.put(b"w/1", b"one")
    await client.delete(b"w/1")
    seen = []
    async for event in watch:
        seen.append((event.kind, event.kv.key))
        if len(seen) == 2:
            break
    assert seen == [("PUT", b"w/1"), ("DELETE", b"w/1")]
    await watch.cancel()
    lease = await client.lease(10)
    await client.put(b"l/1", b"one", lease=lease)
    assert (await lease.refresh()).TTL == 10
    await lease.revoke()
    assert await client.get(b"l/1") is None


async def test_locks_of_aetcd(client: aetcd.Client) -> None:
    first, second = client.lock(b"job", ttl=20), client.lock(b"job", ttl=20)
    assert await first.acquire()
    assert not await second.acquire(timeout=0.2)
    waiting = asyncio.get_running_loop().create_task(second.acquire(timeout=20))
    assert await first.release()
    assert await waiting
    assert await second.is_acquired()
    assert await second.release()


@pytest.fixture
def gateway_client(raftkv_node: Cluster) -> Iterator[Etcd3Client]:
    host, _, port = raftkv_node.endpoints[0].rpartition(":")
    client = etcd3gw.client(host=host, port=int(port), timeout=10)
    yield client
    client.session.close()


def test_etcd3gw(gateway_client: Etcd3Client) -> None:
    client = gateway_client
    lease = client.lease(ttl=10)
    assert client.put("l/1", "one", lease=lease)
    assert lease.refresh() == 10
    assert lease.keys() == [b"l/1"]
    assert lease.revoke()
    assert client.get("l/1") == []
    with client.lock("job", ttl=20) as lock:
        assert lock.is_acquired()
        assert not client.lock("job", ttl=20).acquire()
    events, cancel = client.watch("w/1")
    writing = threading.Thread(target=client.put, args=("w/1", "one"))
    writing.start()
    assert next(events)["kv"]["value"] == b"one"
    writing.join()
    cancel()
