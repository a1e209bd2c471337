"""Random walks through faults: the invariants hold after every step, and the cluster recovers when the faults end."""

import random

import pytest

from tests.raft.chaos import NODES, Chaos, walk

VARIANTS: list[dict[str, int]] = [
    {},
    {"pre_vote": False},
    {"check_quorum": False},
    {"max_append_bytes": 100, "max_inflight_bytes": 100},
]


@pytest.mark.parametrize("seed", range(400))
def test_invariants_hold_under_faults_and_the_cluster_recovers(seed: int) -> None:
    rng = random.Random(seed)
    voters = rng.sample(NODES, rng.choice([1, 3, 3, 5]))
    learners = [node for node in NODES if node not in voters and rng.random() < 0.3]
    chaos = Chaos(voters, learners=learners, seed=seed, **VARIANTS[seed % len(VARIANTS)])
    for _ in range(2):
        walk(chaos, rng, 500)
        chaos.recover()
