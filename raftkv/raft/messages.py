"""What Raft nodes say to each other, and what stands in their logs: plain values, named as the Raft paper names them.

They are not protobuf messages, so that raft/ depends on nothing and a message costs no parsing inside the process;
raftkv/peer/codec.py is the one place that turns them into frames and back (proto/raftkv/raft.proto has the same shapes).

Every message carries `source`, `target` (node ids; 0 is nobody) and the sender's `term`.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

NO_NODE = 0
"""The node id that stands for nobody: no leader known, no vote cast."""


class EntryKind(IntEnum):
    """What a log entry does when it is applied."""

    NORMAL = 0
    """`data` is a command for the state machine; empty for the entry by which a new leader commits its term."""
    MEMBERSHIP = 1
    """`data` is an encoded MembershipChange."""


class Entry(NamedTuple):
    """One entry of the replicated log."""

    index: int  # type: ignore[assignment] # hides tuple.index, which nobody needs on an entry
    term: int
    kind: EntryKind
    data: bytes


class Membership(NamedTuple):
    """Who takes part: sorted tuples of node ids, disjoint."""

    voters: tuple[int, ...] = ()
    learners: tuple[int, ...] = ()


class ChangeKind(IntEnum):
    """What a membership change does; the numbers are those of proto/raftkv/raft.proto."""

    ADD_VOTER = 0
    ADD_LEARNER = 1
    REMOVE = 2


class MembershipChange(NamedTuple):
    """A change by one member. `context` is the state machine's business (addresses, names, who waits)."""

    kind: ChangeKind
    node_id: int
    context: bytes = b""


class HardState(NamedTuple):
    """What must be on disk before a node says anything that follows from it (Raft paper, Figure 2)."""

    term: int = 0
    vote: int = NO_NODE
    commit: int = 0


class Snapshot(NamedTuple):
    """A point of the log and who took part there. The state itself travels and is stored outside raft/."""

    index: int  # type: ignore[assignment] # hides tuple.index, as above
    term: int
    membership: Membership


@dataclass(frozen=True, slots=True)
class Message:
    """What every message has."""

    source: int
    target: int
    term: int


@dataclass(frozen=True, slots=True)
class Vote(Message):
    """RequestVote (paper 5.2); `pre_vote` asks without raising terms (thesis 9.6); `transfer` overrides leader stickiness."""

    last_log_index: int
    last_log_term: int
    pre_vote: bool = False
    transfer: bool = False


@dataclass(frozen=True, slots=True)
class VoteReply(Message):
    """The answer to Vote. A granted pre-vote carries the term asked for, a refusal the voter's own."""

    granted: bool
    pre_vote: bool = False


@dataclass(frozen=True, slots=True)
class Append(Message):
    """AppendEntries (paper 5.3): `entries` follow (prev_index, prev_term). `quiet`: it only moves `commit`, and wants no answer
    unless it is a refusal.
    """

    prev_index: int
    prev_term: int
    commit: int
    entries: tuple[Entry, ...] = ()
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class AppendReply(Message):
    """The answer to Append and InstallSnapshot.

    Success: `index` is the last index known to equal the leader's. Reject: `index` is the refused prev_index, and the
    follower's log may agree from (hint_index, hint_term) downwards (paper 5.3, the optimisation at its end).
    """

    index: int
    reject: bool = False
    hint_index: int = 0
    hint_term: int = 0


@dataclass(frozen=True, slots=True)
class Heartbeat(Message):
    """An empty AppendEntries that only keeps leadership, moves `commit` (never past what the follower is known to hold) and
    carries the context of a read round (thesis 6.4).
    """

    commit: int
    context: bytes = b""


@dataclass(frozen=True, slots=True)
class HeartbeatReply(Message):
    """The answer to Heartbeat, with its context."""

    context: bytes = b""


@dataclass(frozen=True, slots=True)
class InstallSnapshot(Message):
    """Tells a follower that needs compacted entries which snapshot is coming (paper 7). The driver streams the state and hands
    this message to the follower's `step` when all of it has arrived.
    """

    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class TimeoutNow(Message):
    """Leadership transfer (thesis 3.10): the target campaigns at once."""


@dataclass(frozen=True, slots=True)
class ReadIndex(Message):
    """A follower asks the leader for a read index (thesis 6.4). `context` is never reused."""

    context: bytes


@dataclass(frozen=True, slots=True)
class ReadIndexReply(Message):
    """The leader's answer: reads under `context` may be served once `index` is applied; `reject`: ask again."""

    context: bytes
    index: int
    reject: bool = False


@dataclass(frozen=True, slots=True)
class Propose(Message):
    """Proposals forwarded to the leader, each (kind, data).

    The leader appends them only in the very term of this message and drops them otherwise. So once an entry of a later term
    is committed, a node knows that what it forwarded and has not seen applied never will be, and may propose it again
    without the danger of applying it twice.
    """

    proposals: tuple[tuple[EntryKind, bytes], ...]
