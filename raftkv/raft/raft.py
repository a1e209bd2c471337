"""A Raft node without I/O: messages and ticks in, `Ready` out (see ready.py for what the driver does with it).

                         timeout                    majority would vote
    FOLLOWER ---------------------> PRE_CANDIDATE ----------------------> CANDIDATE --majority voted--> LEADER
       ^  |  told to take over (TimeoutNow)                                   ^                            |
       |  +-------------------------------------------------------------------+                            |
       +--- a higher term; a leader of this term; an election lost; a leader without its quorum, or removed +

The term never falls, and at most one vote is given in a term. Nothing here reads a clock, rolls dice of its own or touches
a disk but through `LogReader`. Not thread-safe: every method runs on the driver's one thread.
"""

import random

from raftkv.errors import TransferDroppedError
from raftkv.raft.candidate import Candidate
from raftkv.raft.config import Config
from raftkv.raft.follower import Follower
from raftkv.raft.leader import Leader
from raftkv.raft.log import Log, LogReader
from raftkv.raft.membership import Configurations
from raftkv.raft.messages import (
    NO_NODE,
    Append,
    EntryKind,
    HardState,
    Heartbeat,
    HeartbeatReply,
    InstallSnapshot,
    Membership,
    Message,
    Snapshot,
    Vote,
    VoteReply,
)
from raftkv.raft.node import Node, Proposals, RoleBehaviour
from raftkv.raft.persistence import Persistence
from raftkv.raft.ready import Persist, Ready, Role, SoftState
from raftkv.raft.status import PeerStatus, Status

LEADER_MESSAGES = (Append, Heartbeat, InstallSnapshot)
"""Only a leader sends these: their source leads the term they carry."""


