"""What a driver may rely on: the order of disk, network and state machine, and every limit."""

import random

import pytest

from raftkv.errors import ConfigError, ProposalDroppedError
from raftkv.raft import Config, MemoryLog, ProgressState, Raft, Role
from raftkv.raft.messages import Append, EntryKind, HardState, Heartbeat, Membership, Propose, Vote, VoteReply
from tests.raft.cluster import Cluster, log_of
from tests.raft.test_paper_elections import run, sent

NORMAL = EntryKind.NORMAL


def leading(*voters: int) -> Cluster:
    cluster = Cluster(voters)
    cluster.elect(1)
    return cluster


def test_quiet_node_has_nothing_ready() -> None:
    cluster = leading(1, 2, 3)
    assert [cluster[node].has_ready() for node in (1, 2, 3)] == [False] * 3


def test_proposals_of_one_turn_make_one_append_per_follower_and_one_persist() -> None:
    cluster = leading(1, 2, 3)
    for number in range(20):
        cluster.propose(1, b"%d" % number)
    ready = cluster[1].ready()
    assert [(m.target, len(m.entries)) for m in ready.messages if isinstance(m, Append)] == [(2, 20), (3, 20)]
    assert ready.persist is not None
    assert len(ready.persist.entries) == 20
    assert ready.persist.must_sync


def test_followers_that_are_equally_far_get_the_same_entries_object() -> None:
    cluster = leading(1, 2, 3)
    cluster.propose(1, b"x")
    first, second = (m.entries for m in cluster[1].ready().messages if isinstance(m, Append))
    assert first is second


def test_one_persist_at_a_time_and_messages_wait_for_the_right_one() -> None:
    cluster = Cluster([1, 2, 3])
    cluster[1].step(Vote(2, 1, 1, 0, 0))
    first = cluster[1].ready().persist
    assert first is not None
    assert first.messages == [VoteReply(1, 2, 1, granted=True)]
    cluster[1].step(Append(3, 1, 2, 0, 0, 0))
    assert cluster[1].ready().persist is None
    cluster[1].persisted(first)
    second = cluster[1].ready().persist
    assert second is not None
    assert second.hard_state == HardState(2, 0, 0)
    assert [m.term for m in second.messages] == [2]


def test_only_the_persist_in_flight_can_become_durable() -> None:
    cluster = leading(1)
    cluster.propose(1, b"x")
    persist = cluster[1].ready().persist
    assert persist is not None
    cluster[1].persisted(persist)
    with pytest.raises(AssertionError):
        cluster[1].persisted(persist)


def test_leader_of_a_term_that_is_not_on_disk_sends_nothing() -> None:
    cluster = Cluster([1], learners=[2])
    cluster[1].campaign()
    assert cluster[1].status().role == Role.LEADER
    cluster.turn(1)
    assert not cluster.network
    cluster.sync(1)
    assert sent(cluster, Append)


def test_commit_index_alone_is_persisted_once_a_tick_and_not_synced() -> None:
    cluster = leading(1)
    assert cluster.servers[1].disk.hard_state.commit == 0
    assert not cluster[1].has_ready()
    cluster[1].tick()
    persist = cluster[1].ready().persist
    assert persist is not None
    assert (persist.must_sync, persist.hard_state, persist.entries) == (False, HardState(1, 1, 1), [])
    cluster[1].persisted(persist)
    cluster[1].tick()
    assert not cluster[1].has_ready()


def test_entries_to_apply_come_in_portions_each_after_the_one_before() -> None:
    cluster = Cluster([1], max_committed_bytes=10)
    cluster.elect(1)
    cluster.propose(1, *[b"12345"] * 5)
    cluster.turn(1)
    cluster.sync(1)
    portions = []
    while cluster[1].has_ready():
        committed = cluster[1].ready().committed
        assert not cluster[1].ready().committed, "nothing more before these are applied"
        portions.append(len(committed))
        cluster[1].applied_to(committed[-1].index)
    assert portions == [2, 2, 1]


def test_entry_is_not_applied_before_it_is_on_the_own_disk() -> None:
    cluster = leading(1, 2, 3)
    cluster.servers[1].disk_held = True
    cluster.propose(1, b"x")
    cluster.settle()
    assert (cluster[1].commit, cluster.servers[1].applied, cluster.servers[2].applied) == (2, 1, 2)


def test_soft_state_tells_role_term_and_leader() -> None:
    cluster = leading(1, 2, 3)
    assert tuple(cluster[1].ready().soft_state) == (Role.LEADER, 1, 1)
    assert tuple(cluster[2].ready().soft_state) == (Role.FOLLOWER, 1, 1)
    cluster[2].step(Vote(3, 2, 2, 9, 9, transfer=True))
    assert cluster[2].has_ready()
    assert tuple(cluster[2].ready().soft_state) == (Role.FOLLOWER, 2, 0)


def test_restart_applies_again_what_the_state_on_disk_lacks() -> None:
    cluster = leading(1, 2, 3)
    cluster.propose(1, b"a", b"b")
    cluster.settle()
    cluster.pass_time(1)
    cluster.crash(2)
    cluster.restart(2)
    run(cluster, 2)
    assert cluster.servers[2].applied == 3


