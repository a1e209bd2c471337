"""Leases of whole clusters under virtual time: leaders die, stall, and are cut off; nobody loses time that was promised."""

import asyncio
from typing import Any

import pytest

from raftkv.apply.command import ALARM, EXPIRE_LEASES, LEASE_GRANT, LEASE_REVOKE, PUT, body
from raftkv.errors import LeaderFailureTimeoutError, RequestError, RequestTimeoutError
from raftkv.pb import rpc
from raftkv.pb.command import ExpireLeases
from raftkv.peer.asks import Kind
from raftkv.reply import Reply
from raftkv.server.batched_asks import BatchedAsks
from raftkv.server.lease_keeper import LeaseKeeper, LeaseSettings, pack_question, pack_renewal, unpack_ids
from raftkv.server.renewals import renewals
from raftkv_chaos.sim.loop import LoopClock
from tests.server.replicas import Cluster, Node, insist, simulate, until

ELECTION_S = 1.0


class SlipClock(LoopClock):
    """A clock that can jump ahead, as that of a process that was stopped does."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.ahead = 0.0
        self.now = lambda: loop.time() + self.ahead


class Leases:
    """A cluster with keepers of leases."""

    def __init__(self, cluster: Cluster, **settings: Any) -> None:
        self.cluster = cluster
        self.settings = LeaseSettings(election_timeout_s=ELECTION_S, **settings)
        self.keepers: dict[int, LeaseKeeper] = {}
        self.renewals: dict[int, BatchedAsks[int, int]] = {}
        self.clocks: dict[int, SlipClock] = {}
        for node in cluster.nodes.values():
            self.keep(node)

    def keep(self, node: Node) -> None:
        loop = asyncio.get_running_loop()
        clock = self.clocks[node.node_id] = SlipClock(loop)
        keeper = self.keepers[node.node_id] = LeaseKeeper(node.replica, clock, loop, self.settings)
        self.renewals[node.node_id] = renewals(node.replica)
        keeper.start()

    def crash(self, node: Node) -> None:
        self.keepers[node.node_id].stop()
        node.crash()

    def restart(self, node: Node) -> None:
        self.crash(node)
        node.start()
        self.keep(node)

    async def grant(self, node: Node, lease_id: int, ttl: int) -> None:
        request = rpc.LeaseGrantRequest(ID=lease_id, TTL=ttl)
        await insist(lambda: node.replica.propose(body(LEASE_GRANT, request.SerializeToString())))

    async def hang(self, node: Node, key: bytes, lease_id: int) -> None:
        request = rpc.PutRequest(key=key, lease=lease_id)
        await insist(lambda: node.replica.propose(body(PUT, request.SerializeToString())))

    async def renew(self, node: Node, lease_id: int) -> int:
        return await self.renewals[node.node_id].ask(lease_id)

    async def left(self, node: Node, lease_id: int) -> int:
        answer = await node.replica.ask_leader(Kind.LEASE_TIME_TO_LIVE, pack_question(lease_id, keys=False))
        return rpc.LeaseTimeToLiveResponse.FromString(answer).TTL

    def has(self, node: Node, lease_id: int) -> bool:
        return node.replica.machine.lessor.exists(lease_id)

    async def expiry(self, lease_id: int, nodes: list[Node]) -> float:
        """When the lease is gone from these nodes."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(4000):
            while any(self.has(node, lease_id) for node in nodes):  # noqa: ASYNC110 (virtual time passes, no real one)
                await asyncio.sleep(0.05)
        return loop.time()


def now() -> float:
    return asyncio.get_running_loop().time()


def test_a_lease_ends_in_time_and_takes_its_keys() -> None:
    async def scenario(cluster: Cluster) -> None:
        leases = Leases(cluster)
        leader = await cluster.leader()
        granted = now()
        await leases.grant(leader, 7, 5)
        await leases.hang(leader, b"a", 7)
        ended = await leases.expiry(7, list(cluster.nodes.values()))
        assert 5 <= ended - granted <= 5.5
        assert [node.look("a") for node in cluster.nodes.values()] == [None] * 3

    simulate(scenario)


def test_renewals_through_every_node_keep_a_lease() -> None:
    async def scenario(cluster: Cluster) -> None:
        leases = Leases(cluster)
        leader = await cluster.leader()
        await leases.grant(leader, 7, 5)
        for _ in range(4):
            for node in cluster.nodes.values():
                assert await leases.renew(node, 7) == 5
                await asyncio.sleep(2)
        assert leases.has(leader, 7)
        assert await leases.renew(leader, 8) == 0

    simulate(scenario)


