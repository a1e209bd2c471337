"""Random walks of the core: small limits, five servers, everything that can go wrong; then recovery."""

import random

from tests.raft.chaos import NODES, Chaos, walk

VARIANTS: tuple[dict[str, int], ...] = (
    {},
    {"pre_vote": False},
    {"max_append_bytes": 100, "max_inflight_bytes": 100},
    {"check_quorum": False},
)
STEPS = 500


def find(seed: int) -> None:
    """One walk."""
    rng = random.Random(seed)  # noqa: S311 (to be repeated)
    voters = rng.sample(NODES, rng.choice([1, 3, 3, 5, 5]))
    learners = [node for node in NODES if node not in voters and rng.random() < 0.3]
    chaos = Chaos(voters, learners=learners, seed=seed, **VARIANTS[seed % len(VARIANTS)])
    for _ in range(2):
        walk(chaos, rng, STEPS)
        chaos.recover()
