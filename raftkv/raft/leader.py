"""A node that leads: it orders proposals, replicates them, commits them and answers reads (paper 5.3, 5.4; thesis 3, 4, 6)."""

from collections import deque
from collections.abc import Iterable

from raftkv.errors import ProposalDroppedError, ReadDroppedError, TransferDroppedError
from raftkv.raft.membership import InvalidChangeError, changed, decode_change
from raftkv.raft.messages import (
    NO_NODE,
    AppendReply,
    Entry,
    EntryKind,
    HeartbeatReply,
    Propose,
    ReadIndex,
    ReadIndexReply,
    TimeoutNow,
)
from raftkv.raft.node import Handlers, Node, Proposals, Transitions
from raftkv.raft.progress import Progress, ProgressState
from raftkv.raft.quorum import has_majority
from raftkv.raft.reading import ReadRounds
from raftkv.raft.ready import ReadAnswer, Role
from raftkv.raft.replication import Replication


class Leader:
    """The leader of one term."""

    def __init__(self, node: Node, transitions: Transitions) -> None:
        self.role = Role.LEADER
        self._node = node
        self._transitions = transitions
        self.replication = Replication(node)
        self._rounds = ReadRounds(node.config.max_pending_reads)
        self._uncommitted: deque[tuple[int, int]] = deque()  # (last index, bytes) of each append
        self._uncommitted_bytes = 0
        self._first_index = node.log.last_index + 1  # of this term: nothing counts as committed before it is (R1, R14, R19)
        self._heartbeat_elapsed = 0
        self._quorum_elapsed = 0
        self._transfer_elapsed = 0
        self.transfer_target = NO_NODE
        self.dirty = True
        self.handlers: Handlers = {
            AppendReply: self._on_append_reply,
            HeartbeatReply: self._on_heartbeat_reply,
            Propose: self._on_propose,
            ReadIndex: self._on_read_index,
        }

    def start(self) -> None:
        """Appends the entry that commits the term, and says who leads."""
        self._append([(EntryKind.NORMAL, b"")], 0)

    # --- time ------------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        config = self._node.config
        self._quorum_elapsed += 1
        if self._quorum_elapsed >= config.election_ticks and not self._keep_quorum():
            return
        if self.transfer_target != NO_NODE:
            self._transfer_elapsed += 1
            if self._transfer_elapsed >= config.election_ticks:
                self.transfer_target = NO_NODE
        self._heartbeat_elapsed += 1
        if self._heartbeat_elapsed >= config.heartbeat_ticks:
            self._heartbeat_elapsed = 0
            self.replication.heartbeat(self._rounds.context())

    def _keep_quorum(self) -> bool:
        """Steps down if no quorum was heard from for an election timeout (thesis 6.2)."""
        self._quorum_elapsed = 0
        self.replication.dismiss_late()
        active = self.replication.take_active()
        if not self._node.config.check_quorum or has_majority(active, self._node.configurations.current.voters):
            return True
        self._transitions.follow(self._node.term, NO_NODE)
        return False

    def sticky(self) -> bool:
        return True

    # --- proposals -------------------------------------------------------------------------------------------------

    def propose(self, proposals: Proposals) -> None:
        size = sum([len(data) for _, data in proposals])
        self._refuse_now(size)
        changes = [data for kind, data in proposals if kind]
        if changes:
            self._refuse_changes(changes)
        self._append(proposals, size)

    def _on_propose(self, message: Propose) -> None:
        """Appends what a follower forwarded. A membership change that cannot be is left out alone."""
        if message.source not in self.replication.peers:
            self._node.ignore("proposals of a node that is no member")
            return
        proposals: Proposals = message.proposals
        size = sum([len(data) for _, data in proposals])
        try:
            self._refuse_now(size)
        except ProposalDroppedError:
            self._node.ignore("forwarded proposals that cannot be taken now")
            return
        changes = [data for kind, data in proposals if kind]
        try:
            self._refuse_changes(changes)
        except ProposalDroppedError:
            self._node.ignore("forwarded membership change that cannot be made now")
            proposals = [proposal for proposal in proposals if not proposal[0]]
        self._append(proposals, size)

    def _refuse_now(self, size: int) -> None:
        """Raises if nothing can be proposed at present, or not so many bytes."""
        node = self._node
        if self.transfer_target != NO_NODE:
            raise ProposalDroppedError(f"leadership is being handed over to node {self.transfer_target}")
        if node.node_id not in node.configurations.current.voters:
            raise ProposalDroppedError("this leader is being removed")
        if self._uncommitted_bytes and self._uncommitted_bytes + size > node.config.max_uncommitted_bytes:
            raise ProposalDroppedError(f"{self._uncommitted_bytes} bytes are not committed yet")

    def _refuse_changes(self, changes: list[bytes]) -> None:
        """Raises unless there is no change, or one that may be made now (thesis 4.1, and raft-dev, July 2015; R14, R15)."""
        if not changes:
            return
        node = self._node
        if len(changes) > 1 or node.configurations.current_index > node.log.commit:
            raise ProposalDroppedError("another membership change is not committed yet")
        if node.log.commit < self._first_index:
            raise ProposalDroppedError("this leader has not committed in its term yet")
        try:
            changed(node.configurations.current, decode_change(changes[0]))
        except InvalidChangeError as error:
            raise ProposalDroppedError(str(error)) from error

    def _append(self, proposals: Proposals, size: int) -> None:
        node = self._node
        term = node.term
        entries = [Entry(index, term, kind, data) for index, (kind, data) in enumerate(proposals, node.log.last_index + 1)]
        if not entries:
            return
        node.log.append(entries, size)
        self._uncommitted.append((entries[-1].index, size))
        self._uncommitted_bytes += size
        self.dirty = True
        for entry in [entry for entry in entries if entry[2]]:
            node.configurations.append(entry)
            self.replication.follow_membership(active=True)

    # --- replication -----------------------------------------------------------------------------------------------

    def _on_append_reply(self, reply: AppendReply) -> None:
        progress = self._heard_from(reply.source)
        if progress is None:
            return
        if self.replication.accept(reply):
            self._advance_commit()
            self._hand_over()
        self.dirty = self.dirty or self.replication.has_news(progress)

    def _on_heartbeat_reply(self, reply: HeartbeatReply) -> None:
        progress = self._heard_from(reply.source)
        if progress is None:
            return
        self.replication.heard(progress)
        self.dirty = self.dirty or self.replication.has_news(progress)
        if reply.context:
            progress.read_round = max(progress.read_round, self._rounds.answered(reply.context))
            self._answer_reads()

    def _heard_from(self, source: int) -> Progress | None:
        progress = self.replication.peers.get(source)
        if progress is None or source == self._node.node_id:
            self._node.ignore("answer from a node that is no member")
            return None
        progress.active = True
        return progress

    def persisted(self) -> None:
        """This node's disk has caught up with its log."""
        self.replication.persisted()
        self._advance_commit()

    def _advance_commit(self) -> None:
        """Commits what a quorum has on disk, if it is of this term (paper 5.4.2)."""
        log = self._node.log
        index = self.replication.agreed_index()
        if index <= log.commit or index < self._first_index:
            return
        log.commit_to(index)
        self.dirty = True
        while self._uncommitted and self._uncommitted[0][0] <= index:
            self._uncommitted_bytes -= self._uncommitted.popleft()[1]
        configurations = self._node.configurations
        if self._node.node_id not in configurations.current.voters and configurations.current_index <= index:
            self._retire()

    def _retire(self) -> None:
        """The removal of this leader is committed: says so, and lets the best voter take over at once (thesis 4.2.2)."""
        node, peers = self._node, self.replication.peers
        self.replication.send_appends()
        best = max(node.configurations.current.voters, key=lambda voter: (peers[voter].match, -voter))
        node.send(TimeoutNow(node.node_id, best, node.term))
        self._transitions.follow(node.term, NO_NODE)

    def report_unreachable(self, node_id: int) -> None:
        """What was on its way there may be lost."""
        progress = self.replication.peers.get(node_id)
        if progress is not None and progress.state == ProgressState.REPLICATE:
            progress.probe()
            self.dirty = True

    def peer_lost(self, node_id: int) -> None:
        """Its connection is gone, and what was on it."""
        self.report_unreachable(node_id)

    def report_snapshot(self, node_id: int, *, ok: bool) -> None:
        """The snapshot for that node was streamed, or was not; wait for a word from it before going on."""
        progress = self.replication.peers.get(node_id)
        if progress is not None and progress.state == ProgressState.SNAPSHOT:
            if not ok:
                progress.pending_snapshot = 0
            progress.probe()
            progress.paused = True

    # --- reads -----------------------------------------------------------------------------------------------------

    def read_index(self, context: bytes) -> None:
        if not self._rounds.ask(self._node.node_id, context):
            raise ReadDroppedError(f"read {context!r}: {len(self._rounds)} reads wait already")
        self.dirty = True

    def _on_read_index(self, message: ReadIndex) -> None:
        node = self._node
        if message.source not in self.replication.peers:
            node.ignore("read of a node that is no member")
        elif (index := self.vouched_index(message.source)) is not None:
            self._answer_read(message.source, message.context, index)
        elif self._rounds.ask(message.source, message.context):
            self.dirty = True
        else:
            node.ignore("forwarded read while too many wait")
            self._answer_read(message.source, message.context, None)

    def vouched_index(self, source: int) -> int | None:
        """The read index for what that node asks in this term, where its asking is the answer of a quorum already: the node
        elected nobody else before it asked, and neither did this one. It says nothing about what others ask.
        """
        node = self._node
        voters = node.configurations.current.voters
        if node.log.commit < self._first_index or not has_majority(len({source, node.node_id}.intersection(voters)), voters):
            return None
        return node.log.commit

    def _start_round(self) -> None:
        """One round for all reads of this turn, as soon as this leader knows what is committed (R19)."""
        node = self._node
        if not self._rounds.waiting or node.log.commit < self._first_index:
            return
        context = self._rounds.start(node.log.commit)
        own = self.replication.peers.get(node.node_id)
        if own is not None:
            own.read_round = self._rounds.latest
        if node.configurations.current.voters != (node.node_id,):
            self.replication.heartbeat(context, voters_only=True)
        self._answer_reads()

    def _answer_reads(self) -> None:
        for confirmed in self._rounds.confirm(self.replication.agreed_round()):
            for source, context in confirmed.reads:
                self._answer_read(source, context, confirmed.commit)

    def _answer_read(self, source: int, context: bytes, index: int | None) -> None:
        node = self._node
        if source == node.node_id and index is not None:
            node.reads.append(ReadAnswer(context, index))
        else:
            node.send(ReadIndexReply(node.node_id, source, node.term, context, index or 0, reject=index is None))

    # --- leadership ------------------------------------------------------------------------------------------------

    def transfer_leadership(self, target: int) -> None:
        """Stops taking proposals and hands over to `target` once it has the whole log (thesis 3.10)."""
        node = self._node
        if target == node.node_id:
            self.transfer_target = NO_NODE
            return
        if target not in node.configurations.current.voters:
            raise TransferDroppedError(f"node {target} is no voter")
        if target != self.transfer_target:
            self.transfer_target = target
            self._transfer_elapsed = 0
            self.dirty = True
            self._hand_over()

    def _hand_over(self) -> None:
        node, target = self._node, self.transfer_target
        if target != NO_NODE and self.replication.peers[target].match == node.log.last_index:
            node.send(TimeoutNow(node.node_id, target, node.term))

    # --- turns -----------------------------------------------------------------------------------------------------

    def flush(self) -> None:
        self.dirty = False
        self.replication.send_appends()
        self._start_round()

    def leave(self) -> None:
        own_reads: Iterable[bytes] = [read.context for read in self._rounds.abandon() if read.source == self._node.node_id]
        self._node.lost_reads += own_reads
