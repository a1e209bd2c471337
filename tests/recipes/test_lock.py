"""The lock, in a cluster in memory under virtual time."""

import asyncio
import pickle
from contextlib import suppress
from typing import Any

import pytest

from raftkv.errors import ForeignKeyError, HeldAlreadyError, LostError, NotAcquiredError
from raftkv.pb import rpc
from raftkv.recipes.held import Token, verify
from raftkv.recipes.lock import Lock
from raftkv.recipes.requests import put
from tests.recipes.memory_cluster import MemoryCluster, cancelled, client, line_of, settle, simulate


def test_holders_exclude_each_other_in_the_order_of_asking() -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        order: list[int] = []
        tokens: list[int] = []
        inside = 0

        async def contend(number: int) -> None:
            nonlocal inside
            async with client(cluster) as sessions:
                await asyncio.sleep(number)
                async with Lock(sessions, "job") as held:
                    inside += 1
                    assert inside == 1
                    order.append(number)
                    tokens.append(held.token)
                    await asyncio.sleep(20)
                    inside -= 1

        async with asyncio.TaskGroup() as tasks:
            for number in range(5):
                tasks.create_task(contend(number))
        assert order == [0, 1, 2, 3, 4]
        assert tokens == sorted(tokens)
        assert cluster.keys() == []
        assert cluster.watches == 0

    simulate(scenario)


def test_each_waiter_watches_one_key_and_polls_nothing() -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        async with client(cluster) as first, client(cluster) as others:
            held = await Lock(first, "job").acquire()
            async with asyncio.TaskGroup() as tasks:
                waiting = [tasks.create_task(Lock(others, "job").acquire()) for _ in range(10)]
                await settle()
                calls = line_of(others).calls
                await settle(600)
                assert line_of(others).calls == calls
                assert cluster.watches == 1 + 10
                await held.release()
                await settle()
                holders = [task for task in waiting if task.done()]
                assert len(holders) == 1
                await holders[0].result().release()
                for task in waiting:
                    await cancelled(task)

    simulate(scenario)


def test_a_lock_is_refused_to_who_does_not_want_to_wait() -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        async with client(cluster) as one, client(cluster) as other:
            async with Lock(one, "job"):
                with pytest.raises(NotAcquiredError):
                    await Lock(other, "job", blocking=False).acquire()
                with pytest.raises(TimeoutError):
                    await Lock(other, "job", timeout=3).acquire()
                assert len(cluster.keys()) == 1
            async with Lock(other, "job", blocking=False):
                pass

    simulate(scenario)


@pytest.mark.parametrize("moment", [0.001, 0.006, 0.012, 0.02, 0.03, 5.0])
def test_a_cancelled_waiter_leaves_no_key(moment: float) -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        async with client(cluster) as one, client(cluster) as other, Lock(one, "job") as held:
            await other.get(10.0)
            waiting = asyncio.get_running_loop().create_task(Lock(other, "job").acquire())
            await asyncio.sleep(moment)
            await cancelled(waiting)
            assert cluster.keys() == [held.key]
            assert cluster.watches == 1

    simulate(scenario)


def test_waiting_for_oneself_is_refused() -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        async with client(cluster) as sessions:
            lock = Lock(sessions, "job")
            async with lock:
                with pytest.raises(HeldAlreadyError):
                    await Lock(sessions, "job").acquire()
            async with lock:
                pass

    simulate(scenario)


def test_two_tasks_of_one_client_exclude_each_other_too() -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        inside = 0

        async def contend(lock: Lock) -> None:
            nonlocal inside
            async with lock:
                inside += 1
                assert inside == 1
                await asyncio.sleep(1)
                inside -= 1

        async with client(cluster) as sessions, asyncio.TaskGroup() as tasks:
            lock = Lock(sessions, "job")
            for _ in range(4):
                tasks.create_task(contend(lock))

    simulate(scenario)


def test_who_loses_the_lease_is_warned_then_told_and_its_block_is_cancelled() -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        loop = asyncio.get_running_loop()
        told: list[tuple[str, float]] = []
        async with client(cluster) as one:
            with pytest.raises(LostError, match="ran out"):  # noqa: PT012 (the block is what is tested)
                async with Lock(one, "job", ttl=9) as held:
                    line_of(one).stop()
                    stopped = loop.time()
                    held.at_risk.add_callback(lambda: told.append(("at risk", loop.time() - stopped)))
                    held.lost.add_callback(lambda: told.append(("lost", loop.time() - stopped)))
                    await asyncio.sleep(100)
            assert [what for what, _ in told] == ["at risk", "lost"]
            assert told[0][1] == pytest.approx(6, abs=0.1)
            assert told[1][1] == pytest.approx(9, abs=0.1)
            assert not asyncio.current_task().cancelling()  # type: ignore[union-attr]
            line_of(one).go_on()

    simulate(scenario)


