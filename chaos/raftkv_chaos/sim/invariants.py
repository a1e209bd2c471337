"""What must hold in a cluster after every step of every node (Raft paper, Figure 3), and the promises that messages make about disks.

    election safety         at most one leader in a term
    log matching            an index and a term name one entry and one history
    leader completeness     what is committed is in the log of every later leader
    state machine safety    nobody has another entry committed at the same index
    durability              what a leader commits is on the disks of a quorum, its own among them only if it is there
    kept promises           a message says nothing that its sender's disk does not know
    one state               at the same applied index all stores have the same revisions

What is committed is kept here, too: this is the log by which histories are judged, longer than any one node's.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from raftkv.apply.machine import StateMachine
from raftkv.raft.messages import NO_NODE, AppendReply, Entry, Message, Vote, VoteReply
from raftkv.raft.raft import Raft
from raftkv_chaos.sim.disk import SimEngine
from raftkv_chaos.sim.recount import Recount
from raftkv_chaos.sim.violation import ViolationError

ALL_BYTES = 1 << 40


class Member(Protocol):
    """A node as it is looked at."""

    member_id: int
    engine: SimEngine

    @property
    def raft(self) -> Raft:
        """While it runs."""
        ...

    @property
    def state(self) -> StateMachine:
        """While it runs."""
        ...


class _Sight:
    """How far a life of a node has been looked at."""

    __slots__ = ("applied", "commit", "last", "last_term", "leader", "raft", "stable", "term")

    def __init__(self, raft: Raft) -> None:
        self.raft = raft
        log: Any = raft._log
        self.commit = log.start_index
        self.last = log.start_index
        self.last_term = log.term(log.start_index)
        self.term = self.leader = self.applied = self.stable = -1


class Invariants:
    """Remembers everything that was ever promised, and compares."""

    def __init__(self, recount: Recount | None = None) -> None:
        """`recount`: what else is looked at, where an entry was applied."""
        self._recount = recount
        self.committed: dict[int, Entry] = {}
        """The log that counts."""
        self.committed_at: dict[int, float] = {}
        """When a node first knew."""
        self.last_committed = 0
        self._seen_in_term: dict[int, int] = {}
        """Index -> the lowest term of a node that knew it to be committed."""
        self._leaders: dict[int, int] = {}
        self._votes: dict[tuple[int, int], int] = {}
        self._entries: dict[tuple[int, int], tuple[Entry, int]] = {}
        self._sights: dict[int, _Sight] = {}
        self._complete: dict[int, int] = {}
        self._revisions: dict[int, tuple[int, int]] = {}
        self.elections = 0

    # --- after a step ------------------------------------------------------------------------------------------------

    def check(self, member: Member, members: Mapping[int, Member], now: float) -> bool:
        """After a step of one node; whether anything had changed."""
        raft = member.raft
        sight = self._sights.get(member.member_id)
        if sight is None or sight.raft is not raft:
            sight = self._sights[member.member_id] = _Sight(raft)
        log: Any = raft._log
        applied = member.state.applied_index
        if applied != sight.applied:
            sight.applied = applied
            self._check_revision(member, applied)
            if self._recount is not None:
                self._recount.look(member.state)
        moved = raft.term != sight.term or raft.leader != sight.leader or log.stable != sight.stable
        if not moved and raft.commit == sight.commit and log.last_index == sight.last:
            return False
        self._look(raft.check)
        sight.term, sight.leader, sight.stable = raft.term, raft.leader, log.stable
        self._check_log(raft, log, sight)
        leads = raft.leader == member.member_id
        if raft.commit > sight.commit:
            self._check_commit(member, members, sight, now, leads=leads)
        if leads:
            self._check_leader(member.member_id, raft, log)
        return True

    @staticmethod
    def _look(check: Any) -> None:
        try:
            check()
        except AssertionError as error:
            raise ViolationError("raft check", str(error)) from error

    def _check_log(self, raft: Raft, log: Any, sight: _Sight) -> None:
        """Compares entries that are new in this log with those of the same index and term elsewhere."""
        first = sight.last + 1
        if log.last_index < sight.last or log.start_index > sight.last or log.term(sight.last) != sight.last_term:
            first = max(log.start_index, min(sight.commit, log.last_index)) + 1
        first = max(first, log.start_index + 1)
        if first <= log.last_index:
            self._compare(raft, log, first)
        sight.last = log.last_index
        sight.last_term = log.term(log.last_index)

    def _compare(self, raft: Raft, log: Any, first: int) -> None:
        previous = log.term(first - 1)
        durable = raft._node.durable_term
        for entry in log.slice(first, log.last_index + 1, ALL_BYTES):
            # A sole voter that crashes before its term is on disk may lead that term again: nobody has seen the first time.
            if entry.term <= durable:
                known = self._entries.setdefault((entry.index, entry.term), (entry, previous))
                if known != (entry, previous):
                    raise ViolationError("log matching", f"{known} and {(entry, previous)}")
            previous = entry.term

    def _check_commit(self, member: Member, members: Mapping[int, Member], sight: _Sight, now: float, *, leads: bool) -> None:
        """Compares what this node has learned to be committed since its last step."""
        raft = member.raft
        log: Any = raft._log
        first = max(sight.commit, log.start_index) + 1
        entries = log.slice(first, raft.commit + 1, ALL_BYTES) if first <= raft.commit else []
        for entry in entries:
            known = self.committed.get(entry.index)
            if known is None:
                if leads:
                    self._check_durable(entry, raft, members)
                self.committed[entry.index] = entry
                self.committed_at[entry.index] = now
                self._seen_in_term[entry.index] = raft.term
                self.last_committed = max(self.last_committed, entry.index)
            elif known != entry:
                raise ViolationError("state machine safety", f"{known} and {entry} are committed at {entry.index}")
            else:
                self._seen_in_term[entry.index] = min(self._seen_in_term[entry.index], raft.term)
        sight.commit = raft.commit

    @staticmethod
    def _check_durable(entry: Entry, raft: Raft, members: Mapping[int, Member]) -> None:
        voters = raft.membership.voters
        holding = sum(voter in members and members[voter].engine.durable.holds(entry.index, entry.term) for voter in voters)
        if holding <= len(voters) // 2:
            text = f"entry {entry.index} of term {entry.term} is committed with {holding} of {len(voters)} disks"
            raise ViolationError("durability", text)

    def _check_leader(self, member_id: int, raft: Raft, log: Any) -> None:
        term = raft.term
        known = self._leaders.get(term)
        if known is None:
            self._leaders[term] = member_id
            self.elections += 1
        elif known != member_id and len(raft.membership.voters) > 1:
            raise ViolationError("election safety", f"{known:x} and {member_id:x} lead in term {term}")
        for index in range(max(log.start_index, self._complete.get(term, 0)) + 1, self.last_committed + 1):
            entry = self.committed.get(index)
            if entry is None or term < self._seen_in_term[index]:
                continue
            if index > log.last_index or log.term(index) != entry.term:
                text = f"the leader of term {term} lacks the committed entry {index} of term {entry.term}"
                raise ViolationError("leader completeness", text)
        self._complete[term] = self.last_committed

    def _check_revision(self, member: Member, applied: int) -> None:
        store = member.state.store
        state = (store.revision, store.compact_revision)
        known = self._revisions.setdefault(applied, state)
        if known != state:
            text = f"after entry {applied} revision and compaction are {known} on one node and {state} on {member.member_id:x}"
            raise ViolationError("one state", text)

    # --- promises ----------------------------------------------------------------------------------------------------

    def sent(self, message: Message, member: Member) -> None:
        """A message leaves its node."""
        durable = member.engine.durable
        hard_state = durable.hard_state
        pre_vote = isinstance(message, Vote | VoteReply) and message.pre_vote
        if not pre_vote and message.term > hard_state.term:
            raise ViolationError("kept promises", f"{message} tells a term that is not on disk: {hard_state}")
        if isinstance(message, VoteReply) and message.granted and not pre_vote:
            self._voted(message.source, message.target, message.term)
            self._vote_is_durable(message.target, message, hard_state)
        elif isinstance(message, Vote) and not pre_vote:
            self._voted(message.source, message.source, message.term)
            self._vote_is_durable(message.source, message, hard_state)
        elif isinstance(message, AppendReply) and not message.reject and message.term == member.raft.term:
            self._ack_is_durable(message, member)

    @staticmethod
    def _vote_is_durable(candidate: int, message: Message, hard_state: Any) -> None:
        if hard_state.term == message.term and hard_state.vote != candidate:
            raise ViolationError("kept promises", f"{message}, but on disk is {hard_state}")

    @staticmethod
    def _ack_is_durable(message: AppendReply, member: Member) -> None:
        durable, log = member.engine.durable, member.raft._log
        index = message.index
        if index > durable.last and index > durable.start:
            raise ViolationError("kept promises", f"{message} acknowledges what is not on disk, which ends at {durable.last}")
        if log.start_index < index <= log.last_index and not durable.holds(index, log.term(index)):
            raise ViolationError("kept promises", f"{message} acknowledges an entry that is not the one on disk")

    def _voted(self, voter: int, candidate: int, term: int) -> None:
        known = self._votes.setdefault((term, voter), candidate)
        if candidate not in {known, NO_NODE}:
            raise ViolationError("election safety", f"node {voter:x} votes for {known:x} and {candidate:x} in term {term}")
