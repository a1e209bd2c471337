"""Watches against servers."""

import asyncio

import pytest

from raftkv.client import BlockingClient, Client, Put, Watch
from raftkv.errors import RequestError, WatchCompactedError
from raftkv.pb import kv


async def read(watch: Watch, count: int) -> list[kv.Event]:
    events: list[kv.Event] = []
    while len(events) < count:
        batch = await watch.next(timeout=20.0)
        assert batch is not None
        events += batch.events
    return events


async def test_transaction_is_one_batch(client: Client, prefix: str) -> None:
    async with client.watch(prefix, prefix=True) as watch:
        await client.txn(success=[Put(f"{prefix}{number}", "v") for number in range(10)])
        batch = await watch.next(timeout=20.0)
        assert batch is not None
        assert len(batch.events) == 10
        assert {event.kv.mod_revision for event in batch.events} == {batch.revision}


async def test_previous_values_and_filters(client: Client, prefix: str) -> None:
    async with (
        client.watch(prefix, prefix=True, prev_kv=True, deletes=False) as puts,
        client.watch(prefix, prefix=True, puts=False) as deletes,
    ):
        for value in ("1", "2"):
            await client.put(f"{prefix}k", value)
        await client.delete(f"{prefix}k")
        assert [(event.kv.value, event.prev_kv.value) for event in await read(puts, 2)] == [(b"1", b""), (b"2", b"1")]
        (deleted,) = await read(deletes, 1)
        assert (deleted.type, deleted.HasField("prev_kv")) == (kv.Event.DELETE, False)


async def test_history_beyond_what_fits_into_one_message_arrives_whole(client: Client, prefix: str) -> None:
    first = (await client.put(f"{prefix}k", bytes(1_000_000))).header.revision
    for number in range(20):
        await client.txn(success=[Put(f"{prefix}{number}/{part}", bytes(300_000)) for part in range(4)])
    async with client.watch(prefix, prefix=True, start_revision=first) as watch:
        events = await read(watch, 81)
    assert [event.kv.mod_revision - first for event in events] == [0, *(number + 1 for number in range(20) for _ in range(4))]


async def test_many_watches_on_one_stream(client: Client, prefix: str) -> None:
    watches = [client.watch(f"{prefix}{number % 10}") for number in range(200)]
    await asyncio.gather(*(watch.open() for watch in watches))
    for number in range(10):
        await client.put(f"{prefix}{number}", str(number))
    seen = await asyncio.gather(*(read(watch, 1) for watch in watches))
    assert [events[0].kv.value for events in seen] == [b"%d" % (number % 10) for number in range(200)]
    for watch in watches:
        watch.close()


async def test_compacted_start_says_from_where_on_it_can_be_watched(client: Client, prefix: str) -> None:
    first = (await client.put(f"{prefix}k", "1")).header.revision
    last = (await client.put(f"{prefix}k", "2")).header.revision
    await client.compact(last)
    async with client.watch(f"{prefix}k", start_revision=first) as watch:
        with pytest.raises(WatchCompactedError) as caught:
            await watch.next(timeout=20.0)
    assert caught.value.compact_revision == last
    async with client.watch(f"{prefix}k", start_revision=last) as watch:
        assert [event.kv.value for event in await read(watch, 1)] == [b"2"]


async def test_empty_range_is_refused(client: Client, prefix: str) -> None:
    with pytest.raises(RequestError, match="mvcc: watcher range is empty"):
        await client.watch(f"{prefix}b", f"{prefix}a").open()


async def test_future_start_waits_for_its_revision(client: Client, prefix: str) -> None:
    now = (await client.put(f"{prefix}k", "1")).header.revision
    async with client.watch(f"{prefix}k", start_revision=now + 2) as watch:
        for value in ("2", "3"):
            await client.put(f"{prefix}k", value)
        assert [event.kv.value for event in await read(watch, 1)] == [b"3"]


def test_blocking_watch_waits_reads_and_ends(endpoint: str, prefix: str) -> None:
    with BlockingClient(endpoint, timeout=20.0) as client, client.watch(prefix, prefix=True) as watch:
        with pytest.raises(TimeoutError):
            watch.next(timeout=0.01)
        client.txn(success=[Put(f"{prefix}{number}", "v") for number in range(3)])
        assert len(next(watch).events) == 3
        watch.close()
        assert list(watch) == []
