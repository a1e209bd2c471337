"""Everything that can go wrong in a cluster, one act at a time. Acts that make no sense at the moment do nothing."""

import contextlib
import random
from collections.abc import Callable, Sequence

from raftkv.errors import ReadDroppedError, TransferDroppedError
from raftkv.raft.messages import ChangeKind
from tests.raft.cluster import Cluster

NODES = (1, 2, 3, 4, 5)
MAX_MESSAGES = 150
SMALL = {
    "election_ticks": 4,
    "max_append_bytes": 3,
    "max_inflight_messages": 3,
    "max_inflight_bytes": 8,
    "max_uncommitted_bytes": 24,
    "max_committed_bytes": 4,
    "max_cached_entries": 3,
    "max_pending_reads": 6,
}
"""Small limits, so that every one of them is met."""


class Chaos:
    """A cluster of five servers, some of them voters at first, and what happens to it."""

    def __init__(
        self, voters: Sequence[int] = (1, 2, 3), *, learners: Sequence[int] = (), seed: int = 0, **options: int
    ) -> None:
        self.cluster = Cluster(voters, learners=learners, seed=seed, **{**SMALL, **options})
        for node_id in NODES:
            if node_id not in self.cluster.servers:
                self.cluster.boot(node_id)
        self._count = 0

    def _runs(self, node: int) -> bool:
        return self.cluster.servers[node].up

    def leaders(self) -> list[int]:
        """Everybody who believes to lead."""
        return [node for node in NODES if self._runs(node) and self.cluster[node].leader == node]

    # --- the machinery moves ---------------------------------------------------------------------------------------

    def tick(self, node: int, count: int = 1) -> None:
        if self._runs(node):
            self.cluster.tick(node, count)

    def turn(self, node: int) -> None:
        if self._runs(node) and self.cluster[node].has_ready():
            self.cluster.turn(node)
        while len(self.cluster.network) > MAX_MESSAGES:
            self.drop(0)

    def sync(self, node: int) -> None:
        if self._runs(node):
            self.cluster.sync(node)

    def deliver(self, position: int) -> None:
        network = self.cluster.network
        if network:
            position %= len(network)
            message = network[position]
            del network[position]
            self.cluster.deliver(message)

    def deliver_link(self, source: int, target: int) -> None:
        for message in self.cluster.take(source, target):
            self.cluster.deliver(message)

    def drop(self, position: int) -> None:
        network = self.cluster.network
        if network:
            position %= len(network)
            message = network[position]
            del network[position]
            self.cluster.lose(message)

    def duplicate(self, position: int) -> None:
        network = self.cluster.network
        if network:
            network.append(network[position % len(network)])

    def flow(self, rounds: int) -> None:
        """A good while: everything moves in order."""
        for _ in range(rounds):
            for node in NODES:
                self.turn(node)
                self.sync(node)
            for _ in range(len(self.cluster.network)):
                self.deliver(0)

    # --- what clients and operators ask ----------------------------------------------------------------------------

    def propose(self, node: int) -> None:
        if self._runs(node):
            self._count += 1
            # Long ones fill a message alone, so that the entry behind them may arrive much later.
            self.cluster.propose(node, b"%0*d" % (self._count % 3 * 2 + 1, self._count))

    def read(self, node: int) -> None:
        if self._runs(node):
            self._count += 1
            with contextlib.suppress(ReadDroppedError):
                self.cluster.read(node, b"r%d" % self._count)

    def change(self, node: int, kind: ChangeKind, member: int) -> None:
        if self._runs(node):
            self.cluster.change(node, kind, member)

    def transfer(self, node: int, target: int) -> None:
        if self._runs(node):
            with contextlib.suppress(TransferDroppedError):
                self.cluster[node].transfer_leadership(target)

    def campaign(self, node: int) -> None:
        if self._runs(node):
            self.cluster[node].campaign()

    def compact(self, node: int) -> None:
        if self._runs(node) and self.cluster.servers[node].in_flight is None:
            self.cluster.compact(node)

    def flush(self, node: int) -> None:
        if self._runs(node):
            self.cluster.servers[node].flush()

    # --- what goes wrong -------------------------------------------------------------------------------------------

    def crash(self, node: int, *, synced: bool) -> None:
        if self._runs(node):
            self.cluster.crash(node, synced=synced)

    def restart(self, node: int) -> None:
        if not self._runs(node):
            self.cluster.restart(node)

    def peer_lost(self, node: int, other: int) -> None:
        if self._runs(node):
            self.cluster[node].peer_lost(other)

    def unreachable(self, node: int, other: int) -> None:
        if self._runs(node):
            self.cluster[node].report_unreachable(other)

    def cut(self, group: Sequence[int]) -> None:
        self.cluster.cut(group, [node for node in NODES if node not in group])

    def heal(self) -> None:
        self.cluster.heal()

    def revolt(self, group: Sequence[int]) -> None:
        """A group is cut off from the rest, believes that its leader is gone and tries to elect its first node."""
        self.cut(group)
        for node in group:
            if self._runs(node):
                self.peer_lost(node, self.cluster[node].leader)
        self.campaign(group[0])
        for _ in range(6):
            for node in group:
                self.turn(node)
                self.sync(node)
            for source in group:
                for target in group:
                    self.deliver_link(source, target)

    # --- and comes right again -------------------------------------------------------------------------------------

    def recover(self) -> None:
        """All faults end; within a bounded time there is a leader, and what is proposed is applied everywhere (liveness)."""
        self.heal()
        for node in NODES:
            self.restart(node)
        cluster = self.cluster
        cluster.pass_time(12 * SMALL["election_ticks"])
        leader = cluster.leader()
        assert leader is not None, "no leader after all faults have ended"
        assert cluster.propose(leader, b"end"), "the leader takes no proposal"
        cluster.pass_time(2 * SMALL["election_ticks"])
        members = cluster[leader].membership
        for node in members.voters + members.learners:
            assert cluster.servers[node].applied == cluster[leader].commit, f"node {node} does not catch up"
        assert cluster[leader].commit == cluster[leader].status().last_index


