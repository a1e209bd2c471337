"""Claims of the Raft paper and thesis about terms, votes and elections."""

import pytest

from raftkv.raft import Role
from raftkv.raft.messages import NO_NODE, Append, Heartbeat, Membership, Message, TimeoutNow, Vote, VoteReply
from tests.raft.cluster import Cluster

ELECTION_TICKS = 10


def sent(cluster: Cluster, kind: type[Message]) -> list[Message]:
    return [message for message in cluster.network if isinstance(message, kind)]


def run(cluster: Cluster, node: int) -> None:
    """Lets one server do all that it can alone; nothing is delivered."""
    while cluster[node].has_ready() or cluster.servers[node].in_flight is not None:
        cluster.turn(node)
        cluster.sync(node)


def answers(cluster: Cluster, node: int, message: Message) -> list[Message]:
    cluster[node].step(message)
    run(cluster, node)
    return [cluster.network.popleft() for _ in range(len(cluster.network))]


def test_servers_start_as_followers() -> None:
    """Paper 5.2."""
    assert Cluster([1, 2, 3])[1].status().role == Role.FOLLOWER


def test_follower_stands_after_its_election_timeout() -> None:
    """Paper 5.2: no word over the election timeout begins an election; the timeout is random in [T, 2T)."""
    waited = set()
    for seed in range(40):
        cluster = Cluster([1, 2, 3], seed=seed, pre_vote=False)
        ticks = 0
        while cluster[1].status().role == Role.FOLLOWER:
            cluster.tick(1)
            ticks += 1
        waited.add(ticks)
    assert min(waited) >= ELECTION_TICKS
    assert max(waited) < 2 * ELECTION_TICKS
    assert len(waited) > 5


def test_candidate_raises_its_term_votes_for_itself_and_asks_all_others() -> None:
    """Paper 5.2."""
    cluster = Cluster([1, 2, 3], pre_vote=False)
    cluster[1].campaign()
    run(cluster, 1)
    assert (cluster[1].term, cluster[1].status().vote) == (1, 1)
    assert [(m.target, m.term) for m in sent(cluster, Vote)] == [(2, 1), (3, 1)]


@pytest.mark.parametrize(("size", "needed"), [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2), (7, 3)])
def test_candidate_wins_with_a_majority(size: int, needed: int) -> None:
    """Paper 5.2: votes from a majority of the full cluster make a leader, one fewer does not."""
    cluster = Cluster(range(1, size + 1), pre_vote=False)
    cluster[1].campaign()
    run(cluster, 1)
    for voter in range(2, 2 + needed):
        assert cluster[1].status().role == Role.CANDIDATE
        cluster[1].step(VoteReply(voter, 1, 1, granted=True))
    assert cluster[1].status().role == Role.LEADER


def test_a_vote_counts_once_however_often_it_arrives() -> None:
    """Paper 5.2: at most one vote per server and term."""
    cluster = Cluster([1, 2, 3, 4, 5], pre_vote=False)
    cluster[1].campaign()
    for _ in range(3):
        cluster[1].step(VoteReply(2, 1, 1, granted=True))
    assert cluster[1].status().role == Role.CANDIDATE


def test_votes_of_strangers_and_learners_do_not_count() -> None:
    """Thesis 4.2.1: non-voting members are not counted."""
    cluster = Cluster([1, 2, 3], learners=[4], pre_vote=False)
    cluster[1].campaign()
    for stranger in (4, 9):
        cluster[1].step(VoteReply(stranger, 1, 1, granted=True))
    assert cluster[1].status().role == Role.CANDIDATE


def test_votes_of_an_earlier_term_do_not_count() -> None:
    """Paper 5.1: requests and answers with a stale term are not taken."""
    cluster = Cluster([1, 2, 3], pre_vote=False)
    cluster[1].campaign()
    cluster[1].campaign()
    cluster[1].step(VoteReply(2, 1, 1, granted=True))
    assert (cluster[1].term, cluster[1].status().role) == (2, Role.CANDIDATE)


