"""Random walks of the core: small limits, five servers, everything that can go wrong; then recovery."""

import random
from collections.abc import Mapping

from raftkv.raft import Raft
from tests.raft.chaos import NODES, Chaos, walk
from tests.raft.cluster import Server

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
    never_falls(chaos)
    for _ in range(2):
        walk(chaos, rng, STEPS)
        chaos.recover()


def never_falls(chaos: Chaos) -> None:
    """As long as a server runs, what it knows to be committed only grows."""
    invariants = chaos.cluster.invariants
    check = invariants.check
    known: dict[int, tuple[Raft, int]] = {}

    def checked(node_id: int, servers: Mapping[int, Server]) -> None:
        raft = servers[node_id].raft
        life, commit = known.get(node_id, (raft, 0))
        assert life is not raft or raft.commit >= commit, (
            f"the commit index of node {node_id} falls from {commit} to {raft.commit}"
        )
        known[node_id] = raft, raft.commit
        check(node_id, servers)

    invariants.check = checked  # type: ignore[method-assign] # one invariant more
