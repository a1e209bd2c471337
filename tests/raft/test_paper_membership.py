"""Claims of the Raft thesis, chapter 4, about membership; one change at a time."""

import pytest

from raftkv.errors import ProposalDroppedError
from raftkv.raft import Role, encode_change
from raftkv.raft.messages import (
    Append,
    AppendReply,
    ChangeKind,
    Entry,
    EntryKind,
    InstallSnapshot,
    Membership,
    MembershipChange,
    Propose,
    Vote,
    VoteReply,
)
from tests.raft.cluster import Cluster, log_of
from tests.raft.test_paper_elections import answers, run, sent
from tests.raft.test_paper_replication import exchange

ADD_VOTER, ADD_LEARNER, REMOVE = ChangeKind
ELECTION_TICKS = 10


def test_a_change_takes_effect_when_it_is_appended() -> None:
    """Thesis 4.1: a server always uses the latest configuration in its log, committed or not."""
    cluster = Cluster([1, 2, 3])
    cluster.boot(4)
    cluster.elect(1)
    assert cluster.change(1, ADD_VOTER, 4)
    assert cluster[1].membership.voters == (1, 2, 3, 4)
    run(cluster, 1)
    exchange(cluster, 1, 2)
    assert cluster[2].membership.voters == (1, 2, 3, 4)
    assert cluster[1].commit == 1  # needs three of four now


def test_a_change_is_undone_when_its_entry_is_replaced() -> None:
    """Thesis 4.1: a server must be prepared to fall back to the previous configuration."""
    cluster = Cluster([1, 2, 3])
    cluster.boot(4)
    cluster.elect(1)
    cluster.cut([1], [2, 3, 4])
    cluster.change(1, ADD_VOTER, 4)
    cluster.settle()
    cluster.elect(2)
    cluster.heal()
    cluster.pass_time(2)
    assert [cluster[node].membership.voters for node in (1, 2, 3)] == [(1, 2, 3)] * 3


def test_an_uncommitted_change_is_read_from_the_log_at_the_start() -> None:
    """Thesis 4.1."""
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    cluster.cut([1], [2, 3])
    cluster.change(1, REMOVE, 3)
    cluster.settle()
    cluster.crash(1)
    cluster.restart(1)
    assert cluster[1].membership.voters == (1, 2)


def test_no_second_change_before_the_first_is_committed() -> None:
    """Thesis 4.1."""
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    assert cluster.change(1, REMOVE, 3)
    assert not cluster.change(1, REMOVE, 2)
    cluster.settle()
    assert cluster.change(1, REMOVE, 2)


def test_two_changes_do_not_travel_together() -> None:
    """Thesis 4.1."""
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    changes = [(EntryKind.MEMBERSHIP, encode_change(MembershipChange(REMOVE, node))) for node in (2, 3)]
    with pytest.raises(ProposalDroppedError):
        cluster[1].propose(changes)


def test_no_change_before_the_leader_has_committed_in_its_term() -> None:
    """raft-dev, July 2015: two leaders could otherwise commit changes that do not know of each other."""
    cluster = Cluster([1, 2, 3, 4])
    cluster[1].campaign()
    cluster[1].step(VoteReply(2, 1, 1, granted=True, pre_vote=True))
    cluster[1].step(VoteReply(3, 1, 1, granted=True, pre_vote=True))
    run(cluster, 1)
    cluster[1].step(VoteReply(2, 1, 1, granted=True))
    cluster[1].step(VoteReply(3, 1, 1, granted=True))
    assert cluster[1].status().role == Role.LEADER
    assert not cluster.change(1, REMOVE, 4)
    cluster.network.clear()
    cluster.pass_time(1)
    assert cluster.change(1, REMOVE, 4)


def test_pending_change_of_an_earlier_leader_blocks_another() -> None:
    """Thesis 4.1: pending is what the log has and the commit index does not cover, whoever appended it."""
    cluster = Cluster([1, 2, 3])
    disk = cluster.servers[1].disk
    data = encode_change(MembershipChange(REMOVE, 3))
    disk.log.append([Entry(1, 1, EntryKind.MEMBERSHIP, data)])
    disk.hard_state = disk.hard_state._replace(term=1)
    cluster.restart(1)
    assert cluster[1].membership.voters == (1, 2)
    assert cluster[1].status().pending_membership
    cluster.elect(1)
    assert not cluster[1].status().pending_membership


