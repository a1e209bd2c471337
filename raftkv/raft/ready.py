"""What a Raft node wants done, and what the driver is to do with it.

One turn of the driver:

    ready = raft.ready()
    send ready.messages                      at once: nothing they say depends on the disk
    start ready.persist on the storage thread; when it is synced:
        send persist.messages; raft.persisted(persist)
    apply ready.committed to the state machine; raft.applied_to(its last index)
    answer ready.reads                       each when its index is applied; ask again for ready.lost_reads

At most one persist is in flight. Meanwhile stepping goes on, and what needs the disk waits inside Raft for the next one.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from raftkv.raft.messages import NO_NODE, Entry, HardState, Message, Snapshot


class Role(IntEnum):
    """What part a node plays (paper 5.1; thesis 9.6 for the pre-candidate). Learner is no role: it is in the membership."""

    FOLLOWER = 0
    PRE_CANDIDATE = 1
    CANDIDATE = 2
    LEADER = 3


class SoftState(NamedTuple):
    """What changes without being remembered on disk; the driver tells its clients."""

    role: Role
    term: int
    leader_id: int = NO_NODE


class ReadAnswer(NamedTuple):
    """A read under `context` is linearizable once everything up to `index` is applied."""

    context: bytes
    index: int  # type: ignore[assignment] # hides tuple.index, which nobody needs here


@dataclass(frozen=True, slots=True, eq=False)
class Persist:
    """What goes to disk in one atomic batch, in this order: snapshot, entries, hard state."""

    hard_state: HardState | None
    """The new hard state; None if it is unchanged."""
    snapshot: Snapshot | None
    """Swap in the state that was received for it, and drop the whole log: the start is now its index and term."""
    entries: list[Entry]
    """Append; whatever stands at or behind the first one's index is removed before."""
    messages: list[Message]
    """To be sent only when all of this is synced."""
    must_sync: bool
    """False if only the commit index moved, which may be lost."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What is to be done now; see the head of the module."""

    messages: list[Message]
    persist: Persist | None
    committed: list[Entry]
    """To apply, in this order. The next ones come after `applied_to` the last of these."""
    reads: list[ReadAnswer]
    lost_reads: list[bytes]
    """Contexts of reads whose leader is gone: ask again under a new context."""
    soft_state: SoftState
