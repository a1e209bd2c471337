"""What must hold in a Raft cluster after every step (paper, Figure 3), and the promises that messages make about disks.

election safety         at most one leader in a term
log matching            an index and a term name one entry and one history
leader completeness     what is committed is in the log of every later leader
state machine safety    nobody applies another entry at the same index
durability              what a leader commits is on the disks of a quorum
linearizable reads      a read index is not below what was committed anywhere when the read was asked
kept promises           a message says nothing that its sender's disk does not know
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from raftkv.raft import Raft, Role
from raftkv.raft.messages import NO_NODE, AppendReply, Entry, Message, Vote, VoteReply

if TYPE_CHECKING:  # cluster.py imports this module
    from collections.abc import Mapping

    from tests.raft.cluster import Server


class Invariants:
    """Remembers everything that was ever promised, and compares."""

    def __init__(self) -> None:
        self._leaders: dict[int, int] = {}
        self._votes: dict[tuple[int, int], int] = {}
        self._entries: dict[tuple[int, int], tuple[Entry, int]] = {}
        self._applied: dict[int, Entry] = {}
        self._committed: dict[int, tuple[int, int]] = {}  # index -> (term of the entry, lowest term it was seen committed in)
        self._commit = 0
        self._checked: dict[int, tuple[Raft, int]] = {}  # server -> up to where its present life was compared
        self._complete: dict[int, int] = {}  # term -> up to where its leader was compared
        self._reads: dict[bytes, int] = {}

    def check(self, node_id: int, servers: Mapping[int, Server]) -> None:
        """After a step of one server."""
        raft = servers[node_id].raft
        raft.check()
        self._check_log(raft)
        self._check_commit(node_id, servers)
        if raft.status().role == Role.LEADER:
            assert self._leaders.setdefault(raft.term, node_id) == node_id, f"two leaders in term {raft.term}"
            self._check_leader_completeness(raft)

    def _check_log(self, raft: Raft) -> None:
        log = raft._log
        previous = log.term(log.start_index)
        for entry in log._cache:
            if entry.index == log._cached:
                previous = log.term(entry.index - 1)
            # A sole voter that crashes before its term is on disk may lead that term again: nobody has seen the first time.
            seen = entry.term <= raft._node.durable_term
            known = self._entries.setdefault((entry.index, entry.term), (entry, previous)) if seen else (entry, previous)
            assert known == (entry, previous), f"log matching: {known} and {(entry, previous)}"
            assert log.term(entry.index) == entry.term, "the runs of terms tell each entry's term"
            previous = entry.term

    def _check_commit(self, node_id: int, servers: Mapping[int, Server]) -> None:
        """Compares what this server has learned to be committed since its last step."""
        raft = servers[node_id].raft
        log, leads = raft._log, raft.status().role == Role.LEADER
        known, checked = self._checked.get(node_id, (raft, 0))
        for index in range(max(checked if known is raft else 0, log.start_index) + 1, raft.commit + 1):
            if index > self._commit and leads:
                self._check_durable(index, raft, servers)
            term, seen = self._committed.get(index, (log.term(index), raft.term))
            assert term == log.term(index), f"two entries are committed at {index}: of terms {term} and {log.term(index)}"
            self._committed[index] = term, min(seen, raft.term)
        self._checked[node_id] = raft, raft.commit
        self._commit = max(self._commit, raft.commit)

    @staticmethod
    def _check_durable(index: int, raft: Raft, servers: Mapping[int, Server]) -> None:
        voters = raft.membership.voters
        term = raft._log.term(index)
        holding = 0
        for voter in voters:
            log = servers[voter].disk.log
            holding += index < log.first_index() or (index <= log.last_index() and log.term(index) == term)
        assert holding > len(voters) // 2, f"entry {index} is committed with {holding} of {len(voters)} disks"

    def _check_leader_completeness(self, raft: Raft) -> None:
        log = raft._log
        for index in range(max(log.start_index, self._complete.get(raft.term, 0)) + 1, self._commit + 1):
            term, seen = self._committed.get(index, (0, 0))
            if term and raft.term >= seen:
                assert log.matches(index, term), f"the leader of term {raft.term} lacks the committed entry {index}@{term}"
        self._complete[raft.term] = self._commit

    def applied(self, entry: Entry) -> None:
        """A server applies an entry."""
        assert self._applied.setdefault(entry.index, entry) == entry, f"two entries are applied at {entry.index}"

    def sent(self, message: Message, server: Server) -> None:
        """A message leaves its server."""
        hard_state = server.disk.hard_state
        pre_vote = isinstance(message, Vote | VoteReply) and message.pre_vote
        assert pre_vote or message.term <= hard_state.term, f"{message} tells a term that is not on disk"
        if isinstance(message, VoteReply) and message.granted and not pre_vote:
            self._voted(message.source, message.target, message.term)
            assert (hard_state.term, hard_state.vote) >= (message.term, NO_NODE), "the vote is not on disk"
            assert hard_state.term > message.term or hard_state.vote == message.target, "another vote is on disk"
        if isinstance(message, Vote) and not pre_vote:
            self._voted(message.source, message.source, message.term)
            assert hard_state.term > message.term or hard_state.vote == message.source, "the own vote is not on disk"
        if isinstance(message, AppendReply) and not message.reject and message.term == server.raft.term:
            disk = server.disk.log
            assert message.index <= disk.last_index(), f"{message} acknowledges what is not on disk"
            if message.index >= server.raft._log.start_index:
                assert message.index < disk.first_index() or disk.term(message.index) == server.raft.term_at(message.index)

    def _voted(self, voter: int, candidate: int, term: int) -> None:
        known = self._votes.setdefault((term, voter), candidate)
        assert known == candidate, f"node {voter} votes for {known} and {candidate} in term {term}"

    def read_asked(self, context: bytes) -> None:
        """A read is asked now."""
        assert context not in self._reads, "contexts are never reused"
        self._reads[context] = self._commit

    def read_answered(self, context: bytes, index: int) -> None:
        """A read index is known."""
        assert index >= self._reads[context], f"read {context!r} at {index}, though {self._reads[context]} was committed"