def test_propose_returns_the_term_that_the_proposals_are_bound_to() -> None:
    cluster = leading(1, 2, 3)
    for node in (1, 2):
        assert cluster[node].propose([(NORMAL, b"x")]) == 1
    run(cluster, 2)
    assert sent(cluster, Propose) == [Propose(2, 1, 1, ((NORMAL, b"x"),))]


def test_forwarded_proposals_are_taken_in_their_own_term_only() -> None:
    cluster = leading(1, 2, 3)
    cluster.elect(2)
    cluster.elect(1)
    before = len(log_of(cluster[1]))
    for term in (1, 2):
        cluster[1].step(Propose(3, 1, term, ((NORMAL, b"x"),)))
    assert len(log_of(cluster[1])) == before
    cluster[1].step(Propose(3, 1, 3, ((NORMAL, b"x"),)))
    assert len(log_of(cluster[1])) == before + 1


def test_proposals_without_a_leader_are_dropped() -> None:
    cluster = Cluster([1, 2, 3])
    for _ in range(2):
        with pytest.raises(ProposalDroppedError):
            cluster[1].propose([(NORMAL, b"x")])
        cluster[1].campaign()


def test_uncommitted_proposals_are_bounded_and_the_bound_is_freed_by_commits() -> None:
    cluster = Cluster([1, 2, 3], max_uncommitted_bytes=10)
    cluster.elect(1)
    assert cluster.propose(1, b"x" * 50), "a large one is taken when it is alone"
    assert not cluster.propose(1, b"y")
    cluster[1].step(Propose(2, 1, 1, ((NORMAL, b"y"),)))
    cluster.settle()
    assert cluster.data(1) == [b"x" * 50]
    for _ in range(3):
        assert cluster.propose(1, b"12345", b"12345")
        cluster.settle()


def test_no_proposals_change_nothing() -> None:
    cluster = leading(1)
    cluster[1].propose([])
    assert not cluster[1].status().last_index > 1


def test_messages_that_wait_for_a_slow_disk_are_bounded() -> None:
    cluster = Cluster([1, 2, 3])
    cluster[1].step(Append(2, 1, 1, 0, 0, 0))
    cluster.turn(1)
    for _ in range(100):
        cluster[1].step(Append(2, 1, 1, 0, 0, 0))
    for _ in range(5000):
        cluster[1].step(Heartbeat(2, 1, 1, 0))
    cluster.sync(1)
    assert len(cluster.network) == 1
    assert len(cluster[1].ready().messages) <= 4096


def test_old_entries_leave_the_memory_and_are_read_from_the_disk_again() -> None:
    cluster = Cluster([1, 2, 3], max_cached_entries=4)
    cluster.elect(1)
    cluster.cut([1, 2], [3])
    for number in range(40):
        cluster.propose(1, b"%d" % number)
        cluster.settle()
    assert len(cluster[1]._log._cache) <= 9
    cluster.heal()
    cluster.pass_time(2)
    assert cluster.servers[3].applied == 41


def test_large_entries_leave_the_memory_sooner() -> None:
    cluster = Cluster([1], max_cached_bytes=100)
    cluster.elect(1)
    for _ in range(20):
        cluster.propose(1, b"x" * 50)
        cluster.settle()
    assert len(cluster[1]._log._cache) <= 5


def test_compaction_ahead_of_the_state_stops_at_what_is_applied() -> None:
    cluster = leading(1)
    cluster.propose(1, b"x")
    cluster[1].compact(99)
    assert cluster[1].status().start_index == 1


def test_status_shows_the_followers() -> None:
    cluster = leading(1, 2, 3)
    peer = cluster[1].status().peers[2]
    assert (peer.match_index, peer.next_index, peer.state, peer.active, peer.inflight_messages) == (
        1,
        2,
        ProgressState.REPLICATE,
        True,
        0,
    )
    assert cluster[2].status().peers == {}


def test_reports_to_a_follower_change_nothing() -> None:
    cluster = leading(1, 2, 3)
    cluster[2].report_unreachable(3)
    cluster[2].report_snapshot(3, ok=True)
    cluster[1].report_snapshot(3, ok=True)
    cluster[1].report_unreachable(9)
    assert not cluster[2].has_ready()


@pytest.mark.parametrize(
    "wrong",
    [{"node_id": 0}, {"heartbeat_ticks": 0}, {"election_ticks": 1}, {"max_append_bytes": 0}, {"max_pending_reads": -1}],
)
def test_senseless_settings_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        Config(**{"node_id": 1, **wrong})  # type: ignore[arg-type] # all options given here are integers


def test_equal_seeds_behave_alike() -> None:
    def standing(seed: int) -> list[int]:
        raft = Raft(
            Config(node_id=1),
            MemoryLog(),
            random.Random(seed),
            hard_state=HardState(),
            membership=Membership((1, 2)),
            applied=0,
        )
        ticks = []
        for tick in range(100):
            raft.tick()
            if raft.ready().messages:
                ticks.append(tick)
        return ticks

    assert standing(7) == standing(7)
    assert standing(7) != standing(8)
