"""Claims of the Raft paper about the log: replication, commitment, compaction."""

import pytest

from raftkv.raft import ProgressState, Role
from raftkv.raft.messages import Append, AppendReply, Entry, EntryKind, Heartbeat, InstallSnapshot, Membership, Snapshot
from tests.raft.cluster import Cluster, log_of
from tests.raft.test_paper_elections import answers, run, sent


def entry(index: int, term: int, data: bytes = b"x") -> Entry:
    return Entry(index, term, EntryKind.NORMAL, data)


def exchange(cluster: Cluster, source: int, target: int) -> None:
    """What one server has sent arrives at another, which answers."""
    for message in cluster.take(source, target):
        cluster.deliver(message)
    run(cluster, target)
    for message in cluster.take(target, source):
        cluster.deliver(message)


def test_leader_commits_an_entry_of_its_own_first() -> None:
    """Paper 8: a blank no-op entry at the start of the term."""
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    assert log_of(cluster[2]) == [entry(1, 1, b"")]
    assert [cluster[node].commit for node in (1, 2, 3)] == [1, 1, 1]


def test_leader_sends_an_entry_to_everyone_and_commits_it_with_a_majority() -> None:
    """Paper 5.3."""
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    cluster.propose(1, b"x")
    run(cluster, 1)
    assert [(m.target, m.entries) for m in cluster.network if isinstance(m, Append)] == [
        (2, (entry(2, 1),)),
        (3, (entry(2, 1),)),
    ]
    assert cluster[1].commit == 1
    exchange(cluster, 1, 2)
    assert cluster[1].commit == 2


@pytest.mark.parametrize(("size", "needed"), [(1, 0), (3, 1), (4, 2), (5, 2)])
def test_an_entry_is_committed_by_a_majority_only(size: int, needed: int) -> None:
    """Paper 5.3."""
    cluster = Cluster(range(1, size + 1))
    cluster.elect(1)
    cluster.propose(1, b"x")
    run(cluster, 1)
    for follower in range(2, 2 + needed):
        assert cluster[1].commit == 1
        exchange(cluster, 1, follower)
    assert cluster[1].commit == 2


def test_leader_does_not_count_itself_before_its_disk_has_the_entry() -> None:
    """Thesis 10.2.1: the leader writes in parallel with its followers, and counts itself when it is done."""
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    cluster.propose(1, b"x")
    cluster.turn(1)
    assert [m.target for m in sent(cluster, Append)] == [2, 3]
    exchange(cluster, 1, 2)
    assert cluster[1].commit == 1
    cluster.sync(1)
    assert cluster[1].commit == 2


def test_sole_voter_commits_when_its_disk_has_the_entry() -> None:
    """etcd#14370: not before."""
    cluster = Cluster([1])
    cluster.elect(1)
    cluster.propose(1, b"x")
    cluster.turn(1)
    assert cluster[1].commit == 1
    cluster.sync(1)
    assert cluster[1].commit == 2


def test_an_entry_of_an_earlier_term_is_not_committed_by_counting() -> None:
    """Paper 5.4.2, Figure 8."""
    cluster = Cluster([1, 2, 3, 4, 5])
    cluster.elect(1)
    cluster.cut([1, 2], [3, 4, 5])
    cluster.propose(1, b"old")
    cluster.settle()  # 2@1 is on 1 and 2
    cluster.cut([1], [2], [3, 4, 5])
    for node in (2, 3, 4, 5):
        cluster[node].peer_lost(1)
    cluster.heal()
    cluster[2].campaign()
    while cluster[2].status().role != Role.LEADER:
        run(cluster, 2)
        for message in cluster.take(2, 3) + cluster.take(2, 4):
            cluster.deliver(message)
        for node in (3, 4):
            run(cluster, node)
            for message in cluster.take(node, 2):
                cluster.deliver(message)
    run(cluster, 2)
    for follower in (3, 4):
        cluster[2].step(AppendReply(follower, 2, 2, 2))  # a majority has 2@1 now
    assert cluster[2].commit == 1
    for follower in (3, 4):
        cluster[2].step(AppendReply(follower, 2, 2, 3))  # and now 3@2: that commits both
    assert cluster[2].commit == 3


def test_follower_refuses_entries_that_do_not_follow_its_log() -> None:
    """Paper 5.3, the consistency check; with a hint where the logs may agree."""
    cluster = Cluster([1, 2, 3])
    cluster.elect(2)
    assert answers(cluster, 1, Append(2, 1, 1, 5, 1, 0, (entry(6, 1),))) == [AppendReply(1, 2, 1, 5, True, 1, 1)]


