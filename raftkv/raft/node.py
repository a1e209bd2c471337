"""What a node keeps whatever part it plays, and what the parts need of each other.

A role (follower, candidate, leader) is an object that lives as long as the node plays it: a follower has no progress table
and a leader no election timeout, because the object that would hold it does not exist. The roles share a `Node` and ask
for `Transitions`.
"""

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from raftkv.raft.config import Config
from raftkv.raft.election_timer import ElectionTimer
from raftkv.raft.log import Log
from raftkv.raft.membership import Configurations
from raftkv.raft.messages import NO_NODE, AppendReply, EntryKind, Message
from raftkv.raft.ready import ReadAnswer, Role

MAX_DEFERRED = 4096
"""Messages that wait for the disk; more than that are dropped, as a network may drop them."""

Handlers = Mapping[type[Message], Callable[[Any], None]]
"""What a role does with each class of message; a class that is not there cannot be for this role and is ignored."""

Proposals = Sequence[tuple[EntryKind, bytes]]


class Transitions(Protocol):
    """The ways from one role to another."""

    def follow(self, term: int, leader_id: int) -> None:
        """Becomes a follower in `term`, which is not lower than the present one."""
        ...

    def stand(self, *, pre_vote: bool, transfer: bool = False) -> None:
        """Becomes a candidate, of the next term unless it is a pre-vote."""
        ...

    def lead(self) -> None:
        """A candidate becomes the leader of its term."""
        ...


class RoleBehaviour(Protocol):
    """What `Raft` asks of the role it plays."""

    role: Role
    handlers: Handlers
    dirty: bool
    """Whether `flush` has something to send."""

    def tick(self) -> None:
        """One tick of the clock."""
        ...

    def sticky(self) -> bool:
        """Whether there is a leader of late, so that votes for others are refused (thesis 4.2.3, 6.2)."""
        ...

    def propose(self, proposals: Proposals) -> None: ...

    def read_index(self, context: bytes) -> None: ...

    def peer_lost(self, node_id: int) -> None: ...

    def flush(self) -> None:
        """Puts together what was gathered since the last `Ready`: one message per peer, however many requests."""
        ...

    def leave(self) -> None:
        """The role ends."""
        ...


class Node:
    """The state that outlives roles."""

    __slots__ = (
        "config",
        "configurations",
        "deferred",
        "durable_term",
        "ignored",
        "leader_id",
        "log",
        "lost_reads",
        "messages",
        "node_id",
        "reads",
        "term",
        "timer",
        "vote",
    )

    def __init__(self, config: Config, log: Log, configurations: Configurations, rng: random.Random) -> None:
        self.config = config
        self.node_id = config.node_id
        self.log = log
        self.configurations = configurations
        self.timer = ElectionTimer(config.election_ticks, rng)
        self.term = 0
        self.vote = NO_NODE
        self.leader_id = NO_NODE
        self.durable_term = 0
        """The term on disk: messages of a later one wait."""
        self.messages: list[Message] = []
        self.deferred: list[Message] = []
        """Messages that wait until everything up to now is on disk."""
        self.reads: list[ReadAnswer] = []
        self.lost_reads: list[bytes] = []
        self.ignored: Counter[str] = Counter()

    def send(self, message: Message) -> None:
        """Sends what promises nothing about this node's disk but its term."""
        if self.term == self.durable_term:
            self.messages.append(message)
        else:
            self.defer(message)

    def defer(self, message: Message) -> None:
        """Sends after everything that happened up to now is on disk: votes, and answers to appends."""
        if self.deferred and _supersedes(message, self.deferred[-1]):
            self.deferred[-1] = message
        elif len(self.deferred) < MAX_DEFERRED:
            self.deferred.append(message)
        else:
            self.ignore("too many messages wait for the disk")

    def ignore(self, reason: str) -> None:
        """Counts something that was ignored."""
        self.ignored[reason] += 1

    def may_campaign(self) -> bool:
        """Whether this node may stand for election.

        Learners and strangers may not. A voter whose removal is not known to be committed still may: without it the
        removal itself might never be committed (thesis 4.2.2).
        """
        if self.log.pending_snapshot is not None:
            return False
        configurations = self.configurations
        return self.node_id in configurations.current.voters or (
            configurations.current_index > self.log.commit and self.node_id in configurations.previous.voters
        )


def _supersedes(new: Message, old: Message) -> bool:
    """A later success in the same term says all that the earlier one said."""
    return (
        isinstance(new, AppendReply)
        and isinstance(old, AppendReply)
        and not (new.reject or old.reject)
        and (new.term, new.target) == (old.term, old.target)
        and new.index >= old.index
    )