def walk(chaos: Chaos, rng: random.Random, steps: int) -> None:
    """A random walk through all of it. Every walk has weights of its own: some acts are frequent in it, some never happen."""
    acts = _acts(chaos, rng)
    names = list(acts)
    weights = [weight * rng.choice([0, 1, 1, 3]) if weight < 50 else weight for weight, _ in acts.values()]
    for name in rng.choices(names, weights, k=steps):
        acts[name][1]()


def _acts(chaos: Chaos, rng: random.Random) -> dict[str, tuple[int, Callable[[], None]]]:
    return {**_moves(chaos, rng), **_requests(chaos, rng), **_faults(chaos, rng)}


def _moves(chaos: Chaos, rng: random.Random) -> dict[str, tuple[int, Callable[[], None]]]:
    def node() -> int:
        return rng.choice(NODES)

    def anywhere() -> int:
        return rng.randrange(MAX_MESSAGES)

    return {
        "tick": (30, lambda: chaos.tick(node())),
        "turn": (80, lambda: chaos.turn(node())),
        "sync": (60, lambda: chaos.sync(node())),
        "deliver in order": (60, lambda: chaos.deliver(0)),
        "deliver": (60, lambda: chaos.deliver(anywhere())),
        "deliver a link": (30, lambda: chaos.deliver_link(node(), node())),
        "drop": (8, lambda: chaos.drop(anywhere())),
        "duplicate": (8, lambda: chaos.duplicate(anywhere())),
        "flow": (12, lambda: chaos.flow(rng.randint(1, 4))),
        "compact": (4, lambda: chaos.compact(node())),
        "flush": (4, lambda: chaos.flush(node())),
    }


def _requests(chaos: Chaos, rng: random.Random) -> dict[str, tuple[int, Callable[[], None]]]:
    def node() -> int:
        return rng.choice(NODES)

    def leader() -> int:
        return rng.choice(chaos.leaders() or NODES)

    return {
        "propose": (10, lambda: chaos.propose(node())),
        "propose to a leader": (30, lambda: chaos.propose(leader())),
        "read": (8, lambda: chaos.read(node())),
        "read at a leader": (15, lambda: chaos.read(leader())),
        "change": (8, lambda: chaos.change(leader(), rng.choice(list(ChangeKind)), node())),
        "transfer": (3, lambda: chaos.transfer(leader(), node())),
    }


def _faults(chaos: Chaos, rng: random.Random) -> dict[str, tuple[int, Callable[[], None]]]:
    def node() -> int:
        return rng.choice(NODES)

    return {
        "campaign": (4, lambda: chaos.campaign(node())),
        "revolt": (8, lambda: chaos.revolt(rng.sample(NODES, rng.randint(2, 4)))),
        "crash": (4, lambda: chaos.crash(node(), synced=rng.random() < 0.5)),
        "restart": (12, lambda: chaos.restart(node())),
        "peer lost": (3, lambda: chaos.peer_lost(node(), node())),
        "unreachable": (2, lambda: chaos.unreachable(node(), node())),
        "cut": (4, lambda: chaos.cut(rng.sample(NODES, rng.randint(1, 2)))),
        "heal": (8, chaos.heal),
    }