def test_keepalives_of_one_turn_are_one_question() -> None:
    async def scenario(cluster: Cluster) -> None:
        leases = Leases(cluster)
        leader, follower = await cluster.leader(), await cluster.follower()
        for lease_id in range(1, 101):
            await leases.grant(leader, lease_id, 60)
        sent: list[object] = []
        send = follower.replica._peers.send
        follower.replica._peers.send = lambda messages: (sent.extend(messages), send(messages))[1]  # type: ignore[method-assign, func-returns-value] # a spy
        replies = [leases.renewals[follower.node_id].ask(lease_id) for lease_id in range(1, 102)]
        answers = [await reply for reply in replies]
        assert answers == [60] * 100 + [0]
        assert sum(type(message).__name__ == "Ask" for message in sent) == 1

    simulate(scenario)


def test_a_follower_that_asks_confirms_a_leader_of_three() -> None:
    async def scenario(cluster: Cluster) -> None:
        leases = Leases(cluster)
        leader = await cluster.leader()
        follower = next(node for node in cluster.nodes.values() if node is not leader)
        await leases.grant(leader, 7, 5)
        rounds = leader.replica._reads._next
        assert await leases.renew(follower, 7) == 5
        assert leader.replica._reads._next == rounds
        assert await leases.renew(leader, 7) == 5
        assert leader.replica._reads._next == rounds + 1

    simulate(scenario)


def test_only_a_voter_that_asks_in_the_leaders_term_confirms_it() -> None:  # L2
    async def scenario(cluster: Cluster) -> None:
        leases = Leases(cluster)
        leader = await cluster.leader()
        others = [node_id for node_id in cluster.nodes if node_id != leader.node_id]
        await leases.grant(leader, 7, 60)
        for node_id in others:
            cluster.network.cut(leader.node_id, node_id)
        keeper, term = leases.keepers[leader.node_id], leader.replica.term
        asked = [(others[0], term), (others[0], term - 1), (others[0], term + 1), (leader.node_id, term), (99, term)]
        replies = [keeper._renew(pack_renewal(asked_in, [7]), source) for source, asked_in in asked]
        await asyncio.sleep(ELECTION_S / 2)
        assert [reply.done() for reply in replies] == [True, False, False, False, False]

    simulate(scenario)


def test_a_renewal_through_a_follower_finds_a_lease_that_the_leader_has_not_applied_yet() -> None:
    async def scenario(cluster: Cluster) -> None:
        leases = Leases(cluster)
        leader = await cluster.leader()
        follower = next(node for node in cluster.nodes.values() if node is not leader)
        keeper = leases.keepers[leader.node_id]
        replica = leader.replica
        request = rpc.LeaseGrantRequest(ID=7, TTL=5)
        granted = replica.propose(body(LEASE_GRANT, request.SerializeToString()))
        asked: list[Reply[bytes]] = []
        while not granted.done():
            if replica.commit_index > replica.machine.applied_index and not asked:
                asked.append(keeper._renew(pack_renewal(replica.term, [7]), follower.node_id))
                assert not asked[0].done()
            await asyncio.sleep(0)
        assert asked, "it was committed before it was applied"
        await until(asked[0].done)
        assert unpack_ids(asked[0].result()) == (5,)

    simulate(scenario)


def test_a_new_leader_gives_each_lease_its_whole_time() -> None:  # L3
    async def scenario(cluster: Cluster) -> None:
        leases = Leases(cluster)
        leader = await cluster.leader()
        await leases.grant(leader, 7, 10)
        await asyncio.sleep(8)
        asked = now()
        assert await leases.renew(leader, 7) == 10
        leases.crash(leader)
        heir = await cluster.leader(other_than=leader.node_id)
        elected = now()
        ended = await leases.expiry(7, [heir])
        assert ended >= asked + 10
        assert elected + 10 <= ended <= elected + 10 + ELECTION_S + 0.5

    simulate(scenario)


@pytest.mark.parametrize("transfer", [False, True])
def test_many_leaders_do_not_make_a_lease_live_for_ever(*, transfer: bool) -> None:  # L4
    async def scenario(cluster: Cluster) -> None:
        leases = Leases(cluster, checkpoint_interval_s=20.0)
        leader = await cluster.leader()
        granted = now()
        await leases.grant(leader, 7, 200)
        while now() < granted + 210:
            await asyncio.sleep(25)
            leader = await cluster.leader()
            if transfer:
                await leader.replica.hand_over()
            else:
                leases.restart(leader)
        await cluster.leader()
        ended = await leases.expiry(7, list(cluster.nodes.values()))
        assert 200 <= ended - granted <= 200 + 9 * 8  # what each change of leader may give back at most

    simulate(scenario)