def test_voter_gives_one_vote_in_a_term_first_come_first_served() -> None:
    """Paper 5.2."""
    cluster = Cluster([1, 2, 3])
    assert answers(cluster, 1, Vote(2, 1, 1, 0, 0)) == [VoteReply(1, 2, 1, granted=True)]
    assert answers(cluster, 1, Vote(3, 1, 1, 0, 0)) == [VoteReply(1, 3, 1, granted=False)]
    assert answers(cluster, 1, Vote(2, 1, 1, 0, 0)) == [VoteReply(1, 2, 1, granted=True)]


def test_vote_survives_a_restart() -> None:
    """Paper, Figure 2: currentTerm and votedFor are on stable storage before answering."""
    cluster = Cluster([1, 2, 3])
    answers(cluster, 1, Vote(2, 1, 1, 0, 0))
    cluster.crash(1)
    cluster.restart(1)
    assert answers(cluster, 1, Vote(3, 1, 1, 0, 0)) == [VoteReply(1, 3, 1, granted=False)]


def test_vote_does_not_leave_before_it_is_on_disk() -> None:
    """Paper, Figure 2."""
    cluster = Cluster([1, 2, 3])
    cluster[1].step(Vote(2, 1, 1, 0, 0))
    cluster.turn(1)
    assert not cluster.network
    cluster.sync(1)
    assert sent(cluster, VoteReply)


def test_candidate_with_a_stale_term_is_refused_and_told() -> None:
    """Paper 5.1 and Figure 2: reply false if term < currentTerm."""
    cluster = Cluster([1, 2, 3])
    answers(cluster, 1, Vote(2, 1, 5, 0, 0))
    assert answers(cluster, 1, Vote(3, 1, 4, 9, 9)) == [VoteReply(1, 3, 5, granted=False)]


@pytest.mark.parametrize(
    ("last_index", "last_term", "granted"), [(3, 1, False), (1, 2, False), (2, 2, True), (3, 2, True), (1, 3, True)]
)
def test_voter_refuses_a_log_behind_its_own(last_index: int, last_term: int, granted: bool) -> None:  # noqa: FBT001 (a table)
    """Paper 5.4.1: the later last term is more up to date, and with equal terms the longer log."""
    cluster = Cluster([1, 2, 3])
    cluster.elect(2)
    cluster.elect(3)  # logs now end at 2@2
    cluster.network.clear()
    cluster[1].peer_lost(3)
    (reply,) = answers(cluster, 1, Vote(2, 1, 9, last_index, last_term))
    assert isinstance(reply, VoteReply)
    assert reply.granted == granted


def test_candidate_follows_a_leader_of_its_own_term() -> None:
    """Paper 5.2: a leader whose term is at least the candidate's is legitimate."""
    cluster = Cluster([1, 2, 3], pre_vote=False)
    cluster[1].campaign()
    cluster[1].step(Append(2, 1, 1, 0, 0, 0))
    assert (cluster[1].status().role, cluster[1].leader) == (Role.FOLLOWER, 2)


@pytest.mark.parametrize("role", [Role.FOLLOWER, Role.CANDIDATE, Role.LEADER])
def test_a_later_term_makes_anyone_a_follower(role: Role) -> None:
    """Paper 5.1."""
    cluster = Cluster([1, 2, 3], pre_vote=False)
    if role == Role.LEADER:
        cluster.elect(1)
    elif role == Role.CANDIDATE:
        cluster[1].campaign()
    cluster[1].step(Heartbeat(3, 1, 7, 0))
    assert (cluster[1].status().role, cluster[1].term, cluster[1].leader) == (Role.FOLLOWER, 7, 3)


def test_split_vote_ends_in_another_election() -> None:
    """Paper 5.2: candidates that time out start a new election in a later term."""
    cluster = Cluster([1, 2], pre_vote=False)
    for node in (1, 2):
        cluster[node].campaign()
    cluster.settle()
    assert cluster.leader() is None
    cluster.pass_time(4 * ELECTION_TICKS)
    assert cluster.leader() is not None
    assert cluster[1].term > 1


def test_refused_candidate_does_not_restart_the_election_timer() -> None:
    """Paper, Figure 2: only a leader's word or a vote given does."""
    cluster = Cluster([1, 2, 3], pre_vote=False)
    cluster.elect(1)
    cluster.cut([1], [2, 3])
    roles = []
    for ticks in range(1, 2 * ELECTION_TICKS):
        cluster[2].step(Vote(3, 2, 10 + ticks, 0, 0))  # its log is too short
        cluster.tick(2)
        roles.append(cluster[2].status().role)
    assert Role.CANDIDATE in roles


