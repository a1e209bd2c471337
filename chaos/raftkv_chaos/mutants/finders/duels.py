"""Elections by bare majorities, one after the other, with almost nothing replicated in between (Raft paper, Figure 8).

Random faults come to such places once in a million walks; here each step leads there: a group is cut off from the rest, elects its
first node, which reaches some others with the first few messages, and is gone.
"""

import random
from collections.abc import Sequence

from raftkv.raft.messages import ChangeKind
from tests.raft.chaos import NODES, SMALL, Chaos

DUELS = 24
ROUNDS = 8


def find(seed: int) -> None:
    """One cluster and its duels."""
    rng = random.Random(seed)  # noqa: S311 (to be repeated)
    count = rng.choice((3, 4, 5, 5, 5))
    chaos = Chaos(NODES[:count], seed=seed, max_append_bytes=rng.choice((1, 3, 100)), pre_vote=rng.random() < 0.5)
    changes = rng.random() < 0.5
    for _ in range(DUELS):
        duel(chaos, rng, rng.sample(NODES, 5), changes=changes)
    if not changes:
        _bare_majority_recovers(chaos, rng, NODES[:count])
    chaos.recover()


def _bare_majority_recovers(chaos: Chaos, rng: random.Random, voters: Sequence[int]) -> None:
    """The rest stays dead: nobody else's vote or term can help."""
    core = rng.sample(voters, len(voters) // 2 + 1)
    for node in voters:
        chaos.crash(node, synced=True)
    chaos.cluster.network.clear()
    chaos.heal()
    for node in core:
        chaos.restart(node)
    chaos.cluster.pass_time(20 * SMALL["election_ticks"])
    assert chaos.cluster.leader() is not None, f"{sorted(core)} of {list(voters)} elect no leader"


def duel(chaos: Chaos, rng: random.Random, nodes: list[int], *, changes: bool) -> None:
    """One group elects, or two disjoint ones, of which one at most may."""
    size = rng.choice((2, 3, 3, 3, 4))
    for group in (nodes[:size], nodes[size:])[: rng.choice((1, 1, 2))]:
        for node in group:
            chaos.restart(node)
        _elect(chaos, rng, group)
        _replicate(chaos, rng, group, changes=changes)
    if rng.random() < 0.4:
        chaos.crash(nodes[0], synced=rng.random() < 0.7)
    lost = rng.random() < 0.5
    while chaos.cluster.network and lost:
        chaos.drop(0)


def _elect(chaos: Chaos, rng: random.Random, group: list[int]) -> None:
    """Answers come twice now and then, until the first of the group leads or nothing helps."""
    chaos.cut(group)
    for node in group:
        chaos.peer_lost(node, chaos.cluster[node].leader)
    chaos.campaign(group[0])
    repeats, kept = rng.random() < 0.4, rng.choice((0.0, 0.0, 0.3))
    for _ in range(ROUNDS):
        if chaos.cluster[group[0]].leader == group[0]:
            return
        for node in group:
            chaos.turn(node)
            chaos.sync(node)
        _carry(chaos, rng, group, repeats=repeats, kept=kept)


def _carry(chaos: Chaos, rng: random.Random, group: list[int], *, repeats: bool = False, kept: float = 0.0) -> None:
    """Delivers what is under way in a group; a share of it is kept for later, also for much later."""
    for source in group:
        for target in group:
            for message in chaos.cluster.take(source, target):
                if rng.random() < kept:
                    chaos.cluster.network.append(message)
                    continue
                for _ in range(1 + repeats):
                    chaos.cluster.deliver(message)


def _replicate(chaos: Chaos, rng: random.Random, group: list[int], *, changes: bool) -> None:
    """The first of the group, who may lead, reaches some with a message or two; it may change members, too."""
    leader = group[0]
    if changes and rng.random() < 0.5:
        chaos.change(leader, rng.choice(list(ChangeKind)), rng.choice(NODES))
    reached = [leader, *rng.sample(group[1:], rng.randint(0, len(group) - 1))]
    kept = rng.choice((0.0, 0.0, 0.3))
    for _ in range(rng.choice((1, 2, 3, 6))):
        _ask(chaos, rng, leader, reached)
        for node in reached:
            chaos.turn(node)
            chaos.sync(node)
        _carry(chaos, rng, reached, kept=kept)


def _ask(chaos: Chaos, rng: random.Random, leader: int, reached: list[int]) -> None:
    """What clients, operators and the network tell a leader."""
    other = rng.choice(reached)
    match rng.randrange(8):
        case 0 | 1 | 2:
            chaos.propose(leader)
        case 3:
            chaos.read(leader)
        case 4:
            chaos.unreachable(leader, other)
        case 5:
            chaos.transfer(leader, other)
        case 6:
            chaos.transfer(leader, leader)
        case _:
            pass
