"""Whatever another node says, `step` raises nothing and the node's own state stays sound (etcd#21518)."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raftkv.raft import Config, MemoryLog, Raft
from raftkv.raft import messages as m
from tests.raft.cluster import Cluster, log_of

small = st.integers(0, 5)
terms = st.integers(0, 4)
kinds = st.sampled_from(m.EntryKind)
data = st.one_of(st.binary(max_size=4), st.just(b"\x08\x02\x10\x01"), st.just(b"\x10\x05"))
loose_entries = st.lists(st.builds(m.Entry, small, terms, kinds, data), max_size=3).map(tuple)
memberships = st.builds(m.Membership, st.lists(small, max_size=3).map(tuple), st.lists(small, max_size=2).map(tuple))


@st.composite
def entries_after(draw: st.DrawFn) -> tuple[int, int, tuple[m.Entry, ...]]:
    """Entries in good order, so that many get past the first look."""
    prev_index, prev_term = draw(small), draw(terms)
    columns = draw(st.lists(st.tuples(kinds, data), max_size=3))
    entries = [m.Entry(prev_index + 1 + i, prev_term, kind, item) for i, (kind, item) in enumerate(columns)]
    return prev_index, prev_term, tuple(entries)


sources = st.sampled_from([1, 2, 3, 4, 9])
targets = st.sampled_from([1, 1, 1, 1, 2])
head = (sources, targets, terms)
message = st.one_of(
    st.builds(m.Vote, *head, small, terms, st.booleans(), st.booleans()),
    st.builds(m.VoteReply, *head, st.booleans(), st.booleans()),
    st.builds(m.Append, *head, small, terms, small, loose_entries),
    st.tuples(*head, entries_after(), small).map(lambda t: m.Append(t[0], t[1], t[2], t[3][0], t[3][1], t[4], t[3][2])),
    st.builds(m.AppendReply, *head, small, st.booleans(), small, terms),
    st.builds(m.Heartbeat, *head, small, st.binary(max_size=9)),
    st.builds(m.HeartbeatReply, *head, st.one_of(st.binary(max_size=9), st.just(b"\x00" * 7 + b"\x01"))),
    st.builds(m.InstallSnapshot, *head, st.builds(m.Snapshot, small, terms, memberships)),
    st.builds(m.TimeoutNow, *head),
    st.builds(m.ReadIndex, *head, st.binary(max_size=3)),
    st.builds(m.ReadIndexReply, *head, st.sampled_from([b"r", b"s"]), small, st.booleans()),
    st.builds(m.Propose, *head, st.lists(st.tuples(kinds, data), max_size=3).map(tuple)),
)
event = st.one_of(message, message, message, st.sampled_from(["tick", "turn", "sync", "campaign"]))


@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(st.lists(event, max_size=30), st.booleans())
def test_nothing_that_a_peer_says_raises_or_breaks_the_node(events: list[m.Message | str], leads: bool) -> None:  # noqa: FBT001 (hypothesis calls it by name)
    raft = Raft(
        Config(node_id=1, election_ticks=3, max_uncommitted_bytes=20),
        MemoryLog(),
        random.Random(0),
        hard_state=m.HardState(),
        membership=m.Membership((1, 2, 3), (4,)),
        applied=0,
    )
    if leads:
        raft.campaign()
        raft.step(m.VoteReply(2, 1, 1, granted=True, pre_vote=True))
        raft.step(m.VoteReply(2, 1, 1, granted=True))
    persist = None
    for item in events:
        term = raft.term
        if isinstance(item, m.Message):
            raft.step(item)
        elif item == "tick":
            raft.tick()
        elif item == "campaign":
            raft.campaign()
        elif item == "turn":
            ready = raft.ready()
            persist = ready.persist or persist
            if ready.committed:
                raft.applied_to(ready.committed[-1].index)
        elif persist is not None:
            raft.persisted(persist)
            persist = None
        raft.check()
        assert raft.term >= term


def leader() -> Cluster:
    cluster = Cluster([1, 2, 3])
    cluster.elect(1)
    return cluster


@pytest.mark.parametrize(
    ("hostile", "reason"),
    [
        (m.Heartbeat(2, 9, 1, 0), "message to another node, from nobody or of no term"),
        (m.Heartbeat(0, 1, 1, 0), "message to another node, from nobody or of no term"),
        (m.Heartbeat(1, 1, 1, 0), "message to another node, from nobody or of no term"),
        (m.Append(2, 1, 1, 0, 0, 0), "a second leader in one term"),
        (m.AppendReply(9, 1, 1, 1), "answer from a node that is no member"),
        (m.HeartbeatReply(9, 1, 1), "answer from a node that is no member"),
        (m.AppendReply(2, 1, 1, 99), "answer for entries that were never sent"),
        (m.AppendReply(2, 1, 1, 1, True), "refusal of an old append"),
        (m.Propose(9, 1, 1, ((m.EntryKind.NORMAL, b""),)), "proposals of a node that is no member"),
        (m.TimeoutNow(2, 1, 1), "TimeoutNow to a leader"),
    ],
)
def test_what_makes_no_sense_to_a_leader_is_counted(hostile: m.Message, reason: str) -> None:
    cluster = leader()
    before = cluster[1].status()
    cluster[1].step(hostile)
    after = cluster[1].status()
    assert after.ignored.get(reason, 0) == before.ignored.get(reason, 0) + 1
    assert (after.role, after.term, after.commit_index) == (before.role, before.term, before.commit_index)


@pytest.mark.parametrize(
    ("hostile", "reason"),
    [
        (m.Append(1, 2, 1, 1, 1, 0, (m.Entry(3, 1, m.EntryKind.NORMAL, b""),)), "malformed append"),
        (m.Append(1, 2, 1, 1, 1, 0, (m.Entry(2, 9, m.EntryKind.NORMAL, b""),)), "malformed append"),
        (m.Append(1, 2, 1, 1, 1, 0, (m.Entry(2, 0, m.EntryKind.NORMAL, b""),)), "malformed append"),
        (m.Append(1, 2, 1, 1, 1, 0, (m.Entry(2, 1, m.EntryKind.MEMBERSHIP, b"?"),)), "malformed append"),
        (m.Heartbeat(1, 2, 1, 99), "heartbeat commits what this log does not have"),
        (m.InstallSnapshot(1, 2, 1, m.Snapshot(9, 1, m.Membership())), "malformed snapshot"),
        (m.InstallSnapshot(1, 2, 1, m.Snapshot(9, 5, m.Membership((1,)))), "malformed snapshot"),
        (m.ReadIndexReply(1, 2, 1, b"?", 5), "answer to no pending read"),
        (m.Propose(3, 2, 1, ()), "Propose to a follower"),
    ],
)
def test_what_makes_no_sense_to_a_follower_is_counted(hostile: m.Message, reason: str) -> None:
    cluster = leader()
    before = log_of(cluster[2])
    cluster[2].step(hostile)
    assert cluster[2].status().ignored == {reason: 1}
    assert (log_of(cluster[2]), cluster[2].commit) == (before, 1)