def test_a_lease_whose_renewals_come_through_again_is_not_at_risk() -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        async with client(cluster) as one, Lock(one, "job", ttl=9) as held:
            line_of(one).stop()
            await held.at_risk.wait()
            line_of(one).go_on()
            await settle()
            assert not held.at_risk.is_set()
            await settle(100)
            assert await held.verify()
            held.check()

    simulate(scenario)


def test_a_deleted_key_is_a_loss_that_is_told_at_once() -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        async with client(cluster) as one:
            with pytest.raises(LostError, match="deleted"):  # noqa: PT012 (as above)
                async with Lock(one, "job") as held:
                    cluster.delete(held.key)
                    await asyncio.sleep(0.1)
                    pytest.fail("still in the block")
            with pytest.raises(LostError):
                held.check()

    simulate(scenario)


def test_a_block_that_swallows_the_cancellation_is_told_at_its_end() -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        async with client(cluster) as one:
            with pytest.raises(LostError):  # noqa: PT012 (as above)
                async with Lock(one, "job") as held:
                    cluster.delete(held.key)
                    with suppress(asyncio.CancelledError):
                        await asyncio.sleep(10)
            await asyncio.sleep(0.1)

    simulate(scenario)


def test_cancellation_from_outside_stays_cancellation() -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        async with client(cluster) as one:

            async def hold() -> None:
                async with Lock(one, "job"):
                    await asyncio.sleep(100)

            task = asyncio.get_running_loop().create_task(hold())
            await settle()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert cluster.keys() == []

    simulate(scenario)


def test_the_next_holders_token_is_larger_and_the_old_guard_fails() -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        async with client(cluster) as one, client(cluster) as other:
            old = await Lock(one, "job", ttl=9).acquire()
            line_of(one).stop()
            new = await Lock(other, "job").acquire()
            assert new.token > old.token
            assert not await verify(other.store, old.token)
            assert await verify(other.store, new.token)
            line_of(one).go_on()
            with pytest.raises(LostError):
                await old.txn(success=[put(b"result", b"old")])
            await new.txn(success=[put(b"result", b"new")])
            assert cluster.keys(b"result")
            await old.release()
            assert await new.verify()
            await new.release()

    simulate(scenario)


def test_a_guarded_transaction_answers_as_the_transaction_itself() -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        async with client(cluster) as one, Lock(one, "job") as held:
            compare = rpc.Compare(key=b"a", target=rpc.Compare.VERSION, version=5)
            response = await held.txn([compare], [], [put(b"a", b"1")])
            assert not response.succeeded
            assert response.header.revision == cluster.store.revision

    simulate(scenario)


def test_an_answer_that_is_lost_takes_no_place_twice() -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        async with client(cluster) as one:
            await one.get(10.0)
            line_of(one).lose_answers = 2
            async with Lock(one, "job") as held:
                assert cluster.keys() == [held.key]
            assert cluster.keys() == []

    simulate(scenario)


def test_a_compaction_does_not_end_the_wait() -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        async with client(cluster) as one, client(cluster) as other:
            held = await Lock(one, "job").acquire()
            waiting = asyncio.get_running_loop().create_task(Lock(other, "job").acquire())
            await settle()
            for _ in range(3):
                cluster.txn(rpc.TxnRequest(success=[put(b"x", b"")]))
                cluster.compact()
                await settle()
            assert not waiting.done()
            await held.release()
            await (await waiting).release()

    simulate(scenario)


def test_the_next_waits_a_delay_after_a_loss_but_not_after_a_release() -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        loop = asyncio.get_running_loop()
        options: dict[str, Any] = {"ttl": 9, "delay": 30}
        async with client(cluster) as one, client(cluster) as other:
            held = await Lock(one, "job", **options).acquire()
            await held.release()
            begun = loop.time()
            held = await Lock(one, "job", **options).acquire()
            assert loop.time() - begun < 1
            line_of(one).stop()
            begun = loop.time()
            new = await Lock(other, "job", **options).acquire()
            assert 9 + 30 - 0.1 < loop.time() - begun < 9 + 30 + 1
            await new.release()
            assert cluster.keys() == []
            line_of(one).go_on()

    simulate(scenario)


def test_a_token_goes_through_text_and_pickle() -> None:
    token = Token(17, b"job/694d")
    for copy in (Token.decode(token.encode()), pickle.loads(pickle.dumps(token))):
        assert copy == 17
        assert copy.key == token.key
    with pytest.raises(ValueError, match="no token"):
        Token.decode("17")


def test_data_among_the_waiters_is_an_error_and_not_an_endless_wait() -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        cluster.txn(rpc.TxnRequest(success=[put(b"job/step", b"17")]))
        async with client(cluster) as one:
            with pytest.raises(ForeignKeyError, match="job/step"):
                await Lock(one, "job").acquire()
            assert cluster.keys() == [b"job/step"]

    simulate(scenario)


def test_a_lease_that_is_gone_unnoticed_is_replaced() -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        async with client(cluster) as one:
            cluster.revoke((await one.get(10.0)).lease)
            async with Lock(one, "job") as held:
                assert await held.verify()

    simulate(scenario)