@pytest.mark.parametrize(("kind", "node"), [(REMOVE, 1), (ADD_LEARNER, 1)], ids=["last voter removed", "voter demoted"])
def test_senseless_changes_are_refused(kind: ChangeKind, node: int) -> None:
    cluster = Cluster([1])
    cluster.elect(1)
    assert not cluster.change(1, kind, node)


def test_malformed_change_is_refused() -> None:
    cluster = Cluster([1])
    cluster.elect(1)
    for data in (b"", b"\x10", b"\xff", b"\x08\x09\x10\x02", b"\x1a\x05a"):
        with pytest.raises(ProposalDroppedError):
            cluster[1].propose([(EntryKind.MEMBERSHIP, data)])


def test_new_server_gets_a_snapshot_for_the_beginning_that_is_in_no_log() -> None:
    """The first members are not in the log, so the log alone does not tell who takes part."""
    cluster = Cluster([1, 2, 3])
    cluster.boot(4)
    cluster.elect(1)
    cluster.change(1, ADD_LEARNER, 4)
    cluster.pass_time(3)
    assert cluster[4].membership == Membership((1, 2, 3), (4,))
    assert cluster[4].status().start_index > 0
    assert cluster.servers[4].applied == cluster[1].commit


def test_learner_gets_the_log_and_counts_for_nothing() -> None:
    """Thesis 4.2.1: non-voting members are not counted for commitment or votes."""
    cluster = Cluster([1, 2, 3], learners=[4, 5])
    cluster.elect(1)
    cluster.propose(1, b"x")
    cluster.settle()
    assert cluster.data(4) == [b"x"]
    cluster.cut([1, 4, 5], [2, 3])
    cluster.propose(1, b"y")
    cluster.settle()
    assert cluster.data(4) == [b"x", b"y"]
    assert cluster[1].commit == 2


def test_learner_becomes_a_voter() -> None:
    """Thesis 4.2.1."""
    cluster = Cluster([1, 2], learners=[3])
    cluster.elect(1)
    assert cluster.change(1, ADD_VOTER, 3)
    cluster.settle()
    assert cluster[3].membership == Membership((1, 2, 3))
    cluster.crash(2)
    assert cluster.propose(1, b"x")
    cluster.settle()
    assert cluster[1].commit == 3


def test_learner_gives_its_vote_when_asked() -> None:
    """Thesis 4.2.2: it may be a voter already, and not know it yet."""
    cluster = Cluster([1, 2], learners=[3])
    assert answers(cluster, 3, Vote(1, 3, 1, 0, 0)) == [VoteReply(3, 1, 1, granted=True)]


def test_server_takes_entries_and_candidates_that_are_not_in_its_membership() -> None:
    """Thesis 4.1: the receiver does not look the sender up in its configuration."""
    cluster = Cluster([1, 2, 3])
    assert answers(cluster, 1, Vote(9, 1, 1, 0, 0)) == [VoteReply(1, 9, 1, granted=True)]
    (reply,) = answers(cluster, 1, Append(9, 1, 1, 0, 0, 0, (Entry(1, 1, EntryKind.NORMAL, b""),)))
    assert isinstance(reply, AppendReply)
    assert not reply.reject


def test_removed_leader_replicates_without_counting_itself_and_then_steps_down() -> None:
    """Thesis 4.2.2."""
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    cluster.change(1, REMOVE, 1)
    run(cluster, 1)
    exchange(cluster, 1, 2)
    assert (cluster[1].commit, cluster[1].status().role) == (1, Role.LEADER)
    exchange(cluster, 1, 3)
    assert (cluster[1].commit, cluster[1].status().role) == (2, Role.FOLLOWER)
    cluster.settle()
    assert cluster.leader() in {2, 3}
    assert cluster[2].membership.voters == (2, 3)


def test_removed_leader_hands_over_at_once() -> None:
    """Thesis 4.2.2: it may transfer leadership, instead of letting an election timeout pass."""
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    cluster.change(1, REMOVE, 1)
    cluster.settle()  # no tick
    assert cluster.leader() in {2, 3}


def test_leader_that_is_being_removed_takes_no_proposals() -> None:
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    cluster.change(1, REMOVE, 1)
    assert not cluster.propose(1, b"x")


