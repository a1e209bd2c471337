"""Elections, in a cluster in memory under virtual time; E1 to E8 are the ways in which they are known to go wrong."""

import asyncio
from contextlib import aclosing

import pytest

from raftkv.errors import LostError, NotAcquiredError, NotElectedError
from raftkv.pb import rpc
from raftkv.recipes import candidacy
from raftkv.recipes.election import Election, Leadership
from raftkv.recipes.line import enter, leave, wait_for_turn
from raftkv.recipes.requests import put
from tests.recipes.memory_cluster import MemoryCluster, client, line_of, settle, simulate


def test_one_leads_at_a_time_and_says_so() -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        async with client(cluster) as one, client(cluster) as other:
            first, second = Election(one, "boss"), Election(other, "boss")
            assert await first.leader() is None
            async with first.campaign("one") as leadership:
                with pytest.raises(NotAcquiredError):
                    await second.campaign("two", blocking=False).acquire()
                await leadership.proclaim("uno")
                leader = await second.leader()
                assert leader is not None
                assert (leader.value, leader.token) == (b"uno", leadership.token)
            async with second.campaign("two") as leadership:
                leader = await first.leader()
                assert leader is not None
                assert leader.value == b"two"
                await leadership.resign()
            assert await first.leader() is None

    simulate(scenario)


@pytest.mark.parametrize("seed", range(3))
def test_e6_observers_miss_no_leader_and_no_value_however_fast(seed: int) -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        said: list[bytes] = []
        seen: list[bytes] = []

        async def lead(number: int) -> None:
            async with client(cluster) as sessions, Election(sessions, "boss").campaign(f"{number}") as leadership:
                said.append(b"%d" % number)
                if number % 2:
                    await leadership.proclaim(f"{number}!")
                    said.append(b"%d!" % number)

        async def observe() -> None:
            async with client(cluster) as sessions, aclosing(Election(sessions, "boss").observe()) as leaders:
                async for leader in leaders:
                    seen.append(leader.value)
                    await asyncio.sleep(0.2 * cluster.rng.random())
                    if leader.value == b"end":
                        return

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(observe())
            await settle()
            async with asyncio.TaskGroup() as leaders:
                for number in range(10):
                    leaders.create_task(lead(number))
            async with client(cluster) as sessions, Election(sessions, "boss").campaign("end"):
                await settle(10)
        assert seen == [*said, b"end"]

    simulate(scenario, seed=seed)


def test_observers_go_on_with_the_present_after_a_compaction() -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        observers = client(cluster)
        async with client(cluster) as one, observers as other, aclosing(Election(other, "boss").observe()) as leaders:
            await (await Election(one, "boss").campaign("first").acquire()).release()
            async with Election(one, "boss").campaign("second"):
                assert (await anext(leaders)).value == b"second"
                line_of(other).stop()
                for _ in range(3):
                    cluster.txn(rpc.TxnRequest(success=[put(b"x", b"")]))
                    cluster.compact()
                line_of(other).go_on()
            async with Election(one, "boss").campaign("third"):
                cluster.txn(rpc.TxnRequest(success=[put(b"x", b"")]))
                cluster.compact()
                assert (await anext(leaders)).value == b"third"

    simulate(scenario)


def test_e1_who_lost_its_place_while_waiting_does_not_win() -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        store = cluster.caller()
        leases = [cluster.grant(100) for _ in range(2)]
        places = [(await candidacy.stand(store, b"e/", b"e/%d" % lease, lease, b"")).place for lease in leases]
        waiting = asyncio.get_running_loop().create_task(candidacy.win(store, b"e/", places[1]))
        await settle()
        cluster.revoke(leases[1])
        cluster.revoke(leases[0])
        with pytest.raises(NotElectedError):
            await waiting

    simulate(scenario)


def test_e2_the_order_is_that_of_creation_not_of_change() -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        store = cluster.caller()
        lease = cluster.grant(100)
        first, second = [(await enter(store, b"e/", key, lease)).place for key in (b"e/z", b"e/a")]
        await candidacy.proclaim(store, first, lease, b"later")
        waiting = asyncio.get_running_loop().create_task(wait_for_turn(store, b"e/", second))
        await settle()
        assert not waiting.done()
        await leave(store, first)
        await waiting

    simulate(scenario)


def test_e3_who_waits_for_one_that_left_early_waits_for_the_next() -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        store = cluster.caller()
        lease = cluster.grant(100)
        first, second, third = [(await enter(store, b"e/", b"e/%d" % number, lease)).place for number in range(3)]
        waiting = asyncio.get_running_loop().create_task(wait_for_turn(store, b"e/", third))
        await settle()
        await leave(store, second)
        await settle()
        assert not waiting.done()
        await leave(store, first)
        await waiting

    simulate(scenario)


def test_e4_resigning_late_does_not_end_the_successor() -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        store = cluster.caller()
        lease = cluster.grant(100)
        old = (await enter(store, b"e/", b"e/1", lease)).place
        await leave(store, old)
        await enter(store, b"e/", b"e/1", lease)
        await candidacy.resign(store, old)
        await leave(store, old)
        assert cluster.keys() == [b"e/1"]

    simulate(scenario)


def test_e5_one_session_does_not_lead_twice() -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        async with client(cluster) as sessions, Election(sessions, "boss").campaign("one"):
            with pytest.raises(NotAcquiredError):
                await Election(sessions, "boss").campaign("two", blocking=False).acquire(owner="another")

    simulate(scenario)


def test_e7_proclaiming_after_a_loss_fails() -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        async with client(cluster) as sessions:
            leadership = await Election(sessions, "boss").campaign("one").acquire()
            cluster.delete(leadership.key)
            with pytest.raises(LostError):
                await leadership.proclaim("still me")
            assert cluster.keys() == []

    simulate(scenario)


def test_e8_whoever_dies_is_replaced_after_its_time_to_live() -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        async with client(cluster) as one, client(cluster) as other:
            await Election(one, "boss", ttl=9).campaign("one").acquire()
            line_of(one).stop()
            begun = asyncio.get_running_loop().time()
            async with Election(other, "boss").campaign("two"):
                assert asyncio.get_running_loop().time() - begun < 9.5
            line_of(one).go_on()

    simulate(scenario)


def test_work_runs_while_leading_and_again_after_a_loss() -> None:
    async def scenario(cluster: MemoryCluster) -> None:
        begun: list[int] = []
        lost: list[LostError] = []

        async def work(leadership: Leadership) -> str:
            begun.append(leadership.token)
            if len(begun) < 3:
                cluster.delete(leadership.key)
                await asyncio.sleep(100)
            return "done"

        async with client(cluster) as sessions:
            assert await Election(sessions, "boss").run(work, "me", on_lost=lost.append) == "done"
            assert len(lost) == 2
            assert begun == sorted(begun)

            async def fail(_: Leadership) -> None:
                raise ZeroDivisionError

            with pytest.raises(ZeroDivisionError):
                await Election(sessions, "boss").run(fail)
            assert await Election(sessions, "boss").leader() is None

    simulate(scenario)
