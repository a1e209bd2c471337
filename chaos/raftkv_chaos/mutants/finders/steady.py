"""The core where little goes wrong: a cluster must start, keep its leader, lose one that is cut off, and answer reads."""

import random

from tests.raft.cluster import Cluster


def find(seed: int) -> None:
    """One cluster, one thing after the other."""
    rng = random.Random(seed)  # noqa: S311 (to be repeated)
    count, ticks = rng.choice([2, 3, 4, 5]), rng.choice([4, 10])
    cluster = Cluster(range(1, count + 1), seed=seed, election_ticks=ticks)
    leader = _elected(cluster, ticks)
    _reads_without_a_write(cluster, leader, ticks)
    if count > 2:
        _absence_disturbs_nobody(cluster, leader, rng, ticks)
        _leader_cut_off_steps_down(cluster, leader, ticks)


def _elected(cluster: Cluster, ticks: int) -> int:
    for _ in range(40 * ticks):
        cluster.pass_time(1)
        leader = cluster.leader()
        if leader is not None and all(cluster[node].leader == leader for node in cluster.up()):
            return leader
    raise AssertionError(f"no leader within {40 * ticks} ticks of the start")


def _reads_without_a_write(cluster: Cluster, leader: int, ticks: int) -> None:
    for node in cluster.up():
        cluster.read(node, b"first%d" % node)
    cluster.pass_time(ticks)
    answered = [node for node in cluster.up() if b"first%d" % node in cluster.reads]
    assert answered == cluster.up(), f"reads at {set(cluster.up()) - set(answered)} are not answered by the new leader {leader}"


def _absence_disturbs_nobody(cluster: Cluster, leader: int, rng: random.Random, ticks: int) -> None:
    absent = rng.choice([node for node in cluster.up() if node != leader])
    before = cluster[leader].term
    cluster.cut([absent], [node for node in cluster.up() if node != absent])
    cluster.pass_time(12 * ticks)
    assert cluster[absent].term == before, f"alone, node {absent} raises the term from {before} to {cluster[absent].term}"
    cluster.heal()
    cluster.pass_time(4 * ticks)
    leaders = {(cluster[node].leader, cluster[node].term) for node in cluster.up()}
    assert leaders == {(leader, before)}, f"the return of node {absent} changes leader and term {leader, before} to {leaders}"


def _leader_cut_off_steps_down(cluster: Cluster, leader: int, ticks: int) -> None:
    others = [node for node in cluster.up() if node != leader]
    cluster.cut([leader], others)
    cluster.pass_time(2 * ticks + 1)
    assert cluster[leader].leader != leader, (
        f"node {leader} leads, though it has not heard from its quorum for {2 * ticks} ticks"
    )
    cluster.pass_time(8 * ticks)
    assert {cluster[node].leader for node in others} <= set(others), "the others elect no leader"
