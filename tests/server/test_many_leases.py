"""As many leases as are promised, on whole clusters under virtual time: each turn does a bounded part of the work."""

import asyncio
from collections.abc import Iterable
from typing import Any

from raftkv.apply.command import TXN, body
from raftkv.lease import LeaseCommands
from raftkv.mvcc.steps import SLICE_ROWS
from raftkv.pb import rpc
from raftkv.pb.command import ExpireLeases
from raftkv.server.lease_keeper import BURST_S, LOOK_S, LeaseKeeper, LeaseSettings
from raftkv.server.renewals import renewals
from raftkv_chaos.sim.loop import LoopClock
from tests.server.replicas import Cluster, Node, insist, simulate, until

MANY = 50_000
STORM = 10_000
TTL_S = 60
RATE = 1000.0
KEYS_AT_ONCE = 100


def grant_everywhere(cluster: Cluster, lease_ids: Iterable[int]) -> None:
    """As if the log had granted them: what it costs to get them there is not asked here."""
    for lease_id in lease_ids:
        for node in cluster.nodes.values():
            node.replica.machine.lessor.grant(lease_id, TTL_S)


def keep(node: Node) -> LeaseKeeper:
    loop = asyncio.get_running_loop()
    keeper = LeaseKeeper(node.replica, LoopClock(loop), loop, LeaseSettings(election_timeout_s=1.0, revokes_per_s=RATE))
    keeper.start()
    return keeper


async def hang_a_key_on_each(leader: Node, lease_ids: range) -> None:
    for first in range(lease_ids.start, lease_ids.stop, KEYS_AT_ONCE):
        txn = rpc.TxnRequest()
        for lease_id in range(first, first + KEYS_AT_ONCE):
            txn.success.add().request_put.CopyFrom(rpc.PutRequest(key=b"k%d" % lease_id, lease=lease_id))
        await insist(lambda txn=txn: leader.replica.propose(body(TXN, txn.SerializeToString())))  # type: ignore[misc] # bound now


def now() -> float:
    return asyncio.get_running_loop().time()


def test_fifty_thousand_leases_change_their_leader_without_a_pause() -> None:
    async def scenario(cluster: Cluster) -> None:
        keepers = {node.node_id: keep(node) for node in cluster.nodes.values()}
        leader = await cluster.leader()
        grant_everywhere(cluster, range(1, MANY + 1))
        heirs = [node for node in cluster.nodes.values() if node is not leader]
        taken: dict[int, list[int]] = {node.node_id: [] for node in heirs}
        for node in heirs:
            watch_slices(keepers[node.node_id], taken[node.node_id])
        await leader.replica.hand_over()
        heir = await cluster.leader(other_than=leader.node_id)
        await until(lambda: taken[heir.node_id])
        asked = now()
        by_node = {node.node_id: renewals(node.replica) for node in cluster.nodes.values()}
        replies = [by_node[1 + lease_id % 3].ask(lease_id) for lease_id in range(1, MANY + 1, 10)]
        assert {await reply for reply in replies} == {TTL_S}
        await insist(lambda: heir.put("a", "1"))
        assert now() - asked < 0.1
        times = keepers[heir.node_id]._times
        assert len(times) < MANY, "they were answered while others were being taken over"
        await until(lambda: len(times) == MANY)
        assert max(taken[heir.node_id]) <= SLICE_ROWS
        await asyncio.sleep(asked + TTL_S - now() - LOOK_S)
        assert len(heir.replica.machine.lessor.leases) == MANY

    simulate(scenario)


def watch_slices(keeper: LeaseKeeper, taken: list[int]) -> None:
    """Notes how many leases each turn's slice takes over."""
    take_over = keeper._take_over

    def slice_(term: int, steps: Any) -> None:
        before = len(keeper._times)
        take_over(term, steps)
        taken.append(len(keeper._times) - before)

    keeper._take_over = slice_  # type: ignore[method-assign] # a spy


def test_ten_thousand_leases_that_end_together_hold_up_no_write(monkeypatch: Any) -> None:
    ended: list[int] = []
    expire = LeaseCommands.expire

    def counted(self: LeaseCommands, request: ExpireLeases, term: int) -> Any:
        ended.append(len(request.ids))
        return expire(self, request, term)

    monkeypatch.setattr(LeaseCommands, "expire", counted)

    async def scenario(cluster: Cluster) -> None:
        for node in cluster.nodes.values():
            keep(node)
        leader, follower = await cluster.leader(), await cluster.follower()
        grant_everywhere(cluster, range(1, STORM + 1))
        await hang_a_key_on_each(leader, range(1, STORM + 1))
        lessor = leader.replica.machine.lessor
        await asyncio.sleep(TTL_S - 10)
        await until(lambda: len(lessor.leases) < STORM)
        waits: list[float] = []
        began = now()
        while lessor.leases:
            asked = now()
            await follower.put("w", "1")
            waits.append(now() - asked)
            await asyncio.sleep(0.02)
        assert STORM / RATE - 1 <= now() - began <= STORM / RATE + 2
        assert max(waits) < 0.01  # of virtual time: nothing waits for the storm to pass
        await cluster.agree()
        assert {len(node.replica.machine.lessor.leases) for node in cluster.nodes.values()} == {0}
        assert follower.look("k1") is None

    simulate(scenario)
    assert max(ended) <= RATE * BURST_S
    assert sum(ended) == 3 * STORM


def test_leases_that_end_do_not_wait_while_others_are_renewed() -> None:
    many = 500

    async def scenario(cluster: Cluster) -> None:
        for node in cluster.nodes.values():
            keep(node)
        leader = await cluster.leader()
        grant_everywhere(cluster, range(1, many + 1))
        keepalives, lessor = renewals(leader.replica), leader.replica.machine.lessor
        await asyncio.sleep(TTL_S - 1)
        await keepalives.ask(1)
        await until(lambda: len(lessor.leases) < many)
        began = now()
        while len(lessor.leases) > 1:
            assert await keepalives.ask(1) == TTL_S
            await asyncio.sleep(0.002)
        assert now() - began <= many / RATE + 1

    simulate(scenario)
