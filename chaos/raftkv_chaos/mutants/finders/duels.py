"""Elections by bare majorities, one after the other, with almost nothing replicated in between (Raft paper, Figure 8).

Random faults come to such places once in a million walks; here each step leads there: a group is cut off from the rest, elects its
first node, which reaches some others with the first few messages, and is gone.
"""

import random

from raftkv.raft.messages import ChangeKind
from tests.raft.chaos import NODES, Chaos

DUELS = 24
ROUNDS = 8


def find(seed: int) -> None:
    """One cluster and its duels."""
    rng = random.Random(seed)  # noqa: S311 (to be repeated)
    count = rng.choice((3, 4, 5, 5, 5))
    chaos = Chaos(NODES[:count], seed=seed, max_append_bytes=rng.choice((1, 3, 100)), pre_vote=rng.random() < 0.5)
    for _ in range(DUELS):
        _duel(chaos, rng, rng.sample(NODES, 5))
    chaos.recover()


def _duel(chaos: Chaos, rng: random.Random, nodes: list[int]) -> None:
    """One group elects, or two disjoint ones, of which one at most may."""
    size = rng.choice((2, 3, 3, 3, 4))
    for group in (nodes[:size], nodes[size:])[: rng.choice((1, 1, 2))]:
        for node in group:
            chaos.restart(node)
        _elect(chaos, rng, group)
        _replicate(chaos, rng, group)
    if rng.random() < 0.4:
        chaos.crash(nodes[0], synced=rng.random() < 0.7)
    if rng.random() < 0.5:
        chaos.cluster.network.clear()


def _elect(chaos: Chaos, rng: random.Random, group: list[int]) -> None:
    """Answers come twice now and then, until the first of the group leads or nothing helps."""
    chaos.cut(group)
    for node in group:
        chaos.peer_lost(node, chaos.cluster[node].leader)
    chaos.campaign(group[0])
    repeats = rng.random() < 0.4
    for _ in range(ROUNDS):
        if chaos.cluster[group[0]].leader == group[0]:
            return
        for node in group:
            chaos.turn(node)
            chaos.sync(node)
        _carry(chaos, group, repeats=repeats)


def _carry(chaos: Chaos, group: list[int], *, repeats: bool = False) -> None:
    for source in group:
        for target in group:
            for message in chaos.cluster.take(source, target):
                for _ in range(1 + repeats):
                    chaos.cluster.deliver(message)


def _replicate(chaos: Chaos, rng: random.Random, group: list[int]) -> None:
    """The first of the group, who may lead, reaches some with a message or two; it may change members, too."""
    leader = group[0]
    for _ in range(rng.choice((0, 1, 2))):
        chaos.propose(leader)
    if rng.random() < 0.3:
        chaos.change(leader, rng.choice(list(ChangeKind)), rng.choice(NODES))
    reached = [leader, *rng.sample(group[1:], rng.randint(0, len(group) - 1))]
    for _ in range(rng.choice((1, 2, 3, 6))):
        for node in reached:
            chaos.turn(node)
            chaos.sync(node)
        _carry(chaos, reached)
    if rng.random() < 0.3:
        chaos.read(leader)
