"""What becomes of a held lease when servers are silent, slow or gone: under virtual time."""

import asyncio

import pytest

from raftkv.client import LeaseState
from raftkv.client.method import LEASE_KEEP_ALIVE_PATH
from raftkv.errors import Code, LeaseLostError
from raftkv_chaos.sim.loop import run
from tests.client.cluster_in_memory import ClusterInMemory


def now() -> float:
    return asyncio.get_running_loop().time()


def test_lease_is_renewed_every_third_of_its_time_to_live() -> None:
    async def main() -> None:
        cluster = ClusterInMemory()
        async with cluster.client() as client:
            async with client.lease(9) as lease:
                await asyncio.sleep(31.0)
                assert lease.alive
                assert cluster.renewals == pytest.approx([3.0 * number for number in range(1, 11)], abs=0.01)
                assert list(cluster.leases) == [lease.id]
            assert not cluster.leases
            assert lease.state is LeaseState.REVOKED
            assert not cluster.streams(LEASE_KEEP_ALIVE_PATH)

    run(main())


def test_leases_share_one_stream() -> None:
    async def main() -> None:
        cluster = ClusterInMemory()
        async with cluster.client() as client, client.lease(9), client.lease(30), client.lease(60):
            await asyncio.sleep(60.0)
            assert sum(len(node.streams) for node in cluster.nodes) == 1

    run(main())


def test_sessions_of_recipes_are_kept_alive_on_the_same_stream() -> None:
    async def main() -> None:
        cluster = ClusterInMemory()
        async with cluster.client() as client:
            session = await client._sessions().get(12)
            async with client.lease(9):
                await asyncio.sleep(5.0)
                assert sum(len(node.streams) for node in cluster.nodes) == 1
                silent = cluster.only(LEASE_KEEP_ALIVE_PATH).node
                silent.answers_keepalives = False
                session.at_risk.add_callback(lambda: pytest.fail("at risk"))
                await asyncio.sleep(60.0)
                assert cluster.only(LEASE_KEEP_ALIVE_PATH).node is not silent
            assert session.usable
        assert not cluster.leases
        assert not cluster.streams(LEASE_KEEP_ALIVE_PATH)

    run(main())


def test_session_whose_lease_is_gone_is_lost_at_its_next_renewal() -> None:
    async def main() -> None:
        cluster = ClusterInMemory()
        async with cluster.client() as client:
            session = await client._sessions().get(12)
            cluster.leases.clear()
            await asyncio.sleep(5.0)
            assert session.lost.is_set()
            assert not cluster.streams(LEASE_KEEP_ALIVE_PATH)

    run(main())


def test_silent_server_is_left_for_another_before_the_lease_is_at_risk() -> None:
    async def main() -> None:
        cluster = ClusterInMemory()
        async with cluster.client() as client, client.lease(12) as lease:
            states: list[LeaseState] = []
            lease.observe(states.append)
            await asyncio.sleep(5.0)
            silent = cluster.only(LEASE_KEEP_ALIVE_PATH).node
            silent.answers_keepalives = False
            await asyncio.sleep(60.0)
            assert lease.alive
            assert states == []
            assert cluster.only(LEASE_KEEP_ALIVE_PATH).node is not silent

    run(main())


def test_lease_without_any_server_is_at_risk_and_then_lost_counted_from_the_last_renewals_sending() -> None:
    async def main() -> None:
        cluster = ClusterInMemory()
        async with cluster.client() as client, client.lease(12) as lease:
            states: list[tuple[LeaseState, float]] = []
            lease.observe(lambda state: states.append((state, now())))
            await asyncio.sleep(9.0)  # renewed at 4 and 8
            for node in cluster.nodes:
                node.fall_silent()
            loss = await lease.wait_lost()
            assert [state for state, _ in states] == [LeaseState.AT_RISK, LeaseState.LOST]
            assert [moment for _, moment in states] == pytest.approx([16.0, 20.0])
            assert "not renewed within 12 s: no endpoint answers" in str(loss)
            assert not lease.at_risk.is_set()
            assert lease.remaining == 0.0
            with pytest.raises(LeaseLostError):
                lease.check()

    run(main())


def test_lease_at_risk_that_is_renewed_again_is_alive() -> None:
    async def main() -> None:
        cluster = ClusterInMemory()
        async with cluster.client() as client, client.lease(12) as lease:
            states: list[LeaseState] = []
            lease.observe(states.append)
            for node in cluster.nodes:
                node.fall_silent()
            await asyncio.wait_for(lease.at_risk.wait(), 60.0)
            for node in cluster.nodes:
                node.reachable = True
            await asyncio.sleep(30.0)
            assert states == [LeaseState.AT_RISK, LeaseState.ALIVE]
            assert lease.alive

    run(main())


def test_lease_that_the_cluster_does_not_know_is_lost_at_the_next_renewal() -> None:
    async def main() -> None:
        cluster = ClusterInMemory()
        async with cluster.client() as client, client.lease(12) as lease:
            cluster.leases.clear()
            loss = await lease.wait_lost()
            assert now() == pytest.approx(4.0, abs=0.01)
            assert loss.lease_id == lease.id

    run(main())


def test_state_asks_the_clock_even_where_the_loop_was_held_up() -> None:
    async def main() -> None:
        cluster = ClusterInMemory()
        async with cluster.client() as client, client.lease(12) as lease:
            loop = asyncio.get_running_loop()
            loop._virtual.elapsed += 13.0  # type: ignore[attr-defined]  # the process was stopped; no timer has run since
            assert lease.state is LeaseState.LOST
            assert not lease.alive

    run(main())


def test_stream_refused_for_want_of_a_leader_is_tried_elsewhere() -> None:
    async def main() -> None:
        cluster = ClusterInMemory()
        async with cluster.client() as client, client.lease(12) as lease:
            await asyncio.sleep(1.0)
            old = cluster.only(LEASE_KEEP_ALIVE_PATH)
            old.finish(Code.UNAVAILABLE, "etcdserver: no leader")
            await asyncio.sleep(30.0)
            assert lease.alive
            assert cluster.only(LEASE_KEEP_ALIVE_PATH).node is not old.node

    run(main())


def test_lease_of_a_closed_client_is_lost_at_once() -> None:
    async def main() -> None:
        cluster = ClusterInMemory()
        client = cluster.client()
        async with client.lease(12) as lease:
            await client.close()
            assert lease.lost.is_set()
            assert str(lease.loss).endswith("the client is closed")

    run(main())


def test_lease_is_kept_alive_once_however_often_it_is_adopted() -> None:
    async def main() -> None:
        cluster = ClusterInMemory()
        async with cluster.client() as client, client.lease(12) as lease:
            with pytest.raises(ValueError, match="kept alive already"):
                await client.adopt_lease(lease.id).open()
            await asyncio.sleep(30.0)
            assert lease.alive

    run(main())
