"""Changes of the members, one after the other: who may join, vote, move or go is judged by the leader.

    proposed anywhere -> waits at the leader -> judged -> in the log: the change, or its refusal -> applied: answered
                            ^                     |
                            '--- voters not heard yet, another change not applied, leadership being handed over

The leader judges a change when everything before it is applied here, so in the very state in which it will be applied itself:
an entry that changes Raft's membership never has to be refused by the state machine. That also keeps one change at a time on
its way, as Raft wants it (raft/membership.py).

A change is bound to a term like any proposal (server/proposals.py): a leader appends it in that term or never. So a new leader
is asked again only when the old one's word can no longer count, and no change is made twice.
"""

from collections import deque
from collections.abc import Mapping

from raftkv.apply.changes import check_change, raft_change, refusal_number, voters
from raftkv.errors import (
    LearnerNotReadyError,
    NotEnoughStartedError,
    ProposalDroppedError,
    RequestError,
    UnhealthyClusterError,
)
from raftkv.pb.command import ChangeMember, Command
from raftkv.pb.rpc import Member
from raftkv.raft.membership import encode_change
from raftkv.raft.messages import EntryKind, Propose
from raftkv.raft.status import Status
from raftkv.server.forwarded import is_change
from raftkv.server.parts import Parts, Settings
from raftkv.server.proposals import Proposal, Proposals

IN_SYNC = 0.9
"""The part of the leader's log that a learner must have before it may vote (etcd: readyPercent)."""
HEALTH_TICKS = 10
"""Ticks of silence after which a voter counts as gone: an election timeout of etcd's."""
MAX_WAITING = 256
"""Changes that may wait at the leader; more are dropped, and their proposers time out."""


class _Waiting:
    """A change that waits at the leader."""

    __slots__ = ("change", "data", "heard", "since", "term")

    def __init__(self, data: bytes, term: int, since: float) -> None:
        self.data = data
        self.change = Command.FromString(data).change_member
        self.term = term
        self.since = since
        self.heard: set[int] = set()
        """Who has said something to the leader meanwhile. That a voter was there a moment ago is not enough: with one that has
        just died, a member more could cost the quorum at once.
        """