def test_leader_sends_heartbeats_to_keep_its_authority() -> None:
    """Paper 5.2."""
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    cluster.tick(1)
    run(cluster, 1)
    assert [m.target for m in sent(cluster, Heartbeat)] == [2, 3]


def test_heartbeats_prevent_elections() -> None:
    """Paper 5.2."""
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    cluster.pass_time(10 * ELECTION_TICKS)
    assert (cluster.leader(), cluster[1].term) == (1, 1)


# --- pre-vote ------------------------------------------------------------------------------------------------------


def test_pre_vote_raises_no_term_and_gives_no_vote() -> None:
    """Thesis 9.6: a server only increments its term if it first learns that it could win."""
    cluster = Cluster([1, 2, 3])
    assert answers(cluster, 1, Vote(2, 1, 1, 0, 0, pre_vote=True)) == [VoteReply(1, 2, 1, granted=True, pre_vote=True)]
    assert answers(cluster, 1, Vote(3, 1, 1, 0, 0, pre_vote=True)) == [VoteReply(1, 3, 1, granted=True, pre_vote=True)]
    assert (cluster[1].term, cluster[1].status().vote) == (0, NO_NODE)


def test_partitioned_server_does_not_disturb_when_it_returns() -> None:
    """Thesis 9.6."""
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    cluster.cut([3], [1, 2])
    cluster.pass_time(10 * ELECTION_TICKS)
    cluster.heal()
    cluster.pass_time(2 * ELECTION_TICKS)
    assert (cluster.leader(), cluster[1].term, cluster[3].term) == (1, 1, 1)


def test_refused_pre_vote_tells_the_later_term() -> None:
    """etcd#8501, openraft#1796: or a longer log with a lower term and a shorter log with a higher one block each other."""
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)  # logs end at 1@1
    cluster[2].step(Vote(9, 2, 6, 0, 0, transfer=True))  # refused, but its term stays
    cluster.settle()
    assert cluster[2].term == 6
    cluster.crash(1)
    cluster[3].campaign()
    cluster.settle()
    assert cluster[3].term == 6


def test_votes_of_the_pre_vote_do_not_count_in_the_election() -> None:
    """raft-rs#83: each candidacy starts with no votes."""
    cluster = Cluster([1, 2, 3])
    cluster[1].campaign()
    cluster[1].step(VoteReply(2, 1, 1, granted=True, pre_vote=True))
    assert cluster[1].status().role == Role.CANDIDATE
    cluster[1].step(VoteReply(2, 1, 1, granted=True, pre_vote=True))
    assert cluster[1].status().role == Role.CANDIDATE


def test_pre_votes_for_another_term_do_not_count() -> None:
    """Each answer names the term that was asked for."""
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    cluster.tick(2, ELECTION_TICKS)
    cluster[2].campaign()  # for term 2
    for term in (1, 3, 9):
        cluster[2].step(VoteReply(3, 2, term, granted=True, pre_vote=True))
    assert (cluster[2].status().role, cluster[2].term) == (Role.PRE_CANDIDATE, 1)


# --- leader stickiness and check-quorum ----------------------------------------------------------------------------


@pytest.mark.parametrize("pre_vote", [False, True])
def test_voter_that_hears_from_a_leader_ignores_candidates(pre_vote: bool) -> None:  # noqa: FBT001 (a table)
    """Thesis 4.2.3 and 6.2."""
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    for voter in (1, 2):
        assert answers(cluster, voter, Vote(3, voter, 9, 9, 9, pre_vote=pre_vote)) == []
        assert cluster[voter].term == 1


def test_voter_that_heard_nothing_for_the_shortest_timeout_votes() -> None:
    """Thesis 4.2.3: only within the minimum election timeout of hearing from a leader."""
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    cluster.tick(2, ELECTION_TICKS)
    assert answers(cluster, 2, Vote(3, 2, 2, 1, 1, pre_vote=True)) == [VoteReply(2, 3, 2, granted=True, pre_vote=True)]


