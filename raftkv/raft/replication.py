"""The leader's side of replication: what to send to whom (paper 5.3, 7)."""

from raftkv.errors import CompactedLogError
from raftkv.raft.messages import Append, AppendReply, Entry, Heartbeat, InstallSnapshot, Snapshot
from raftkv.raft.node import Node
from raftkv.raft.progress import Progress, ProgressState, Window
from raftkv.raft.quorum import agreed

Chunks = dict[int, tuple[tuple[Entry, ...], int]]
"""Entries and their size by the first index: followers that are equally far get the same tuple."""


class Replication:
    """The progress of every member in one leader's term, the leader's own included.

    A removed member stays in `departing` until it has been sent the commit that removes it, or for about an election
    timeout after that commit, so that it learns why nobody talks to it any more. It counts nowhere.
    """

    __slots__ = ("_node", "departing", "peers")

    def __init__(self, node: Node) -> None:
        self._node = node
        self.peers: dict[int, Progress] = {}
        self.departing: dict[int, int] = {}
        """Removed member -> the index that removes it; its progress is still in `peers`."""
        self.follow_membership(active=False)

    def follow_membership(self, *, active: bool) -> None:
        """Takes the current membership over: new members start, absent ones are departing.

        `active`: new members count as heard from until the leader counts its quorum the second time.
        """
        node = self._node
        members = node.configurations.current.voters + node.configurations.current.learners
        for member in members:
            self.departing.pop(member, None)
            if member not in self.peers:
                window = Window(node.config.max_inflight_messages, node.config.max_inflight_bytes)
                self.peers[member] = Progress(node.log.last_index + 1, window, active=active)
        for member in self.peers:
            if member not in members:
                self.departing.setdefault(member, node.configurations.current_index)

    def persisted(self) -> None:
        """This node's own disk counts as a follower's does (thesis 10.2.1), if it is a member."""
        own = self.peers.get(self._node.node_id)
        if own is not None:
            own.succeeded(self._node.log.stable)

    def agreed_index(self) -> int:
        """The last index that a quorum of voters has on disk."""
        return agreed([self.peers[voter].match for voter in self._node.configurations.current.voters])

    def agreed_round(self) -> int:
        """The last read round that a quorum of voters has answered."""
        return agreed([self.peers[voter].read_round for voter in self._node.configurations.current.voters])

    def take_active(self) -> int:
        """How many voters were heard from since the last call, this node included."""
        own = self.peers.get(self._node.node_id)
        if own is not None:
            own.active = True
        count = sum(self.peers[voter].active for voter in self._node.configurations.current.voters)
        for progress in self.peers.values():
            progress.active = False
        return count

    def accept(self, reply: AppendReply) -> bool:
        """Takes an answer to an Append; returns whether the follower is further than was known."""
        progress, log = self.peers[reply.source], self._node.log
        if reply.index > log.last_index:
            self._node.ignore("answer for entries that were never sent")
            return False
        if reply.reject:
            self._refused(reply, progress)
            return False
        news = progress.succeeded(reply.index)
        agreed_while_probing = progress.state == ProgressState.PROBE and reply.index == progress.match
        caught_up = progress.state == ProgressState.SNAPSHOT and progress.match >= log.start_index
        if agreed_while_probing or caught_up:
            progress.replicate()
        return news

    def _refused(self, reply: AppendReply, progress: Progress) -> None:
        if reply.index == 0 and progress.match == 0 and progress.state == ProgressState.PROBE:
            self._send_snapshot(reply.source, progress)  # it knows no beginning: see Follower
            return
        log = self._node.log
        agreement, _ = log.agreement(reply.hint_index, reply.hint_term)
        if reply.hint_index < log.start_index:
            agreement = reply.hint_index  # what it needs next is compacted: no use to probe where the log starts
        if not progress.refused(reply.index, agreement):
            self._node.ignore("refusal of an old append")

    def heard(self, progress: Progress) -> None:
        """A heartbeat was answered: what was sent before has arrived or is lost, so ask again if something is missing."""
        progress.paused = False
        progress.nudge = progress.match < self._node.log.last_index

    def has_news(self, progress: Progress) -> bool:
        """Whether that follower is to be sent something now."""
        log = self._node.log
        if progress.state == ProgressState.PROBE:
            return not progress.paused
        return progress.nudge or progress.next <= log.last_index or progress.sent_commit < log.commit

    # --- sending ---------------------------------------------------------------------------------------------------

    def heartbeat(self, context: bytes, *, voters_only: bool = False) -> None:
        """Sends a heartbeat to everybody, or to those who count for reads."""
        node = self._node
        voters = node.configurations.current.voters
        for member, progress in self.peers.items():
            if member != node.node_id and (not voters_only or member in voters):
                # Never past what the follower is known to hold: its log may differ behind that (R11).
                commit = min(progress.match, node.log.commit)
                node.send(Heartbeat(node.node_id, member, node.term, commit, context))

    def send_appends(self) -> None:
        """Sends every follower what it may get now."""
        chunks: Chunks = {}
        for member, progress in self.peers.items():
            if member != self._node.node_id:
                self._send_to(member, progress, chunks)
        if self.departing:
            self._dismiss()

    def _send_to(self, member: int, progress: Progress, chunks: Chunks) -> None:
        if progress.state == ProgressState.PROBE:
            if not progress.paused:
                self._send_append(member, progress, chunks)
        elif progress.state == ProgressState.REPLICATE:
            log = self._node.log
            while progress.next <= log.last_index and not progress.window.full():
                if not self._send_append(member, progress, chunks):
                    return
            if progress.nudge or progress.sent_commit < log.commit:
                self._send_append(member, progress, chunks, quiet=not progress.nudge)

    def _send_append(self, member: int, progress: Progress, chunks: Chunks, *, quiet: bool = False) -> bool:
        """Sends the next entries, as many as the window and one message take; none if there are none. `quiet`: wants no answer."""
        node, log = self._node, self._node.log
        prev_index = progress.next - 1
        try:
            prev_term = log.term(prev_index)
            entries, size = ((), 0) if progress.window.full() else self._chunk(progress.next, chunks)
        except CompactedLogError:
            self._send_snapshot(member, progress)
            return False
        node.send(Append(node.node_id, member, node.term, prev_index, prev_term, log.commit, entries, quiet))
        progress.sent(prev_index + len(entries), size, log.commit)
        return True

    def _chunk(self, first: int, chunks: Chunks) -> tuple[tuple[Entry, ...], int]:
        if first not in chunks:
            log = self._node.log
            entries: tuple[Entry, ...] = ()
            if first <= log.last_index:
                entries = tuple(log.slice(first, log.last_index + 1, self._node.config.max_append_bytes))
            chunks[first] = entries, sum([len(entry[3]) for entry in entries])
        return chunks[first]

    def _send_snapshot(self, member: int, progress: Progress) -> None:
        """Announces a snapshot of what is applied here; pointless while the follower is silent, or while that is nothing."""
        node = self._node
        if not progress.active or node.log.applied == 0:
            progress.paused = True
            return
        snapshot = Snapshot(node.log.applied, node.log.term(node.log.applied), node.configurations.at(node.log.applied))
        progress.await_snapshot(snapshot)
        node.send(InstallSnapshot(node.node_id, member, node.term, snapshot))

    def check(self) -> None:
        """Asserts what holds between two messages."""
        for progress in self.peers.values():
            progress.check()
            assert progress.match <= self._node.log.last_index, progress

    # --- departing members -----------------------------------------------------------------------------------------

    def _dismiss(self) -> None:
        for member, index in list(self.departing.items()):
            if self.peers[member].match >= index and self.peers[member].sent_commit >= index:
                self._drop(member)

    def dismiss_late(self) -> None:
        """Gives up the departing members whose removal was committed: they had their time."""
        for member, index in list(self.departing.items()):
            if index <= self._node.log.commit:
                self._drop(member)

    def _drop(self, member: int) -> None:
        del self.departing[member]
        del self.peers[member]