def test_follower_replaces_only_what_conflicts() -> None:
    """Paper 5.3 and Figure 2: delete the conflicting entry and all that follow it."""
    cluster = Cluster([1, 2, 3])
    answers(cluster, 1, Append(2, 1, 1, 0, 0, 0, tuple(entry(i, 1) for i in (1, 2, 3))))
    (reply,) = answers(cluster, 1, Append(3, 1, 2, 1, 1, 0, (entry(2, 2, b"y"),)))
    assert reply == AppendReply(1, 3, 2, 2)
    assert log_of(cluster[1]) == [entry(1, 1), entry(2, 2, b"y")]
    assert cluster.servers[1].disk.log.last_index() == 2


def test_old_append_takes_nothing_back() -> None:
    """Paper, Figure 2, step 3: a reordered Append with a prefix of what is there is no conflict."""
    cluster = Cluster([1, 2, 3])
    answers(cluster, 1, Append(2, 1, 1, 0, 0, 0, tuple(entry(i, 1) for i in (1, 2, 3))))
    assert answers(cluster, 1, Append(2, 1, 1, 0, 0, 0, (entry(1, 1),))) == [AppendReply(1, 2, 1, 1)]
    assert len(log_of(cluster[1])) == 3


def test_follower_commits_no_further_than_the_entries_it_was_sent() -> None:
    """Paper, Figure 2, step 5: commitIndex = min(leaderCommit, index of last new entry)."""
    cluster = Cluster([1, 2, 3])
    answers(cluster, 1, Append(2, 1, 1, 0, 0, 0, tuple(entry(i, 1) for i in (1, 2, 3))))
    answers(cluster, 1, Append(3, 1, 2, 1, 1, 3))  # only entry 1 is known to agree
    assert cluster[1].commit == 1


def test_heartbeat_commits_no_further_than_the_follower_is_known_to_match() -> None:
    """copycat#265, etcd#1203: its log may differ behind that."""
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    cluster.cut([1, 2], [3])
    cluster.propose(1, b"x")
    cluster.settle()
    cluster.tick(1)
    run(cluster, 1)
    assert {m.target: m.commit for m in cluster.network if isinstance(m, Heartbeat)} == {2: 2, 3: 1}


def test_acknowledgement_waits_for_the_disk() -> None:
    """Paper, Figure 2: log entries are on stable storage before answering."""
    cluster = Cluster([1, 2, 3])
    cluster[1].step(Append(2, 1, 1, 0, 0, 0, (entry(1, 1),)))
    cluster.turn(1)
    assert not cluster.network
    cluster.sync(1)
    assert list(cluster.network) == [AppendReply(1, 2, 1, 1)]


@pytest.mark.parametrize(
    "terms",
    [
        (1, 1, 1, 4, 4, 5, 5, 6, 6),  # (a) misses one
        (1, 1, 1, 4),  # (b) misses many
        (1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6),  # (c) has one too many
        (1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7),  # (d) has two of a later term
        (1, 1, 1, 4, 4, 4, 4),  # (e)
        (1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3),  # (f)
    ],
)
def test_leader_makes_a_diverged_log_equal_to_its_own(terms: tuple[int, ...]) -> None:
    """Paper 5.3, Figure 7."""
    cluster = Cluster([1, 2, 3])
    leader_terms = (1, 1, 1, 4, 4, 5, 5, 6, 6, 6)
    for node, log in ((1, leader_terms), (2, terms), (3, leader_terms)):
        disk = cluster.servers[node].disk
        disk.log.append([entry(index, term, b"t%d" % term) for index, term in enumerate(log, 1)])
        disk.hard_state = disk.hard_state._replace(term=7)
        cluster.restart(node)
    cluster[1].campaign()
    cluster.settle()
    assert cluster.leader() == 1
    assert log_of(cluster[2]) == log_of(cluster[1])


def test_hints_skip_whole_terms() -> None:
    """Paper 5.3, the optimisation at its end: one refusal per conflicting term, not one per entry."""
    cluster = Cluster([1, 2])
    for node, terms in ((1, [1] * 5 + [3] * 200), (2, [1] * 5 + [2] * 200)):
        disk = cluster.servers[node].disk
        disk.log.append([entry(index, term) for index, term in enumerate(terms, 1)])
        disk.hard_state = disk.hard_state._replace(term=3)
        cluster.restart(node)
    refusals: list[str] = []
    cluster.observers.append(lambda line: refusals.append(line) if "reject" in line else None)
    cluster.elect(1)
    assert log_of(cluster[2]) == log_of(cluster[1])
    assert len(refusals) <= 2


# --- the window ----------------------------------------------------------------------------------------------------


