"""Claims of the Raft thesis, 3.10, about handing leadership over."""

import pytest

from raftkv.errors import ProposalDroppedError, TransferDroppedError
from raftkv.raft import Role
from raftkv.raft.messages import EntryKind, TimeoutNow, Vote
from tests.raft.cluster import Cluster
from tests.raft.test_paper_elections import run, sent

ELECTION_TICKS = 10


def leading() -> Cluster:
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    return cluster


def test_transfer_makes_the_target_leader_without_an_election_timeout() -> None:
    """Thesis 3.10, steps 3 and 4; voters do not refuse although they hear from a leader (4.2.3)."""
    cluster = leading()
    cluster[1].transfer_leadership(2)
    cluster.settle()
    assert (cluster.leader(), cluster[2].term) == (2, 2)


def test_target_is_told_only_when_it_has_the_whole_log() -> None:
    """Thesis 3.10, step 2."""
    cluster = leading()
    cluster.propose(1, b"x")
    cluster[1].transfer_leadership(2)
    run(cluster, 1)
    assert not sent(cluster, TimeoutNow)
    cluster.settle()
    assert cluster.leader() == 2
    assert cluster.data(2) == [b"x"]


def test_proposals_are_refused_meanwhile() -> None:
    """Thesis 3.10, step 1."""
    cluster = leading()
    cluster[1].transfer_leadership(2)
    with pytest.raises(ProposalDroppedError):
        cluster[1].propose([(EntryKind.NORMAL, b"x")])


def test_forwarded_proposals_are_dropped_meanwhile() -> None:
    cluster = leading()
    cluster.cut([1, 3], [2])
    cluster[1].transfer_leadership(2)
    cluster.propose(3, b"x")
    cluster.settle()
    assert cluster[1].status().last_index == 1


def test_transfer_is_given_up_after_an_election_timeout() -> None:
    """Thesis 3.10: the prior leader resumes if the transfer does not complete."""
    cluster = leading()
    cluster.cut([1, 3], [2])
    cluster[1].transfer_leadership(2)
    cluster.pass_time(ELECTION_TICKS - 1)
    assert cluster[1].status().transfer_target == 2
    cluster.pass_time(1)
    assert cluster[1].status().transfer_target == 0
    assert cluster.propose(1, b"x")
    cluster.settle()
    assert cluster[1].commit == 2


def test_another_target_takes_the_place_of_the_first() -> None:
    cluster = leading()
    cluster.cut([1, 3], [2])
    cluster[1].transfer_leadership(2)
    cluster[1].transfer_leadership(3)
    cluster.settle()
    assert cluster.leader() == 3


def test_transfer_to_oneself_gives_a_transfer_up() -> None:
    cluster = leading()
    cluster.cut([1, 3], [2])
    cluster[1].transfer_leadership(2)
    cluster[1].transfer_leadership(1)
    assert cluster.propose(1, b"x")


@pytest.mark.parametrize("target", [4, 9])
def test_learners_and_strangers_get_no_leadership(target: int) -> None:
    cluster = Cluster([1, 2, 3], learners=[4])
    cluster.elect(1)
    with pytest.raises(TransferDroppedError):
        cluster[1].transfer_leadership(target)


def test_only_a_leader_hands_over() -> None:
    cluster = leading()
    with pytest.raises(TransferDroppedError):
        cluster[2].transfer_leadership(3)


def test_target_raises_its_term_and_says_why() -> None:
    """Thesis 4.2.3: the flag lets voters tell it from a disturbance."""
    cluster = leading()
    cluster[2].step(TimeoutNow(1, 2, 1))
    run(cluster, 2)
    votes = [m for m in sent(cluster, Vote) if isinstance(m, Vote)]
    assert [(v.term, v.transfer, v.pre_vote) for v in votes] == [(2, True, False)] * 2


def test_old_order_to_take_over_is_ignored() -> None:
    cluster = leading()
    cluster.elect(3)
    cluster[2].step(TimeoutNow(1, 2, 1))
    assert cluster[2].status().role == Role.FOLLOWER


def test_target_with_a_shorter_log_is_not_elected() -> None:
    """Paper 5.4.1 holds for transfers too."""
    cluster = leading()
    cluster.cut([1, 3], [2])
    cluster.propose(1, b"x")
    cluster.settle()
    cluster.heal()
    cluster[2].step(TimeoutNow(1, 2, 1))
    cluster.settle()
    assert cluster[2].status().role != Role.LEADER
