"""What becomes of watches when streams break, nodes vanish and readers are slow: under virtual time."""

import asyncio

import pytest

from raftkv.client import Watch
from raftkv.client.subscription import BUFFER_BYTES
from raftkv.errors import (
    ClientClosedError,
    Code,
    ConnectError,
    DeadlineExceededError,
    PermissionDeniedError,
    WatchCompactedError,
)
from raftkv_chaos.sim.loop import run
from tests.client.cluster_in_memory import ClusterInMemory


async def revisions(watch: Watch, count: int) -> list[int]:
    seen: list[int] = []
    while len(seen) < count:
        batch = await watch.next(timeout=60.0)
        assert batch is not None
        seen += [event.kv.mod_revision for event in batch.events]
    return seen


def test_watches_share_one_stream_that_ends_with_the_last() -> None:
    async def main() -> None:
        cluster = ClusterInMemory()
        async with cluster.client() as client:
            async with client.watch("a", prefix=True) as first, client.watch("b", prefix=True) as second:
                stream = cluster.only()
                cluster.change(b"a1")
                cluster.change(b"b1")
                assert (await revisions(first, 1), await revisions(second, 1)) == ([2], [3])
            await asyncio.sleep(0)
            assert not stream.open
            async with client.watch("a"):
                assert cluster.only() is not stream

    run(main())


@pytest.mark.parametrize("loss", ["broken", "no leader", "node gone"])
def test_lost_stream_is_resumed_elsewhere_without_gap_or_repetition(loss: str) -> None:
    async def main() -> None:
        cluster = ClusterInMemory()
        async with cluster.client() as client, client.watch("k") as watch:
            cluster.change(b"k")
            assert await revisions(watch, 1) == [2]
            old = cluster.only()
            old.muted = True
            cluster.change(b"k", count=3)  # nobody tells of it before the stream is lost
            if loss == "broken":
                old.break_off()
            elif loss == "no leader":
                old.finish(Code.UNAVAILABLE, "etcdserver: no leader")
            else:
                old.node.fall_silent()
            assert await revisions(watch, 3) == [3, 3, 3]
            assert cluster.only().node is not old.node
            cluster.change(b"k")
            assert await revisions(watch, 1) == [4]

    run(main())


def test_watch_from_now_on_that_is_lost_before_any_event_misses_nothing() -> None:
    async def main() -> None:
        cluster = ClusterInMemory()
        async with cluster.client() as client, client.watch("k") as watch:
            cluster.only().muted = True
            cluster.change(b"k")
            cluster.only().break_off()
            assert await revisions(watch, 1) == [2]

    run(main())


def test_slow_reader_keeps_memory_bounded_and_others_going_and_gets_all_in_the_end() -> None:
    async def main() -> None:
        cluster = ClusterInMemory()
        async with cluster.client() as client, client.watch("k") as slow, client.watch("k") as quick:
            for _ in range(40):
                cluster.change(b"k", size=BUFFER_BYTES // 10)
                await revisions(quick, 1)
            assert slow._subscription is not None
            assert slow._subscription._size < BUFFER_BYTES * 1.2
            assert len(cluster.only().watches) == 1, "the slow one waits in the history"
            assert await revisions(slow, 40) == list(range(2, 42))

    run(main())


def test_slow_reader_whose_history_is_compacted_is_told_after_what_it_has() -> None:
    async def main() -> None:
        cluster = ClusterInMemory()
        async with cluster.client() as client, client.watch("k") as slow:
            for _ in range(20):
                cluster.change(b"k", size=BUFFER_BYTES // 10)
                await asyncio.sleep(0.01)
            cluster.compacted = cluster.revision - 1
            with pytest.raises(WatchCompactedError) as caught:
                await revisions(slow, 20)
            assert caught.value.compact_revision == cluster.revision

    run(main())


def test_progress_reaches_every_watch_and_is_asked_for_anew_on_a_new_stream() -> None:
    async def main() -> None:
        cluster = ClusterInMemory()
        async with cluster.client() as client, client.watch("a") as first, client.watch("b") as second:
            cluster.change(b"c")
            first.request_progress()
            for watch in (first, second):
                batch = await watch.next(timeout=1.0)
                assert batch is not None
                assert (batch.revision, batch.events) == (2, [])

    run(main())


def test_refused_watch_says_why_and_leaves_the_others_alone() -> None:
    async def main() -> None:
        cluster = ClusterInMemory()
        async with cluster.client() as client, client.watch("k") as watch:
            with pytest.raises(PermissionDeniedError):
                await client.watch("forbidden").open()
            cluster.change(b"k")
            assert await revisions(watch, 1) == [2]

    run(main())


def test_watch_that_nobody_can_serve_fails_at_its_timeout_and_names_the_endpoints() -> None:
    async def main() -> None:
        cluster = ClusterInMemory()
        for node in cluster.nodes:
            node.reachable = False
        async with cluster.client() as client:
            with pytest.raises(ConnectError) as caught:
                await client.watch("k", timeout=3.0).open()
            assert set(caught.value.reasons) == {"node0:1", "node1:1"}
            assert asyncio.get_running_loop().time() == pytest.approx(3.0)

    run(main())


def test_watch_refused_for_want_of_a_leader_fails_at_its_timeout() -> None:
    async def main() -> None:
        cluster = ClusterInMemory()

        async def refuse() -> None:
            while True:
                for stream in cluster.streams("/etcdserverpb.Watch/Watch"):
                    stream.finish(Code.UNAVAILABLE, "etcdserver: no leader")
                await asyncio.sleep(0.001)

        async with cluster.client() as client, asyncio.TaskGroup() as tasks:
            for node in cluster.nodes:
                node.cluster.serve = lambda stream, body: None  # type: ignore[method-assign]  # it answers nothing
            refusing = tasks.create_task(refuse())
            with pytest.raises(DeadlineExceededError, match="no leader"):
                await client.watch("k", timeout=2.0).open()
            refusing.cancel()

    run(main())


def test_closing_the_client_ends_reading() -> None:
    async def main() -> None:
        client = ClusterInMemory().client()
        async with client.watch("k") as watch:
            read, _ = await asyncio.gather(watch.next(), client.close(), return_exceptions=True)
            assert isinstance(read, ClientClosedError)

    run(main())


def test_closing_the_watch_ends_the_iteration() -> None:
    async def main() -> None:
        cluster = ClusterInMemory()
        async with cluster.client() as client, client.watch("k") as watch:
            asyncio.get_running_loop().call_later(1.0, watch.close)
            assert [batch async for batch in watch] == []

    run(main())
