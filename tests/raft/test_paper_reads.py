"""Claims of the Raft thesis, 6.4, about reads that go round the log."""

import pytest

from raftkv.errors import ReadDroppedError
from raftkv.raft import Role
from raftkv.raft.messages import Append, Heartbeat, HeartbeatReply, ReadIndex, ReadIndexReply, VoteReply
from tests.raft.cluster import Cluster
from tests.raft.test_paper_elections import run, sent
from tests.raft.test_paper_replication import exchange

ELECTION_TICKS = 10


def leading(*voters: int, max_pending_reads: int = 100) -> Cluster:
    cluster = Cluster(voters, max_pending_reads=max_pending_reads)
    cluster.elect(1)
    return cluster


@pytest.mark.parametrize("node", [1, 2])
def test_read_at_leader_or_follower_gets_the_commit_index(node: int) -> None:
    """Thesis 6.4, and at its end for followers."""
    cluster = leading(1, 2, 3)
    cluster.propose(1, b"x")
    cluster.settle()
    cluster.read(node, b"r")
    cluster.settle()
    assert cluster.reads == {b"r": 2}


def test_leader_answers_only_after_a_quorum_has_confirmed_that_it_leads() -> None:
    """Thesis 6.4, step 3."""
    cluster = leading(1, 2, 3, 4, 5)
    cluster.read(1, b"r")
    run(cluster, 1)
    exchange(cluster, 1, 2)
    run(cluster, 1)
    assert not cluster.reads
    exchange(cluster, 1, 3)
    run(cluster, 1)
    assert cluster.reads


def test_question_of_one_that_makes_a_quorum_with_the_leader_is_answered_without_a_round() -> None:
    """Thesis 6.4, step 3: who asks in this term has elected nobody else before it asked."""
    cluster = leading(1, 2, 3)
    cluster.cut([1, 2], [3])
    cluster.read(2, b"r")
    run(cluster, 2)
    exchange(cluster, 2, 1)
    run(cluster, 1)
    assert not sent(cluster, Heartbeat)
    cluster.settle()
    assert cluster.reads == {b"r": 1}


def test_question_of_another_confirms_no_read_that_the_leader_was_asked_itself() -> None:
    """It was sent before, and may have been elected since: an answer never counts for what was asked after it was sent."""
    cluster = leading(1, 2, 3)
    cluster.read(2, b"forwarded")
    run(cluster, 2)
    forwarded = cluster.take(2, 1)
    cluster.cut([1], [2, 3])
    cluster.elect(2)
    cluster.propose(2, b"new")
    cluster.settle()
    cluster.read(1, b"own")
    run(cluster, 1)
    for message in forwarded:
        cluster[1].step(message)
    run(cluster, 1)
    assert sent(cluster, ReadIndexReply)
    assert not cluster.reads


@pytest.mark.parametrize("asker", [2, 4])
def test_question_is_no_quorum_of_five_nor_with_a_learner(asker: int) -> None:
    """Thesis 4.2.1: 4 is a learner; 2 is one of five voters."""
    cluster = Cluster([1, 2, 3], learners=[4]) if asker == 4 else leading(1, 2, 3, 5, 6)
    cluster.elect(1)
    cluster.read(asker, b"r")
    run(cluster, asker)
    exchange(cluster, asker, 1)
    run(cluster, 1)
    assert sent(cluster, Heartbeat)
    assert not sent(cluster, ReadIndexReply)


def test_forwarded_question_waits_until_the_leader_has_committed_in_its_term() -> None:
    """Thesis 6.4, step 1."""
    cluster = Cluster([1, 2, 3], pre_vote=False)
    cluster[1].campaign()
    run(cluster, 1)
    cluster[1].step(VoteReply(2, 1, 1, granted=True))
    cluster[1].step(ReadIndex(2, 1, 1, b"r"))
    run(cluster, 1)
    assert not sent(cluster, ReadIndexReply)


def test_deposed_leader_answers_no_reads() -> None:
    """Thesis 6.4: another leader may have been elected that it does not know of."""
    cluster = leading(1, 2, 3)
    cluster.cut([1], [2, 3])
    cluster.elect(2)
    cluster.propose(2, b"new")
    cluster.settle()
    cluster.read(1, b"r")
    cluster.settle()
    assert not cluster.reads
    cluster.heal()
    cluster.pass_time(2)
    assert cluster.lost_reads == [b"r"]
    assert not cluster.reads


def test_sole_voter_answers_at_once() -> None:
    cluster = leading(1)
    cluster.read(1, b"r")
    assert [tuple(answer) for answer in cluster[1].ready().reads] == [(b"r", 1)]


def test_new_leader_answers_when_it_has_committed_in_its_term() -> None:
    """Thesis 6.4, step 1: it may not know the latest commit index before (etcd#7331)."""
    cluster = Cluster([1, 2, 3], pre_vote=False)
    cluster[1].campaign()
    run(cluster, 1)
    cluster[1].step(VoteReply(2, 1, 1, granted=True))
    cluster.read(1, b"r")
    run(cluster, 1)
    assert not sent(cluster, Heartbeat)
    cluster.settle()
    assert cluster.reads == {b"r": 1}


def test_sole_voter_answers_no_read_before_it_has_committed_in_its_term() -> None:
    cluster = Cluster([1])
    cluster[1].campaign()
    cluster.read(1, b"r")
    cluster.turn(1)
    assert not cluster.reads
    cluster.settle()
    assert cluster.reads == {b"r": 1}


def test_reads_of_one_turn_share_a_round() -> None:
    """Thesis 6.4: one round of heartbeats for any number of reads."""
    cluster = leading(1, 2, 3)
    for number in range(50):
        cluster.read(1, b"r%d" % number)
    run(cluster, 1)
    assert len(sent(cluster, Heartbeat)) == 2
    cluster.settle()
    assert len(cluster.reads) == 50