def test_leader_without_a_quorum_steps_down() -> None:
    """Thesis 6.2: an election timeout without a successful round of heartbeats to a majority."""
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    cluster.cut([1], [2, 3])
    for _ in range(2 * ELECTION_TICKS):
        cluster.tick(1)
        cluster.turn(1)
    assert (cluster[1].status().role, cluster[1].leader) == (Role.FOLLOWER, NO_NODE)


def test_leader_with_a_quorum_stays() -> None:
    """Thesis 6.2."""
    cluster = Cluster([1, 2, 3, 4, 5])
    cluster.elect(1)
    cluster.cut([1, 2, 3], [4, 5])
    cluster.pass_time(10 * ELECTION_TICKS)
    assert (cluster.leader(), cluster[1].term) == (1, 1)


def test_learners_do_not_keep_a_leader_up() -> None:
    """Thesis 4.2.1 and 6.2."""
    cluster = Cluster([1, 2, 3], learners=[4, 5])
    cluster.elect(1)
    cluster.cut([1, 4, 5], [2, 3])
    cluster.pass_time(2 * ELECTION_TICKS)
    assert cluster[1].status().role != Role.LEADER


def test_stale_leader_is_told_of_the_later_term() -> None:
    """A server whose term ran ahead can neither follow the leader nor, under stickiness, replace it: so it answers it."""
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    cluster[3].step(Vote(9, 3, 6, 0, 0, transfer=True))
    cluster.pass_time(4 * ELECTION_TICKS)
    leader = cluster.leader()
    assert leader is not None
    assert cluster[3].leader == leader
    assert cluster[leader].term > 6


# --- a leader's process ends ---------------------------------------------------------------------------------------


def test_lost_connection_to_the_leader_shortens_the_wait() -> None:
    for seed in range(20):
        cluster = Cluster([1, 2, 3], seed=seed)
        cluster.elect(1)
        cluster[2].peer_lost(1)
        cluster.tick(2, 3)
        assert cluster[2].status().role == Role.PRE_CANDIDATE


def test_followers_that_lost_their_leader_elect_another() -> None:
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    cluster.crash(1)
    for node in (2, 3):
        cluster[node].peer_lost(1)
    cluster.pass_time(ELECTION_TICKS - 1)
    assert cluster.leader() in {2, 3}


def test_lost_connection_of_one_follower_does_not_disturb() -> None:
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    cluster.cut([1], [2])
    cluster[2].peer_lost(1)
    cluster.pass_time(ELECTION_TICKS // 2)
    assert (cluster.leader(), cluster[3].term) == (1, 1)
    cluster.heal()
    cluster.pass_time(1)
    assert (cluster.leader(), cluster[2].leader, cluster[2].term) == (1, 1, 1)


def test_word_from_the_leader_takes_the_hurry_back() -> None:
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    cluster[2].peer_lost(1)
    cluster[2].step(Heartbeat(1, 2, 1, 0))
    assert answers(cluster, 2, Vote(3, 2, 2, 9, 9, pre_vote=True))[-1:] != [VoteReply(2, 3, 2, granted=True, pre_vote=True)]
    cluster.tick(2, ELECTION_TICKS - 1)
    assert cluster[2].status().role == Role.FOLLOWER


def test_lost_connection_to_another_than_the_leader_changes_nothing() -> None:
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    cluster[2].peer_lost(3)
    cluster.tick(2, ELECTION_TICKS - 1)
    assert cluster[2].status().role == Role.FOLLOWER


# --- who may not stand ---------------------------------------------------------------------------------------------


def test_learner_never_stands() -> None:
    """Thesis 4.2.1."""
    cluster = Cluster([1], learners=[2])
    cluster.elect(1)
    cluster[2].step(TimeoutNow(1, 2, 1))
    cluster[2].campaign()
    cluster.tick(2, 5 * ELECTION_TICKS)
    assert (cluster[2].status().role, cluster[2].term) == (Role.FOLLOWER, 1)


def test_blank_server_never_stands() -> None:
    cluster = Cluster([1])
    cluster.boot(2, Membership())
    cluster[2].campaign()
    cluster.tick(2, 5 * ELECTION_TICKS)
    assert (cluster[2].status().role, cluster[2].term) == (Role.FOLLOWER, 0)