class Raft:
    """One node. `membership` is as of `applied`; changes in the log above that are read at the start."""

    def __init__(
        self,
        config: Config,
        log: LogReader,
        rng: random.Random,
        *,
        hard_state: HardState,
        membership: Membership,
        applied: int,
    ) -> None:
        self._log = Log(
            log,
            commit=hard_state.commit,
            applied=applied,
            max_cached_entries=config.max_cached_entries,
            max_cached_bytes=config.max_cached_bytes,
        )
        self._node = Node(config, self._log, self._configurations(membership), rng)
        self._node.term = self._node.durable_term = hard_state.term
        self._node.vote = hard_state.vote
        self._persistence = Persistence(self._node, hard_state)
        self._role: RoleBehaviour = Follower(self._node, self)
        self._reported = self._soft_state()

    def _configurations(self, membership: Membership) -> Configurations:
        configurations = Configurations(self._log.applied, membership)
        for entry in self._log.unapplied():
            if entry.kind == EntryKind.MEMBERSHIP:
                configurations.append(entry)
        return configurations

    # --- inputs ----------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """The time of one tick has passed."""
        self._persistence.tick()
        self._role.tick()

    def step(self, message: Message) -> None:
        """Takes a message from another node. Whatever it says, nothing is raised: what makes no sense is ignored and counted."""
        node = self._node
        if message.target != node.node_id or message.source in {node.node_id, NO_NODE} or message.term < 1:
            node.ignore("message to another node, from nobody or of no term")
        elif type(message) is Vote:
            self._on_vote(message)
        elif message.term < node.term:
            self._on_stale(message)
        elif self._accept_term(message):
            handler = self._role.handlers.get(type(message))
            if handler is None:
                node.ignore(f"{type(message).__name__} to a {self._role.role.name.lower()}")
            else:
                handler(message)

    def propose(self, proposals: Proposals) -> int:
        """Appends proposals to the log, or forwards them to the leader, all together; returns the term they are bound to.

        Only a leader of that very term will have appended them. A membership change comes alone of its kind.

        Raises:
            ProposalDroppedError: nothing was appended or forwarded, and nothing will be.
        """
        self._role.propose(proposals)
        return self._node.term

    def read_index(self, context: bytes) -> None:
        """Asks for an index that makes a read linearizable; it comes in `Ready.reads`, or `context` in `Ready.lost_reads`.

        `context` is never used twice in the life of the cluster: an old answer must not pass for a new one (R21).

        Raises:
            ReadDroppedError: no leader is known, or too many reads wait.
        """
        self._role.read_index(context)

    def vouched_index(self, source: int, term: int) -> int | None:
        """The index that makes a read linearizable for a node that asked for it in `term`, if that is known without a round:
        this node leads that term, and the two are a quorum.
        """
        role = self._role
        return role.vouched_index(source) if isinstance(role, Leader) and term == self._node.term else None

    def transfer_leadership(self, target: int) -> None:
        """Hands leadership over to a voter; given up after an election timeout. To oneself: gives a transfer up.

        Raises:
            TransferDroppedError: this is not the leader, or `target` is no voter.
        """
        self._leader().transfer_leadership(target)

    def campaign(self) -> None:
        """Stands for election now, if this is a voter that does not lead."""
        if self._role.role != Role.LEADER and self._node.may_campaign():
            self.stand(pre_vote=self._node.config.pre_vote)

    def report_unreachable(self, node_id: int) -> None:
        """What was sent to that node of late may be lost."""
        if isinstance(self._role, Leader):
            self._role.report_unreachable(node_id)

    def report_snapshot(self, node_id: int, *, ok: bool) -> None:
        """The snapshot announced by InstallSnapshot was streamed to that node, or could not be."""
        if isinstance(self._role, Leader):
            self._role.report_snapshot(node_id, ok=ok)

    def peer_lost(self, node_id: int) -> None:
        """That node's process seems to be gone: its connection closed. If it is the leader, elect another soon."""
        self._role.peer_lost(node_id)

    # --- output ----------------------------------------------------------------------------------------------------

    def has_ready(self) -> bool:
        """Whether `ready` has something to tell."""
        node = self._node
        return bool(
            node.messages
            or self._role.dirty
            or node.reads
            or node.lost_reads
            or self._log.has_committed()
            or self._persistence.wanted()
            or self._soft_state() != self._reported
        )

    def ready(self) -> Ready:
        """What is to be done now; it is told once."""
        node = self._node
        if self._role.dirty:
            self._role.flush()
        persist = self._persistence.take()
        messages, node.messages = node.messages, []
        reads, node.reads = node.reads, []
        lost_reads, node.lost_reads = node.lost_reads, []
        self._reported = self._soft_state()
        committed = self._log.take_committed(node.config.max_committed_bytes)
        return Ready(messages, persist, committed, reads, lost_reads, self._reported)

    def persisted(self, persist: Persist) -> None:
        """The persist of an earlier `Ready` is synced, its snapshot swapped in."""
        self._persistence.done(persist)
        if isinstance(self._role, Leader):
            self._role.persisted()

    def applied_to(self, index: int) -> None:
        """The state machine has everything up to `index`."""
        self._log.applied_to(index)

    def compact(self, index: int) -> None:
        """Entries up to `index`, which are applied, are about to leave the disk: call it before they do."""
        self._log.compact(index)
        self._node.configurations.forget_before(self._log.start_index)

    def snapshot_at(self, index: int) -> Snapshot:
        """The snapshot that the state machine is after applying `index`, which the log still knows; raises as `term_at`."""
        return Snapshot(index, self._log.term(index), self._node.configurations.at(index))

    def term_at(self, index: int) -> int:
        """The term of an entry that the log still knows.

        Raises:
            CompactedLogError: the index lies before the log's start.
            UnavailableLogError: the index lies behind its end.
        """
        return self._log.term(index)

    @property
    def leader(self) -> int:
        """The leader of this term, as far as this node knows; else NO_NODE."""
        return self._node.leader_id

    @property
    def term(self) -> int:
        """The current term."""
        return self._node.term

    @property
    def commit(self) -> int:
        """The last entry known to be committed."""
        return self._log.commit

    @property
    def pending_snapshot(self) -> Snapshot | None:
        """The snapshot that was accepted and is not on disk yet."""
        return self._log.pending_snapshot

    @property
    def membership(self) -> Membership:
        """Who takes part, as the log says: committed or not."""
        return self._node.configurations.current

    def status(self) -> Status:
        """This node at this moment."""
        node, log = self._node, self._log
        return Status(
            node_id=node.node_id,
            role=self._role.role,
            term=node.term,
            vote=node.vote,
            leader_id=node.leader_id,
            start_index=log.start_index,
            applied_index=log.applied,
            commit_index=log.commit,
            stable_index=log.stable,
            last_index=log.last_index,
            membership=node.configurations.current,
            pending_membership=node.configurations.current_index > log.commit,
            transfer_target=self._role.transfer_target if isinstance(self._role, Leader) else NO_NODE,
            peers=self._peer_statuses(),
            ignored=dict(node.ignored),
        )

    def _peer_statuses(self) -> dict[int, PeerStatus]:
        if not isinstance(self._role, Leader):
            return {}
        return {
            member: PeerStatus(progress.match, progress.next, progress.state, progress.active, len(progress.window))
            for member, progress in self._role.replication.peers.items()
            if member != self._node.node_id
        }

    def check(self) -> None:
        """Asserts what always holds between two calls."""
        node, role = self._node, self._role
        self._log.check()
        assert node.durable_term <= node.term, "the disk cannot know a later term"
        assert (role.role == Role.LEADER) == (node.leader_id == node.node_id), "who leads knows that it leads"
        if isinstance(role, Leader):
            assert node.vote == node.node_id, "a leader voted for itself"
            assert self._log.pending_snapshot is None, "a leader takes no snapshot"
            role.replication.check()

    # --- terms and votes -------------------------------------------------------------------------------------------

    def _accept_term(self, message: Message) -> bool:
        """Follows a later term or a leader of this one; False if the message is not to be handled."""
        from_leader = isinstance(message, LEADER_MESSAGES)
        pre_vote_granted = type(message) is VoteReply and message.pre_vote and message.granted
        if message.term > self._node.term and not pre_vote_granted:
            self.follow(message.term, message.source if from_leader else NO_NODE)
        elif from_leader and self._node.leader_id != message.source:
            if self._node.leader_id != NO_NODE:
                self._node.ignore("a second leader in one term")
                return False
            self.follow(message.term, message.source)
        return True

    def _on_stale(self, message: Message) -> None:
        """Tells a leader of an earlier term about this one: without that, a node whose term has run ahead could neither
        follow that leader nor, under leader stickiness, replace it. The answer carries nothing but the term, for it may arrive
        when its target leads that very term.
        """
        node = self._node
        if isinstance(message, LEADER_MESSAGES):
            node.send(HeartbeatReply(node.node_id, message.source, node.term))
        node.ignore("message of an earlier term")

    def _on_vote(self, vote: Vote) -> None:
        """Grants a vote to a candidate whose log is at least as up to date (paper 5.2, 5.4.1), unless there is a leader of late."""
        node = self._node
        if vote.term > node.term and not vote.transfer and node.config.check_quorum and self._role.sticky():
            node.ignore("vote asked while there is a leader")
            return
        up_to_date = self._log.up_to_date(vote.last_log_index, vote.last_log_term)
        if vote.pre_vote:
            granted = vote.term > node.term and up_to_date
            # A refusal carries the voter's own term, or candidates of an earlier one would never learn of it (R26).
            term = vote.term if granted else node.term
            node.send(VoteReply(node.node_id, vote.source, term, granted, pre_vote=True))
            return
        if vote.term > node.term:
            self.follow(vote.term, NO_NODE)
        free = node.vote == vote.source or (node.vote == NO_NODE and node.leader_id == NO_NODE)
        if vote.term == node.term and free and up_to_date:
            node.vote = vote.source
            node.timer.restart()
            node.defer(VoteReply(node.node_id, vote.source, node.term, granted=True))
        else:
            node.send(VoteReply(node.node_id, vote.source, node.term, granted=False))

    # --- transitions -----------------------------------------------------------------------------------------------

    def follow(self, term: int, leader_id: int) -> None:
        """Becomes a follower in `term`; a vote given in it stays given."""
        node = self._node
        assert term >= node.term, f"term {node.term} cannot fall to {term}"
        if term > node.term:
            node.term = term
            node.vote = NO_NODE
        if leader_id != NO_NODE or self._role.role == Role.LEADER:
            node.timer.restart()
        self._enter(Follower(node, self), leader_id)

    def stand(self, *, pre_vote: bool, transfer: bool = False) -> None:
        """Becomes a candidate, of the next term unless it is a pre-vote."""
        node = self._node
        if not pre_vote:
            node.term += 1
            node.vote = node.node_id
        node.timer.stand()
        candidate = Candidate(node, self, pre_vote=pre_vote, transfer=transfer)
        self._enter(candidate, NO_NODE)
        candidate.start()

    def lead(self) -> None:
        """Becomes the leader of the present term."""
        assert self._node.vote == self._node.node_id, "only a candidate can win"
        leader = Leader(self._node, self)
        self._enter(leader, self._node.node_id)
        leader.start()

    def _enter(self, role: RoleBehaviour, leader_id: int) -> None:
        self._role.leave()
        self._role = role
        self._node.leader_id = leader_id

    def _leader(self) -> Leader:
        if not isinstance(self._role, Leader):
            raise TransferDroppedError(f"node {self._node.node_id} does not lead")
        return self._role

    def _soft_state(self) -> SoftState:
        return SoftState(self._role.role, self._node.term, self._node.leader_id)
