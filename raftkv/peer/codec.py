"""Raft's messages, and the asks beside them, as protobuf frames and back (proto/raftkv/raft.proto).

Frames come from the network, so `decode` trusts nothing: whatever does not make a well-formed message raises
`MalformedFrameError`. What the message *means* is for raft/ to judge.
"""

from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.message import DecodeError

from raftkv.errors import PeerError
from raftkv.pb import raft as pb
from raftkv.peer.asks import Ask, AskReply
from raftkv.raft import messages as m

KINDS = tuple(m.EntryKind)
"""EntryKind by its number: a lookup is cheaper than the enum's constructor."""


class MalformedFrameError(PeerError):
    """Bytes that are no frame of ours: the connection is closed."""


PeerMessage = m.Message | Ask | AskReply
"""What travels between nodes, one to a frame."""


def encode(message: PeerMessage) -> bytes:
    """The frame of one message."""
    frame = pb.Frame(source=message.source, target=message.target, term=message.term)
    _ENCODERS[type(message)](message, frame)
    return frame.SerializeToString()


def decode(data: bytes) -> PeerMessage:
    """The message of one frame.

    Raises:
        MalformedFrameError: the bytes are no frame, or a frame of no known message.
    """
    try:
        frame = pb.Frame.FromString(data)
        return _DECODERS[frame.WhichOneof("body")](frame)
    except (DecodeError, KeyError, IndexError) as error:
        raise MalformedFrameError(f"malformed frame of {len(data)} bytes from a peer: {error}") from error


def encode_membership(membership: m.Membership) -> pb.Membership:
    """Membership as a message."""
    return pb.Membership(voters=membership.voters, learners=membership.learners)


def decode_membership(message: pb.Membership) -> m.Membership:
    """Membership from a message, sorted whatever the sender did."""
    return m.Membership(tuple(sorted(message.voters)), tuple(sorted(message.learners)))


def encode_snapshot(snapshot: m.Snapshot) -> pb.SnapshotHead:
    """What opens a stream of snapshot rows."""
    return pb.SnapshotHead(index=snapshot.index, term=snapshot.term, membership=encode_membership(snapshot.membership))


def decode_snapshot(head: pb.SnapshotHead) -> m.Snapshot:
    """The snapshot that a stream carries."""
    return m.Snapshot(head.index, head.term, decode_membership(head.membership))


# --- entries --------------------------------------------------------------------------------------------------------


def _fill_entries(target: pb.Entries, entries: Sequence[m.Entry]) -> None:
    target.first_index = entries[0].index
    target.terms.extend([entry.term for entry in entries])
    target.data.extend([entry.data for entry in entries])
    if any(entry.kind for entry in entries):
        target.kinds.extend([entry.kind for entry in entries])


def _entries(message: pb.Entries) -> tuple[m.Entry, ...]:
    terms, data, kinds = message.terms, message.data, message.kinds
    first = message.first_index
    if len(terms) != len(data) or (kinds and len(kinds) != len(data)):
        raise MalformedFrameError("entries with columns of different lengths")
    if not kinds:
        normal = m.EntryKind.NORMAL
        return tuple([m.Entry(first + i, term, normal, item) for i, (term, item) in enumerate(zip(terms, data, strict=True))])
    columns = zip(terms, kinds, data, strict=True)
    return tuple([m.Entry(first + i, term, KINDS[kind], item) for i, (term, kind, item) in enumerate(columns)])


# --- one function each way for each message ----------------------------------------------------------------------------


def _encode_vote(message: m.Vote, frame: pb.Frame) -> None:
    frame.vote.pre_vote = message.pre_vote
    frame.vote.last_log_index = message.last_log_index
    frame.vote.last_log_term = message.last_log_term
    frame.vote.transfer = message.transfer


def _decode_vote(frame: pb.Frame) -> m.Vote:
    vote = frame.vote
    return m.Vote(
        frame.source,
        frame.target,
        frame.term,
        last_log_index=vote.last_log_index,
        last_log_term=vote.last_log_term,
        pre_vote=vote.pre_vote,
        transfer=vote.transfer,
    )


def _encode_vote_reply(message: m.VoteReply, frame: pb.Frame) -> None:
    frame.vote_reply.granted = message.granted
    frame.vote_reply.pre_vote = message.pre_vote


def _decode_vote_reply(frame: pb.Frame) -> m.VoteReply:
    reply = frame.vote_reply
    return m.VoteReply(frame.source, frame.target, frame.term, granted=reply.granted, pre_vote=reply.pre_vote)


def _encode_append(message: m.Append, frame: pb.Frame) -> None:
    append = frame.append
    append.prev_index = message.prev_index
    append.prev_term = message.prev_term
    append.commit = message.commit
    append.quiet = message.quiet
    if message.entries:
        _fill_entries(append.entries, message.entries)


def _decode_append(frame: pb.Frame) -> m.Append:
    append = frame.append
    entries = _entries(append.entries)
    if entries and entries[0].index != append.prev_index + 1:
        raise MalformedFrameError(f"entries from {entries[0].index} after index {append.prev_index}")
    return m.Append(
        frame.source, frame.target, frame.term, append.prev_index, append.prev_term, append.commit, entries, append.quiet
    )


def _encode_append_reply(message: m.AppendReply, frame: pb.Frame) -> None:
    reply = frame.append_reply
    reply.index = message.index
    reply.reject = message.reject
    reply.hint_index = message.hint_index
    reply.hint_term = message.hint_term