def test_a_renewal_outlives_the_checkpoint_before_it() -> None:
    async def scenario(cluster: Cluster) -> None:
        leases = Leases(cluster, checkpoint_interval_s=20.0)
        leader = await cluster.leader()
        await leases.grant(leader, 7, 100)
        await asyncio.sleep(90)
        assert leader.replica.machine.lessor.leases[7].remaining_s in range(10, 41)
        asked = now()
        assert await leases.renew(await cluster.follower(), 7) == 100
        leases.crash(leader)
        heir = await cluster.leader(other_than=leader.node_id)
        assert heir.replica.machine.lessor.leases[7].remaining_s == 0
        assert await leases.expiry(7, [heir]) >= asked + 100

    simulate(scenario)


def test_a_leader_that_is_cut_off_revokes_and_renews_nothing() -> None:  # L1, L2
    async def scenario(cluster: Cluster) -> None:
        leases = Leases(cluster)
        leader = await cluster.leader()
        await leases.grant(leader, 7, 5)
        await leases.hang(leader, b"a", 7)
        cluster.network.isolate(leader.node_id)
        asked = asyncio.get_running_loop().create_task(leases.renew(leader, 7))
        heir = await cluster.leader(other_than=leader.node_id)
        while now() < 60:
            assert await leases.renew(heir, 7) == 5
            await asyncio.sleep(1)
        with pytest.raises((RequestTimeoutError, LeaderFailureTimeoutError)):
            await asked
        cluster.network.heal()
        await cluster.agree()
        for node in cluster.nodes.values():
            assert leases.has(node, 7)
            assert node.look("a") == ""

    simulate(scenario)


def test_what_a_deposed_leader_said_about_time_is_void() -> None:  # L1: proposed in its term, appended in a later one
    async def scenario(cluster: Cluster) -> None:
        leases = Leases(cluster)
        leader = await cluster.leader()
        await leases.grant(leader, 7, 60)
        stale = ExpireLeases(term=leader.replica.term - 1, ids=[7])
        with pytest.raises(RequestError, match="not leader"):
            await leader.replica.propose_duty(body(EXPIRE_LEASES, stale.SerializeToString()))
        await cluster.agree()
        assert all(leases.has(node, 7) for node in cluster.nodes.values())

    simulate(scenario)


def test_a_leader_that_stood_still_counts_none_of_it() -> None:
    async def scenario(cluster: Cluster) -> None:
        leases = Leases(cluster)
        leader = await cluster.leader()
        await leases.grant(leader, 7, 5)
        await asyncio.sleep(3)
        leases.clocks[leader.node_id].ahead += 100.0  # stopped, and let go on
        await asyncio.sleep(1)
        assert leases.has(leader, 7)
        assert await leases.renew(leader, 7) == 5
        await asyncio.sleep(4.5)
        assert leases.has(leader, 7)
        await asyncio.sleep(1)
        assert not leases.has(leader, 7)

    simulate(scenario)


def test_a_renewal_races_with_its_expiry_and_is_either_kept_or_denied() -> None:  # L6
    async def scenario(cluster: Cluster) -> None:
        leases = Leases(cluster)
        leader, follower = await cluster.leader(), await cluster.follower()
        for lease_id in range(1, 41):
            await leases.grant(leader, lease_id, 2 + lease_id % 3)
            await leases.hang(leader, b"k%d" % lease_id, lease_id)
        promised: dict[int, float] = {}
        ended: dict[int, float] = {}
        keeper = leases.keepers[leader.node_id]
        forget = keeper.revoked
        keeper.revoked = lambda lease_id: (ended.setdefault(lease_id, now()), forget(lease_id))[1]  # type: ignore[method-assign] # a spy

        async def renew_late(lease_id: int) -> None:
            ttl = 2 + lease_id % 3
            await asyncio.sleep(ttl + (lease_id - 20) * 0.006)
            asked = now()
            if await leases.renew(follower, lease_id):
                promised[lease_id] = asked + ttl
            else:
                assert lease_id in ended

        async with asyncio.TaskGroup() as tasks:
            for lease_id in range(1, 41):
                tasks.create_task(renew_late(lease_id))
        await until(lambda: len(ended) == 40)
        assert 0 < len(promised) < 40
        assert all(ended[lease_id] >= end for lease_id, end in promised.items())

    simulate(scenario)


