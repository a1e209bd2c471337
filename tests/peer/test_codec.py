"""Messages survive the wire; bytes that are no message are refused."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raftkv.pb import raft as pb
from raftkv.peer.asks import Ask, AskReply
from raftkv.peer.codec import MalformedFrameError, PeerMessage, decode, decode_snapshot, encode, encode_snapshot
from raftkv.raft import messages as m

ids = st.integers(0, 2**64 - 1)
indexes = st.integers(0, 2**63)
head = {"source": ids, "target": ids, "term": indexes}
memberships = st.builds(
    m.Membership, st.lists(ids, unique=True).map(sorted).map(tuple), st.lists(ids, unique=True).map(sorted).map(tuple)
)
snapshots = st.builds(m.Snapshot, indexes, indexes, memberships)
kinds = st.sampled_from(m.EntryKind)


@st.composite
def appends(draw: st.DrawFn) -> m.Append:
    first = draw(st.integers(1, 2**60))
    rows = draw(st.lists(st.tuples(indexes, kinds, st.binary(max_size=20)), max_size=5))
    entries = tuple(m.Entry(first + i, term, kind, data) for i, (term, kind, data) in enumerate(rows))
    fields = {name: draw(strategy) for name, strategy in head.items()}
    return m.Append(
        **fields,
        prev_index=first - 1,
        prev_term=draw(indexes),
        commit=draw(indexes),
        entries=entries,
        quiet=draw(st.booleans()),
    )


messages = st.one_of(
    st.builds(m.Vote, **head, last_log_index=indexes, last_log_term=indexes, pre_vote=st.booleans(), transfer=st.booleans()),
    st.builds(m.VoteReply, **head, granted=st.booleans(), pre_vote=st.booleans()),
    appends(),
    st.builds(m.AppendReply, **head, index=indexes, reject=st.booleans(), hint_index=indexes, hint_term=indexes),
    st.builds(m.Heartbeat, **head, commit=indexes, context=st.binary(max_size=20)),
    st.builds(m.HeartbeatReply, **head, context=st.binary(max_size=20)),
    st.builds(m.InstallSnapshot, **head, snapshot=snapshots),
    st.builds(m.TimeoutNow, **head),
    st.builds(m.ReadIndex, **head, context=st.binary(max_size=20)),
    st.builds(m.ReadIndexReply, **head, context=st.binary(max_size=20), index=indexes, reject=st.booleans()),
    st.builds(Ask, ids, ids, ids, st.integers(0, 2**32 - 1), st.binary(max_size=20)),
    st.builds(AskReply, ids, ids, ids, st.binary(max_size=20), st.integers(0, 16), st.text(max_size=20)),
    st.builds(m.Propose, **head, proposals=st.lists(st.tuples(kinds, st.binary(max_size=20)), max_size=5).map(tuple)),
)


@given(messages)
def test_every_message_survives_the_wire(message: PeerMessage) -> None:
    assert decode(encode(message)) == message


def test_messages_of_zeros_keep_their_class() -> None:
    for message in (
        m.VoteReply(0, 0, 0, granted=False),
        m.Heartbeat(0, 0, 0, 0),
        m.HeartbeatReply(0, 0, 0),
        m.Append(0, 0, 0, 0, 0, 0),
        m.TimeoutNow(0, 0, 0),
        m.Propose(0, 0, 0, ()),
    ):
        assert decode(encode(message)) == message


@given(snapshots)
def test_snapshot_head_survives_the_wire(snapshot: m.Snapshot) -> None:
    assert decode_snapshot(encode_snapshot(snapshot)) == snapshot


@given(st.binary(max_size=60))
def test_random_bytes_never_raise_anything_else(data: bytes) -> None:
    with suppress(MalformedFrameError):
        decode(data)


@pytest.mark.parametrize(
    "frame",
    [
        pb.Frame(source=1),
        pb.Frame(append=pb.Append(entries=pb.Entries(first_index=1, terms=[1, 2], data=[b"x"]))),
        pb.Frame(append=pb.Append(entries=pb.Entries(first_index=1, terms=[1], kinds=[0, 1], data=[b"x"]))),
        pb.Frame(append=pb.Append(entries=pb.Entries(first_index=1, terms=[1], kinds=[9], data=[b"x"]))),
        pb.Frame(append=pb.Append(prev_index=5, entries=pb.Entries(first_index=7, terms=[1], data=[b"x"]))),
        pb.Frame(propose=pb.Propose(kinds=[0, 1], data=[b"x"])),
        pb.Frame(propose=pb.Propose(kinds=[77], data=[b"x"])),
    ],
    ids=["no body", "too few data", "too few terms", "unknown kind", "gap", "too few proposals", "unknown proposal kind"],
)
def test_ill_formed_frames_are_refused(frame: pb.Frame) -> None:
    with pytest.raises(MalformedFrameError):
        decode(frame.SerializeToString())