def test_leader_sends_ahead_of_the_answers_as_far_as_the_window_goes() -> None:
    cluster = Cluster([1, 2], max_inflight_messages=3)
    cluster.elect(1)
    for _ in range(5):
        cluster.propose(1, b"x")
        cluster.turn(1)
        cluster.sync(1)
    assert [m.entries[0].index for m in cluster.network if isinstance(m, Append)] == [2, 3, 4]
    first = cluster.network.popleft()
    cluster.deliver(first)
    exchange(cluster, 1, 2)
    run(cluster, 1)
    assert next(m.entries for m in cluster.network if isinstance(m, Append)) == (entry(5, 1), entry(6, 1))


def test_window_is_bounded_in_bytes_and_messages_are_cut() -> None:
    cluster = Cluster([1, 2], max_append_bytes=10, max_inflight_bytes=20)
    cluster.elect(1)
    cluster.propose(1, *[b"12345"] * 8)
    cluster.turn(1)
    assert [len(m.entries) for m in cluster.network if isinstance(m, Append)] == [2, 2]
    cluster.settle()
    assert cluster[2].commit == 9


def test_entry_above_the_limit_travels_alone() -> None:
    cluster = Cluster([1, 2], max_append_bytes=10)
    cluster.elect(1)
    cluster.propose(1, b"1", b"x" * 100, b"2")
    cluster.turn(1)
    assert [len(m.entries) for m in cluster.network if isinstance(m, Append)] == [1, 1, 1]


def test_lost_appends_are_found_out_with_the_next_heartbeat() -> None:
    cluster = Cluster([1, 2])
    cluster.elect(1)
    cluster.propose(1, b"lost")
    run(cluster, 1)
    cluster.network.clear()
    cluster.settle()
    assert cluster[2].status().last_index == 1
    cluster.pass_time(1)
    assert cluster.data(2) == [b"lost"]


def test_probing_leader_waits_for_an_answer() -> None:
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    cluster[1].report_unreachable(2)
    for data in (b"a", b"b", b"c"):
        cluster.propose(1, data)
        cluster.turn(1)
        cluster.sync(1)
    assert len([m for m in sent(cluster, Append) if m.target == 2]) == 1
    assert cluster[1].status().peers[2].state == ProgressState.PROBE


def test_commit_index_reaches_followers_at_once() -> None:
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    cluster.propose(1, b"x")
    cluster.settle()
    assert [cluster.servers[node].applied for node in (1, 2, 3)] == [2, 2, 2]


def test_a_commit_notice_is_answered_only_by_a_refusal() -> None:
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    cluster.propose(1, b"x")
    cluster.settle()
    assert answers(cluster, 2, Append(1, 2, 1, 2, 1, 2, quiet=True)) == []
    (refusal,) = answers(cluster, 2, Append(1, 2, 1, 9, 1, 2, quiet=True))
    assert isinstance(refusal, AppendReply)
    assert refusal.reject


# --- compaction and snapshots --------------------------------------------------------------------------------------


def fall_behind(cluster: Cluster, node: int) -> None:
    """The node misses entries that are compacted everywhere else."""
    others = [other for other in cluster.servers if other != node]
    cluster.cut([node], others)
    leader = cluster.leader()
    assert leader is not None
    for _ in range(3):
        cluster.propose(leader, b"a", b"b")
        cluster.settle()
    for other in others:
        cluster.compact(other)
    cluster.heal()


def test_follower_behind_the_log_start_gets_a_snapshot() -> None:
    """Paper 7."""
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    fall_behind(cluster, 3)
    cluster.pass_time(2)
    assert cluster[3].status().start_index == 7
    assert cluster.servers[3].applied == 7
    cluster.propose(1, b"after")
    cluster.settle()
    assert cluster.data(3) == [b"after"]
    assert cluster[1].status().peers[3].state == ProgressState.REPLICATE


def test_no_snapshot_goes_to_a_silent_follower() -> None:
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    fall_behind(cluster, 3)
    cluster.crash(3)
    cluster[1].report_unreachable(3)
    cluster.pass_time(12)
    cluster[1].report_unreachable(3)
    cluster.pass_time(12)
    assert cluster[1].status().peers[3].state == ProgressState.PROBE
    cluster.restart(3)
    cluster.pass_time(3)
    assert cluster.servers[3].applied == 7


def test_failed_snapshot_is_sent_again() -> None:
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    fall_behind(cluster, 3)
    while not sent(cluster, InstallSnapshot):
        for message in list(cluster.network):
            cluster.network.remove(message)
            cluster.deliver(message)
        for node in (1, 3):
            run(cluster, node)
        cluster.tick(1)
        run(cluster, 1)
    (install,) = sent(cluster, InstallSnapshot)
    cluster.network.remove(install)
    cluster.lose(install)
    assert cluster[1].status().peers[3].state == ProgressState.PROBE
    cluster.pass_time(3)
    assert cluster.servers[3].applied == 7