def test_server_whose_removal_is_not_committed_still_stands() -> None:
    """Thesis 4.2.2: it may be the only one that can be elected: here 2 lacks the entry, and 1 alone has it."""
    cluster = Cluster([1, 2])
    cluster.elect(1)
    cluster.change(1, REMOVE, 1)
    run(cluster, 1)
    cluster.crash(1)
    cluster.network.clear()
    cluster.restart(1)
    cluster.pass_time(6 * ELECTION_TICKS)
    assert cluster.leader() == 2
    assert cluster[2].membership.voters == (2,)


def test_removed_server_learns_of_its_removal_and_is_quiet() -> None:
    """Thesis 4.2.3: removed servers that do not know it disturb the rest."""
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    cluster.change(1, REMOVE, 3)
    cluster.settle()
    assert cluster.servers[3].membership.voters == (1, 2)
    assert 3 not in cluster[1].status().peers
    cluster.pass_time(5 * ELECTION_TICKS)
    assert (cluster[3].status().role, cluster[3].term, cluster.leader()) == (Role.FOLLOWER, 1, 1)


def test_removed_server_that_does_not_know_it_does_not_disturb() -> None:
    """Thesis 4.2.3."""
    cluster = Cluster([1, 2, 3, 4])
    cluster.elect(1)
    cluster.cut([4], [1, 2, 3])
    cluster.change(1, REMOVE, 4)
    cluster.pass_time(3 * ELECTION_TICKS)
    cluster.heal()
    cluster.pass_time(5 * ELECTION_TICKS)
    assert (cluster.leader(), cluster[1].term) == (1, 1)
    assert 4 not in cluster[1].status().peers


def test_removed_server_comes_back() -> None:
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    cluster.change(1, REMOVE, 3)
    cluster.settle()
    assert cluster.change(1, ADD_VOTER, 3)
    cluster.propose(1, b"x")
    cluster.settle()
    assert cluster.data(3) == [b"x"]
    assert cluster[3].membership.voters == (1, 2, 3)


def test_new_voter_has_an_election_timeout_to_be_heard_from() -> None:
    """A leader does not step down because the member it has just added has said nothing yet."""
    cluster = Cluster([1])
    cluster.elect(1)
    cluster.tick(1, ELECTION_TICKS - 1)
    cluster.change(1, ADD_VOTER, 2)
    cluster.tick(1)
    assert cluster[1].status().role == Role.LEADER


def test_leader_with_fewer_voters_commits_what_waited() -> None:
    """Thesis 4.1: the new majority decides as soon as the change is in the log."""
    cluster = Cluster([1, 2])
    cluster.elect(1)
    cluster.crash(2)
    cluster.propose(1, b"x")
    cluster.settle()
    assert cluster[1].commit == 1
    cluster.change(1, REMOVE, 2)
    cluster.settle()
    assert cluster[1].commit == 3


def test_no_change_while_leadership_is_handed_over() -> None:
    """Thesis 3.10: the target cannot be removed under way."""
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    cluster.cut([1, 3], [2])
    cluster[1].transfer_leadership(2)
    assert not cluster.change(1, REMOVE, 2)


def test_snapshot_carries_the_membership_of_its_index() -> None:
    """Paper 7: the snapshot includes the latest configuration as of its last index."""
    cluster = Cluster([1, 2, 3, 4])
    cluster.elect(1)
    cluster.cut([4], [1, 2, 3])
    cluster.change(1, REMOVE, 3)
    cluster.settle()
    cluster.compact(1)
    cluster.cut([4, 1], [2, 3])
    cluster.change(1, ADD_LEARNER, 7)  # not committed
    snapshots: list[InstallSnapshot] = []
    for _ in range(4):
        cluster.tick(1)
        for node in (1, 4):
            run(cluster, node)
        snapshots += [m for m in sent(cluster, InstallSnapshot) if isinstance(m, InstallSnapshot)]
        for message in cluster.take(1, 4) + cluster.take(4, 1):
            cluster.deliver(message)
    assert snapshots[0].snapshot.membership == Membership((1, 2, 4))
    assert cluster[1].snapshot_at(2).membership == Membership((1, 2, 4))


def test_forwarded_change_that_cannot_be_made_is_left_out_alone() -> None:
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    change = (EntryKind.MEMBERSHIP, encode_change(MembershipChange(REMOVE, 3)))
    cluster[1].step(Propose(2, 1, 1, (change,)))
    cluster[1].step(Propose(2, 1, 1, ((EntryKind.NORMAL, b"x"), change)))
    assert [entry.kind for entry in log_of(cluster[1])][1:] == [EntryKind.MEMBERSHIP, EntryKind.NORMAL]
