"""The package etcetra at work; its locks are the server's."""

import asyncio
import sys
from typing import Any

from etcetra import EtcdClient, HostPortPair  # type: ignore[import-not-found, unused-ignore]  # has an environment of its own
from etcetra.types import CompareKey  # type: ignore[import-not-found, unused-ignore]  # as above

host, _, port = sys.argv[1].rpartition(":")


async def keys(client: EtcdClient) -> None:
    async with client.connect() as etcd:
        await etcd.put("a/1", "one")
        await etcd.put("a/2", "two")
        assert await etcd.get("a/1") == "one"
        assert await etcd.get_prefix("a/") == {"a/1": "one", "a/2": "two"}

        def change(success: Any, _failure: Any) -> None:
            success.put("a/1", "uno")

        await etcd.txn_compare([CompareKey("a/1").value == "one"], change)
        assert await etcd.get("a/1") == "uno"
        lease = await etcd.grant_lease(10)
        await etcd.put("l/1", "one", lease=lease)
        keeping = etcd.create_lease_keepalive_task(lease, 0.1)
        await etcd.revoke_lease(lease)
        keeping.cancel()
        assert await etcd.get("l/1") is None


async def watch(client: EtcdClient) -> None:
    async with client.connect() as etcd:
        ready = asyncio.Event()

        async def write() -> None:
            await ready.wait()
            async with client.connect() as other:
                await other.put("w/1", "one")

        writing = asyncio.get_running_loop().create_task(write())
        async for event in etcd.watch("w/1", ready_event=ready):
            assert event.value == "one"
            break
        await writing


async def lock(client: EtcdClient) -> None:
    order = []

    async def contend(number: int) -> None:
        async with client.with_lock("job", timeout=20, ttl=30):
            order.append(number)
            await asyncio.sleep(0.05)
            order.append(number)

    await asyncio.gather(*(contend(number) for number in range(3)))
    assert order[0::2] == order[1::2]
    async with client.with_lock("job"):
        try:
            async with client.with_lock("job", timeout=0.2):
                raise AssertionError("both hold it")
        except TimeoutError:
            pass
    async with client.with_lock("job", timeout=20):
        pass


async def main() -> None:
    client = EtcdClient(HostPortPair(host, int(port)))
    await keys(client)
    await watch(client)
    await lock(client)


asyncio.run(main())