class MembershipChanges:
    """The changes that this node has proposed or, as the leader, is to make."""

    def __init__(self, parts: Parts, proposals: Proposals, settings: Settings) -> None:
        self._raft = parts.raft
        self._machine = parts.machine
        self._proposals = proposals
        self._clock = parts.clock
        self._node_id = settings.node_id
        self._strict = settings.strict_reconfig
        self._max_learners = settings.max_learners
        self._patience_s = settings.patience_s
        self._health_s = HEALTH_TICKS * settings.tick_s
        self._waiting: deque[_Waiting] = deque()
        self._last_index = 0
        """The last entry with a change that this leader appended."""

    @property
    def waiting(self) -> bool:
        """Whether there is something to do once in a while, and to hear."""
        return bool(self._waiting or self._proposals.changes)

    def arrived(self, message: Propose) -> bool:
        """Takes what another node proposes to change, if it is that; Raft's core is to see it only when it has been judged."""
        if not message.proposals or message.proposals[0][0] != EntryKind.MEMBERSHIP:
            return False
        if self._leads() and message.term == self._raft.term and message.source in self._machine.members:
            for _, data in message.proposals:
                if is_change(data):
                    self._enqueue(data)
        return True

    def heard(self, node_id: int) -> None:
        """A message of that node has come in."""
        for waiting in self._waiting:
            waiting.heard.add(node_id)

    def step(self) -> None:
        """Offers what was proposed here to the leader; as the leader, makes what can be made now."""
        self._offer()
        if not self._leads():
            self._waiting.clear()  # of another term: their proposers will know
            return
        now = self._clock.now()
        while self._waiting:
            first = self._waiting[0]
            stale = first.term != self._raft.term or now - first.since > self._patience_s
            if not stale and not self._make(first, now):
                return
            self._waiting.popleft()

    def _leads(self) -> bool:
        return self._raft.leader == self._node_id

    def _offer(self) -> None:
        queue = self._proposals.changes
        while queue:
            proposal = queue[0]
            if not self._leads():
                try:
                    self._raft.propose([(EntryKind.MEMBERSHIP, proposal.data)])
                except ProposalDroppedError:
                    return  # the next tick tries again
            self._bind(queue.popleft())
            if self._leads():
                self._enqueue(proposal.data)

    def _bind(self, proposal: Proposal) -> None:
        self._proposals.bind([proposal], self._raft.term, self._clock.now())

    def _enqueue(self, data: bytes) -> None:
        if len(self._waiting) < MAX_WAITING:
            waiting = _Waiting(data, self._raft.term, self._clock.now())
            waiting.heard.add(self._node_id)
            self._waiting.append(waiting)

    # --- the leader's judgement ----------------------------------------------------------------------------------

    def _make(self, waiting: _Waiting, now: float) -> bool:
        """Appends the change, or its refusal; False if it has to wait."""
        machine = self._machine
        if machine.applied_term != self._raft.term or machine.applied_index < self._last_index:
            return False
        status = self._raft.status()
        if self._wants_to_hear(waiting) and now - waiting.since < self._health_s:
            return False
        try:
            self._check(waiting, status)
        except RequestError as refusal:
            verdict = Command(refusal=refusal_number(refusal)).SerializeToString()
            return self._append(EntryKind.NORMAL, waiting.data + verdict)
        change = raft_change(waiting.change, waiting.data)
        if change is None:
            return self._append(EntryKind.NORMAL, waiting.data)
        return self._append(EntryKind.MEMBERSHIP, encode_change(change))

    def _append(self, kind: EntryKind, data: bytes) -> bool:
        try:
            self._raft.propose([(kind, data)])
        except ProposalDroppedError:
            return False
        self._last_index = self._raft.status().last_index
        return True

    def _wants_to_hear(self, waiting: _Waiting) -> bool:
        """Whether it matters who is there, and not all are known to be."""
        members, change = self._machine.members, waiting.change
        if not self._strict or not _moves_a_quorum(change, members):
            return False
        return not waiting.heard.issuperset(voters(members))

    def _check(self, waiting: _Waiting, status: Status) -> None:
        """Raises what forbids the change (etcd server/etcdserver/server.go: mayAddMember, mayRemoveMember, mayPromoteMember)."""
        change, members = waiting.change, self._machine.members
        if self._strict:
            self._check_quorum(change, members, waiting.heard)
        check_change(change, members, self._machine.removed, self._max_learners)
        if change.action == ChangeMember.PROMOTE:
            learner = status.peers.get(change.member.ID)
            if learner is None or learner.match_index < IN_SYNC * status.stable_index:
                raise LearnerNotReadyError

    def _check_quorum(self, change: ChangeMember, members: Mapping[int, Member], heard: set[int]) -> None:
        target, voting = change.member.ID, voters(members)
        started = {voter for voter in voting if members[voter].name}
        alive = heard.intersection(voting)
        match change.action:
            case ChangeMember.ADD:
                # The first of all may be unknown by name still; and a lone voter that has started may always be joined.
                if not change.member.isLearner and len(voting) > 1 and len(started) < len(voting) // 2 + 1:
                    raise NotEnoughStartedError
                if len(alive) < len(voting):
                    raise UnhealthyClusterError
            case ChangeMember.PROMOTE:
                if target in members and members[target].isLearner and len(started) + 1 < (len(voting) + 1) // 2 + 1:
                    raise NotEnoughStartedError
            case ChangeMember.REMOVE if _moves_a_quorum(change, members):
                if len(started - {target}) < len(set(voting) - {target}) // 2 + 1:
                    raise NotEnoughStartedError
                if target in alive and len(alive) - 1 < 1 + (len(voting) - 1) // 2:
                    raise UnhealthyClusterError


def _moves_a_quorum(change: ChangeMember, members: Mapping[int, Member]) -> bool:
    """Whether the change adds somebody, or removes somebody who is not known to have no vote."""
    known = members.get(change.member.ID)
    return change.action == ChangeMember.ADD or (
        change.action == ChangeMember.REMOVE and not (known is not None and known.isLearner)
    )