def test_nothing_is_sent_while_a_snapshot_is_on_its_way() -> None:
    """R35: no second snapshot, no entries."""
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    fall_behind(cluster, 3)
    cluster[1].step(AppendReply(3, 1, 1, 1))
    cluster[1].report_unreachable(3)
    run(cluster, 1)
    assert cluster[1].status().peers[3].state == ProgressState.SNAPSHOT
    cluster.network.clear()
    cluster.propose(1, b"x")
    run(cluster, 1)
    assert [m.target for m in cluster.network] == [2]


def test_follower_that_acknowledges_its_snapshot_needs_no_report() -> None:
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    fall_behind(cluster, 3)
    cluster[1].step(AppendReply(3, 1, 1, 1))
    cluster[1].report_unreachable(3)
    run(cluster, 1)
    cluster.network.clear()
    cluster[1].step(AppendReply(3, 1, 1, 7))
    assert cluster[1].status().peers[3].state == ProgressState.REPLICATE


def test_older_snapshot_is_not_installed() -> None:
    """hashicorp#248: the state never goes back."""
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    cluster.propose(1, b"a", b"b")
    cluster.settle()
    old = InstallSnapshot(1, 2, 1, Snapshot(2, 1, Membership((1, 2, 3))))
    assert answers(cluster, 2, old) == [AppendReply(2, 1, 1, 3)]
    assert cluster[2].status().start_index == 0


def test_snapshot_older_than_the_log_start_is_not_installed() -> None:
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    cluster.propose(1, b"a", b"b")
    cluster.settle()
    cluster.compact(2)
    old = InstallSnapshot(1, 2, 1, Snapshot(2, 1, Membership((1, 2, 3))))
    assert answers(cluster, 2, old) == [AppendReply(2, 1, 1, 3)]
    assert cluster[2].status().start_index == 3


def test_snapshot_of_entries_that_are_there_is_not_installed() -> None:
    """Paper 7: a snapshot that describes a prefix of the log; here its entries are cheaper to apply than a state to swap."""
    cluster = Cluster([1, 2, 3])
    answers(cluster, 1, Append(2, 1, 1, 0, 0, 0, tuple(entry(i, 1) for i in (1, 2, 3))))
    cluster[1].step(InstallSnapshot(2, 1, 1, Snapshot(2, 1, Membership((1, 2, 3)))))
    run(cluster, 1)
    status = cluster[1].status()
    assert (status.start_index, status.commit_index, status.last_index) == (0, 2, 3)


def test_snapshot_replaces_a_log_that_conflicts_with_it() -> None:
    """Paper 7 and openraft#559: the entire log is discarded, and stays so after a crash."""
    cluster = Cluster([1, 2, 3])
    answers(cluster, 1, Append(2, 1, 1, 0, 0, 0, tuple(entry(i, 1) for i in (1, 2, 3))))
    cluster[1].step(InstallSnapshot(3, 1, 2, Snapshot(2, 2, Membership((1, 2, 3)))))
    run(cluster, 1)
    for _ in range(2):
        status = cluster[1].status()
        assert (status.start_index, status.last_index, status.commit_index, cluster[1].term_at(2)) == (2, 2, 2, 2)
        cluster.crash(1)
        cluster.restart(1)


def test_snapshot_is_acknowledged_when_it_is_on_disk() -> None:
    """etcd#5690."""
    cluster = Cluster([1, 2, 3])
    cluster[1].step(InstallSnapshot(2, 1, 1, Snapshot(5, 1, Membership((1, 2, 3)))))
    cluster.turn(1)
    assert not cluster.network
    assert cluster[1].ready().persist is None
    cluster.sync(1)
    assert list(cluster.network) == [AppendReply(1, 2, 1, 5)]


def test_entries_behind_a_snapshot_are_applied_after_it() -> None:
    cluster = Cluster([1, 2, 3])
    cluster[1].step(InstallSnapshot(2, 1, 1, Snapshot(5, 1, Membership((1, 2, 3)))))
    cluster[1].step(Append(2, 1, 1, 5, 1, 6, (entry(6, 1),)))
    cluster.turn(1)
    assert cluster.servers[1].applied == 0
    cluster.sync(1)
    cluster.turn(1)
    assert cluster.servers[1].applied == 6


def test_server_that_waits_for_its_snapshot_to_reach_the_disk_does_not_stand() -> None:
    cluster = Cluster([1, 2, 3])
    cluster[1].step(InstallSnapshot(2, 1, 1, Snapshot(5, 1, Membership((1, 2, 3)))))
    cluster[1].campaign()
    assert cluster[1].status().role == Role.FOLLOWER
    run(cluster, 1)
    cluster[1].campaign()
    assert cluster[1].status().role == Role.PRE_CANDIDATE
