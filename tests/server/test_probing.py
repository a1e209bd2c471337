from functools import partial

from raftkv.clock import ManualClock
from raftkv.server.probing import PeerProbes
from tests.server.replicas import Cluster, simulate, until


def probes(cluster: Cluster, clocks: dict[int, float]) -> dict[int, PeerProbes]:
    clock = ManualClock()
    return {
        member: PeerProbes(node.replica, clock, partial(clocks.__getitem__, member), f"1.{member}")
        for member, node in cluster.nodes.items()
    }


def test_members_learn_each_others_clock_and_version() -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.leader()
        made = probes(cluster, {1: 1000.0, 2: 1000.0, 3: 1007.5})
        made[1].probe()
        await until(lambda: len(made[1].last) == 2)
        assert made[1].last[2].clock_ahead_s == 0
        assert made[1].last[3].clock_ahead_s == 7.5
        assert made[1].last[3].version == "1.3"
        assert [sum(histogram.counts) for histogram in made[1].round_trip_s.values()] == [1, 1]

    simulate(scenario)


def test_the_leader_knows_how_far_its_followers_are() -> None:
    async def scenario(cluster: Cluster) -> None:
        leader = await cluster.leader()
        follower = await cluster.follower()
        await leader.put("a", "b")
        await cluster.agree()
        made = probes(cluster, dict.fromkeys(cluster.ids, 0.0))
        for one in made.values():
            one.probe()
        assert made[leader.node_id].match_indexes[follower.node_id] == leader.replica.commit_index
        assert made[follower.node_id].match_indexes == {}

    simulate(scenario)


def test_a_member_that_is_away_has_no_answer() -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.leader()
        made = probes(cluster, dict.fromkeys(cluster.ids, 0.0))
        cluster.nodes[3].crash()
        made[1].probe()
        await until(lambda: 2 in made[1].last)
        assert set(made[1].last) == {2}
        assert set(made[1].round_trip_s) == {2, 3}

    simulate(scenario)