def test_whoever_asks_for_a_lease_that_is_ending_waits_until_it_is_gone() -> None:
    async def scenario(cluster: Cluster) -> None:
        leases = Leases(cluster)
        leader = await cluster.leader()
        await leases.grant(leader, 7, 2)
        others = [node for node in cluster.nodes.values() if node is not leader]
        await asyncio.sleep(1.8)
        keeper = leases.keepers[leader.node_id]
        for node in others:  # what the leader proposes now is not committed, but it still leads
            cluster.network.cut(leader.node_id, node.node_id)
        await until(lambda: keeper._proposed)
        reply: list[int] = []
        waiting: Reply[bytes] = Reply()
        waiting.add_done_callback(lambda done: reply.extend(unpack_ids(done.result())))
        keeper._renew_now([7], waiting)
        assert not waiting.done()
        cluster.network.heal()
        await until(lambda: reply)
        assert reply == [0]

    simulate(scenario)


@pytest.mark.interpreted
def test_an_expiry_that_nobody_answered_is_proposed_again() -> None:
    async def scenario(cluster: Cluster) -> None:
        leases = Leases(cluster)
        node = await cluster.leader()
        await leases.grant(node, 7, 2)
        propose = node.replica.propose_duty
        lost: list[Any] = []

        def swallow(body: bytes) -> Any:
            reply: Reply[Any] = Reply()
            lost.append(reply)
            asyncio.get_running_loop().call_later(0.2, lambda: reply.set_exception(RequestTimeoutError()))
            node.replica.propose_duty = propose  # type: ignore[method-assign] # only the first is lost
            return reply

        node.replica.propose_duty = swallow  # type: ignore[method-assign] # a fault
        await until(lambda: lost)
        await leases.expiry(7, [node])

    simulate(scenario, count=1)


def test_a_storm_is_paced_and_a_new_leader_spreads_it() -> None:  # L12, L13
    async def scenario(cluster: Cluster) -> None:
        leases = Leases(cluster, revokes_per_s=100.0)
        leader = await cluster.leader()
        for lease_id in range(1, 301):
            await leases.grant(leader, lease_id, 100)
        await leader.replica.hand_over()
        leader = await cluster.leader()
        counts: list[int] = []
        while leader.replica.machine.lessor.leases:
            before = len(leader.replica.machine.lessor.leases)
            await asyncio.sleep(1)
            counts.append(before - len(leader.replica.machine.lessor.leases))
        assert max(counts) <= 100
        assert sum(counts) == 300
        assert len([count for count in counts if count]) <= 6

    simulate(scenario)


def test_expiry_goes_on_where_clients_are_turned_away() -> None:  # L12
    async def scenario(cluster: Cluster) -> None:
        leases = Leases(cluster)
        leader = await cluster.leader()
        await leases.grant(leader, 7, 2)
        leader.replica._proposals._limit = 0
        await leases.expiry(7, [leader])

    simulate(scenario)


def test_a_corrupt_cluster_revokes_nothing_and_blocks_nobody() -> None:
    async def scenario(cluster: Cluster) -> None:
        leases = Leases(cluster)
        leader = await cluster.leader()
        await leases.grant(leader, 7, 2)
        alarm = rpc.AlarmRequest(action=rpc.AlarmRequest.ACTIVATE, memberID=1, alarm=rpc.CORRUPT)
        await leader.replica.propose(body(ALARM, alarm.SerializeToString()))
        await asyncio.sleep(5)
        assert leases.has(leader, 7)
        assert await leases.renew(leader, 7) == 2

    simulate(scenario)


def test_a_lease_is_known_where_a_snapshot_was_installed() -> None:
    async def scenario(cluster: Cluster) -> None:
        leases = Leases(cluster)
        leader, follower = await cluster.leader(), await cluster.follower()
        leases.crash(follower)
        await leases.grant(leader, 7, 600)
        await leases.hang(leader, b"a", 7)
        for number in range(60):
            await leader.put("b", str(number))
        follower.start()
        leases.keep(follower)
        await cluster.agree()
        assert follower.replica.machine.lessor.keys(7) == [b"a"]
        revoke = body(LEASE_REVOKE, rpc.LeaseRevokeRequest(ID=7).SerializeToString())
        await follower.replica.propose(revoke)
        assert follower.look("a") is None

    simulate(scenario, snapshot_count=10, catch_up_entries=5)


def test_every_replica_ends_up_with_the_same_leases() -> None:  # L5
    async def scenario(cluster: Cluster) -> None:
        leases = Leases(cluster)
        leader = await cluster.leader()
        for lease_id in range(1, 20):
            await leases.grant(leader, lease_id, 2 + lease_id % 5)
            await leases.hang(leader, b"k%d" % lease_id, lease_id)
        await asyncio.sleep(4)
        leases.restart(leader)
        for _ in range(10):
            await asyncio.sleep(0.7)
            await cluster.agree()
            assert len({node.replica.store.revision for node in cluster.nodes.values()}) == 1
            assert len({tuple(node.replica.machine.lessor.leases) for node in cluster.nodes.values()}) == 1

    simulate(scenario)