def test_answer_to_an_earlier_round_does_not_count() -> None:
    """etcd-io/raft#397: contexts are never reused, and only rise."""
    cluster = leading(1, 2, 3)
    cluster.read(1, b"first")
    run(cluster, 1)
    first = [m.context for m in sent(cluster, Heartbeat) if isinstance(m, Heartbeat)]
    cluster.read(1, b"second")
    run(cluster, 1)
    assert len({m.context for m in sent(cluster, Heartbeat) if isinstance(m, Heartbeat)}) == 2
    cluster[1].step(HeartbeatReply(2, 1, 1, first[0]))
    run(cluster, 1)
    assert list(cluster.reads) == [b"first"]


def test_answer_to_a_later_round_counts_for_the_earlier_ones() -> None:
    cluster = leading(1, 2, 3)
    for context in (b"first", b"second"):
        cluster.read(1, context)
        run(cluster, 1)
    last = [m.context for m in sent(cluster, Heartbeat) if isinstance(m, Heartbeat)][-1]
    cluster[1].step(HeartbeatReply(3, 1, 1, last))
    run(cluster, 1)
    assert list(cluster.reads) == [b"first", b"second"]


@pytest.mark.parametrize("context", [b"", b"x", b"\xff" * 8, b"\x00" * 9])
def test_invented_contexts_confirm_nothing(context: bytes) -> None:
    cluster = leading(1, 2, 3)
    cluster.read(1, b"r")
    run(cluster, 1)
    cluster[1].step(HeartbeatReply(2, 1, 1, context))
    run(cluster, 1)
    assert not cluster.reads


def test_learners_confirm_nothing() -> None:
    """Thesis 4.2.1."""
    cluster = Cluster([1, 2, 3], learners=[4, 5])
    cluster.elect(1)
    cluster.cut([1, 4, 5], [2, 3])
    cluster.read(1, b"r")
    cluster.settle()
    for node in (1, 4, 5):
        cluster.tick(node)
    cluster.settle()
    assert not cluster.reads


def test_round_whose_heartbeats_are_lost_is_repeated_with_the_next_heartbeat() -> None:
    cluster = leading(1, 2, 3)
    cluster.read(1, b"r")
    run(cluster, 1)
    cluster.network.clear()
    cluster.pass_time(1)
    assert cluster.reads == {b"r": 1}


def test_forwarded_read_that_gets_no_answer_is_given_back() -> None:
    cluster = leading(1, 2, 3)
    cluster.read(2, b"r")
    run(cluster, 2)
    cluster.network.clear()
    cluster.pass_time(ELECTION_TICKS)
    assert cluster.lost_reads == [b"r"]


def test_forwarded_read_is_given_back_when_the_leader_changes() -> None:
    cluster = leading(1, 2, 3)
    cluster.read(2, b"r")
    run(cluster, 2)
    cluster.network.clear()
    cluster.elect(3)
    assert cluster.lost_reads == [b"r"]


def test_leader_that_steps_down_gives_its_reads_back() -> None:
    cluster = leading(1, 2, 3)
    cluster.cut([1], [2, 3])
    cluster.read(1, b"r")
    cluster.pass_time(2 * ELECTION_TICKS)
    assert cluster[1].status().role != Role.LEADER
    assert cluster.lost_reads == [b"r"]


def test_answer_that_nobody_waits_for_is_ignored() -> None:
    cluster = leading(1, 2, 3)
    cluster[2].step(ReadIndexReply(1, 2, 1, b"unknown", 1))
    assert not cluster[2].has_ready()


def test_refused_forwarded_read_is_given_back() -> None:
    cluster = leading(1, 2, 3, 4, 5, max_pending_reads=1)
    cluster.cut([1, 2], [3, 4, 5])
    cluster[1].step(ReadIndex(3, 1, 1, b"other"))
    cluster.read(2, b"r")
    run(cluster, 2)
    for message in cluster.take(2, 1):
        cluster.deliver(message)
    run(cluster, 1)
    for message in cluster.take(1, 2):
        if isinstance(message, ReadIndexReply):
            cluster.deliver(message)
    run(cluster, 2)
    assert cluster.lost_reads == [b"r"]


@pytest.mark.parametrize("node", [1, 2])
def test_reads_that_wait_are_bounded(node: int) -> None:
    cluster = leading(1, 2, 3, max_pending_reads=2)
    cluster.read(node, b"a")
    cluster.read(node, b"b")
    with pytest.raises(ReadDroppedError):
        cluster.read(node, b"c")
    cluster.settle()
    cluster.read(node, b"d")


def test_read_without_a_leader_is_dropped() -> None:
    cluster = Cluster([1, 2, 3])
    with pytest.raises(ReadDroppedError):
        cluster.read(1, b"r")
    cluster[1].campaign()
    with pytest.raises(ReadDroppedError):
        cluster.read(1, b"s")


def test_stranger_gets_no_read_index() -> None:
    cluster = leading(1, 2, 3)
    cluster[1].step(ReadIndex(9, 1, 1, b"r"))
    cluster.settle()
    assert "read of a node that is no member" in cluster[1].status().ignored


def test_follower_learns_the_commit_index_that_its_read_waits_for() -> None:
    cluster = leading(1, 2, 3)
    cluster.propose(1, b"x")
    cluster.settle()
    assert not [m for m in cluster.network if isinstance(m, Append)]
    cluster.read(3, b"r")
    cluster.settle()
    assert cluster.servers[3].applied >= cluster.reads[b"r"]
