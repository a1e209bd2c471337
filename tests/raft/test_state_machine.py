"""Hypothesis looks for a sequence of events that breaks an invariant, and shrinks what it finds (see test_chaos.py for long walks)."""

from collections.abc import Sequence

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from raftkv.raft.messages import ChangeKind
from tests.raft.chaos import NODES, Chaos

nodes = st.sampled_from(NODES)
groups = st.lists(nodes, min_size=1, max_size=4, unique=True)
positions = st.integers(0, 30)
counts = st.integers(1, 5)


class RaftCluster(RuleBasedStateMachine):
    """Each rule is one event; the invariants are checked inside the cluster after each."""

    chaos: Chaos

    @initialize(
        voters=groups, learners=groups, seed=st.integers(0, 1000), variant=st.sampled_from(["", "pre_vote", "check_quorum"])
    )
    def start(self, voters: Sequence[int], learners: Sequence[int], seed: int, variant: str) -> None:
        learners = [node for node in learners if node not in voters]
        self.chaos = Chaos(voters, learners=learners, seed=seed, **({variant: False} if variant else {}))
        self.chaos.campaign(voters[0])
        self.chaos.flow(4)

    @rule(node=nodes, count=counts)
    def tick(self, node: int, count: int) -> None:
        self.chaos.tick(node, count)

    @rule(node=nodes)
    def turn(self, node: int) -> None:
        self.chaos.turn(node)

    @rule(node=nodes)
    def turn_and_sync(self, node: int) -> None:
        self.chaos.turn(node)
        self.chaos.sync(node)

    @rule(position=positions, times=counts)
    def deliver(self, position: int, times: int) -> None:
        for _ in range(times):
            self.chaos.deliver(position)

    @rule(source=nodes, other=nodes)
    def deliver_link(self, source: int, other: int) -> None:
        self.chaos.deliver_link(source, other)

    @rule(position=positions)
    def drop(self, position: int) -> None:
        self.chaos.drop(position)

    @rule(position=positions)
    def duplicate(self, position: int) -> None:
        self.chaos.duplicate(position)

    @rule(rounds=counts)
    def flow(self, rounds: int) -> None:
        self.chaos.flow(rounds)

    @rule(node=nodes)
    def propose(self, node: int) -> None:
        self.chaos.propose(node)

    @rule(node=nodes)
    def read(self, node: int) -> None:
        self.chaos.read(node)

    @rule(node=nodes, kind=st.sampled_from(ChangeKind), member=nodes)
    def change(self, node: int, kind: ChangeKind, member: int) -> None:
        self.chaos.change(node, kind, member)

    @rule(node=nodes, other=nodes)
    def transfer(self, node: int, other: int) -> None:
        self.chaos.transfer(node, other)

    @rule(node=nodes)
    def campaign(self, node: int) -> None:
        self.chaos.campaign(node)

    @rule(node=nodes)
    def compact(self, node: int) -> None:
        self.chaos.compact(node)

    @rule(node=nodes, synced=st.booleans(), flushed=st.booleans())
    def crash_and_restart(self, node: int, synced: bool, flushed: bool) -> None:  # noqa: FBT001 (hypothesis calls it by name)
        if flushed:
            self.chaos.flush(node)
        self.chaos.crash(node, synced=synced)
        self.chaos.restart(node)

    @rule(node=nodes)
    def crash(self, node: int) -> None:
        self.chaos.crash(node, synced=False)

    @rule(node=nodes)
    def restart(self, node: int) -> None:
        self.chaos.restart(node)

    @rule(node=nodes, other=nodes)
    def peer_lost(self, node: int, other: int) -> None:
        self.chaos.peer_lost(node, other)

    @rule(group=groups)
    def cut(self, group: Sequence[int]) -> None:
        self.chaos.cut(group)

    @rule(group=groups)
    def revolt(self, group: Sequence[int]) -> None:
        self.chaos.revolt(group)

    @rule()
    def heal(self) -> None:
        self.chaos.heal()

    @rule()
    def recover(self) -> None:
        self.chaos.recover()

    def teardown(self) -> None:
        if hasattr(self, "chaos"):
            self.chaos.recover()


RaftCluster.TestCase.settings = settings(
    max_examples=120,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestRaftCluster = RaftCluster.TestCase