def _decode_append_reply(frame: pb.Frame) -> m.AppendReply:
    reply = frame.append_reply
    return m.AppendReply(
        frame.source,
        frame.target,
        frame.term,
        index=reply.index,
        reject=reply.reject,
        hint_index=reply.hint_index,
        hint_term=reply.hint_term,
    )


def _encode_heartbeat(message: m.Heartbeat, frame: pb.Frame) -> None:
    frame.heartbeat.commit = message.commit
    frame.heartbeat.context = message.context


def _decode_heartbeat(frame: pb.Frame) -> m.Heartbeat:
    return m.Heartbeat(frame.source, frame.target, frame.term, frame.heartbeat.commit, frame.heartbeat.context)


def _encode_heartbeat_reply(message: m.HeartbeatReply, frame: pb.Frame) -> None:
    frame.heartbeat_reply.context = message.context


def _decode_heartbeat_reply(frame: pb.Frame) -> m.HeartbeatReply:
    return m.HeartbeatReply(frame.source, frame.target, frame.term, frame.heartbeat_reply.context)


def _encode_install_snapshot(message: m.InstallSnapshot, frame: pb.Frame) -> None:
    snapshot = frame.install_snapshot
    snapshot.index = message.snapshot.index
    snapshot.term = message.snapshot.term
    snapshot.membership.CopyFrom(encode_membership(message.snapshot.membership))


def _decode_install_snapshot(frame: pb.Frame) -> m.InstallSnapshot:
    body = frame.install_snapshot
    snapshot = m.Snapshot(body.index, body.term, decode_membership(body.membership))
    return m.InstallSnapshot(frame.source, frame.target, frame.term, snapshot)


def _encode_timeout_now(message: m.TimeoutNow, frame: pb.Frame) -> None:  # noqa: ARG001 (one shape for all encoders)
    frame.timeout_now.SetInParent()


def _decode_timeout_now(frame: pb.Frame) -> m.TimeoutNow:
    return m.TimeoutNow(frame.source, frame.target, frame.term)


def _encode_read_index(message: m.ReadIndex, frame: pb.Frame) -> None:
    frame.read_index.context = message.context


def _decode_read_index(frame: pb.Frame) -> m.ReadIndex:
    return m.ReadIndex(frame.source, frame.target, frame.term, frame.read_index.context)


def _encode_read_index_reply(message: m.ReadIndexReply, frame: pb.Frame) -> None:
    reply = frame.read_index_reply
    reply.context = message.context
    reply.index = message.index
    reply.reject = message.reject


def _decode_read_index_reply(frame: pb.Frame) -> m.ReadIndexReply:
    reply = frame.read_index_reply
    return m.ReadIndexReply(frame.source, frame.target, frame.term, reply.context, reply.index, reply.reject)


def _encode_propose(message: m.Propose, frame: pb.Frame) -> None:
    propose = frame.propose
    propose.data.extend([data for _, data in message.proposals])
    if any(kind for kind, _ in message.proposals):
        propose.kinds.extend([kind for kind, _ in message.proposals])
    propose.SetInParent()


def _decode_propose(frame: pb.Frame) -> m.Propose:
    data, kinds = frame.propose.data, frame.propose.kinds
    if kinds and len(kinds) != len(data):
        raise MalformedFrameError("proposals with columns of different lengths")
    if kinds:
        proposals = tuple([(KINDS[kind], item) for kind, item in zip(kinds, data, strict=True)])
    else:
        proposals = tuple([(m.EntryKind.NORMAL, item) for item in data])
    return m.Propose(frame.source, frame.target, frame.term, proposals)


def _encode_ask(message: Ask, frame: pb.Frame) -> None:
    frame.ask.number = message.number
    frame.ask.kind = message.kind
    frame.ask.body = message.body


def _encode_ask_reply(message: AskReply, frame: pb.Frame) -> None:
    reply = frame.ask_reply
    reply.number = message.number
    reply.body = message.body
    reply.code = message.code
    reply.error = message.error


def _decode_ask(frame: pb.Frame) -> Ask:
    return Ask(frame.source, frame.target, frame.ask.number, frame.ask.kind, frame.ask.body)


def _decode_ask_reply(frame: pb.Frame) -> AskReply:
    reply = frame.ask_reply
    return AskReply(frame.source, frame.target, reply.number, reply.body, reply.code, reply.error)


_ENCODERS: dict[type[PeerMessage], Callable[[Any, pb.Frame], None]] = {
    m.Vote: _encode_vote,
    m.VoteReply: _encode_vote_reply,
    m.Append: _encode_append,
    m.AppendReply: _encode_append_reply,
    m.Heartbeat: _encode_heartbeat,
    m.HeartbeatReply: _encode_heartbeat_reply,
    m.InstallSnapshot: _encode_install_snapshot,
    m.TimeoutNow: _encode_timeout_now,
    m.ReadIndex: _encode_read_index,
    m.ReadIndexReply: _encode_read_index_reply,
    m.Propose: _encode_propose,
    Ask: _encode_ask,
    AskReply: _encode_ask_reply,
}

_DECODERS: dict[str | None, Callable[[pb.Frame], PeerMessage]] = {
    "vote": _decode_vote,
    "vote_reply": _decode_vote_reply,
    "append": _decode_append,
    "append_reply": _decode_append_reply,
    "heartbeat": _decode_heartbeat,
    "heartbeat_reply": _decode_heartbeat_reply,
    "install_snapshot": _decode_install_snapshot,
    "timeout_now": _decode_timeout_now,
    "read_index": _decode_read_index,
    "read_index_reply": _decode_read_index_reply,
    "propose": _decode_propose,
    "ask": _decode_ask,
    "ask_reply": _decode_ask_reply,
}
