"""A node that takes the log from a leader (paper 5.3), and forwards to it what clients ask."""

from collections.abc import Sequence

from raftkv.errors import ProposalDroppedError, ReadDroppedError
from raftkv.raft.messages import (
    NO_NODE,
    Append,
    AppendReply,
    Entry,
    Heartbeat,
    HeartbeatReply,
    InstallSnapshot,
    Propose,
    ReadIndex,
    ReadIndexReply,
    TimeoutNow,
)
from raftkv.raft.node import Handlers, Node, Proposals, Transitions
from raftkv.raft.ready import ReadAnswer, Role


class Follower:
    """A follower of `node.leader_id`, or of nobody known yet, in one term."""

    def __init__(self, node: Node, transitions: Transitions) -> None:
        self.role = Role.FOLLOWER
        self.dirty = False
        self._node = node
        self._transitions = transitions
        self._ticks = 0
        self._forwarded_reads: dict[bytes, int] = {}  # context -> tick when it was forwarded; in that order
        self.handlers: Handlers = {
            Append: self._on_append,
            Heartbeat: self._on_heartbeat,
            InstallSnapshot: self._on_install_snapshot,
            TimeoutNow: self._on_timeout_now,
            ReadIndexReply: self._on_read_index_reply,
        }

    # --- time ------------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        self._ticks += 1
        self._expire_reads()
        if self._node.timer.tick() and self._node.may_campaign():
            self._transitions.stand(pre_vote=self._node.config.pre_vote)

    def sticky(self) -> bool:
        return self._node.leader_id != NO_NODE and self._node.timer.recent()

    def peer_lost(self, node_id: int) -> None:
        if node_id == self._node.leader_id:
            self._node.timer.hurry()

    # --- the log ---------------------------------------------------------------------------------------------------

    def _on_append(self, append: Append) -> None:
        self._node.timer.hear()
        node, log = self._node, self._node.log
        prev_index, entries = append.prev_index, append.entries
        if prev_index < log.commit:
            # Old, or from a leader that starts to probe: what is committed here agrees with every leader.
            node.defer(AppendReply(node.node_id, append.source, node.term, log.commit))
        elif not node.configurations.current.voters or not log.matches(prev_index, append.prev_term):
            # A node that was added later does not know who took part before entry 1, for that is in no log. So it refuses even
            # entry 0, which everybody else has, and gets a snapshot.
            hint_index, hint_term = log.agreement(prev_index, append.prev_term)
            node.send(AppendReply(node.node_id, append.source, node.term, prev_index, True, hint_index, hint_term))
        elif self._well_formed(append) and self._take(prev_index, entries):
            last_matched = prev_index + len(entries)
            log.commit_to(min(append.commit, last_matched))
            if not append.quiet or entries:
                node.defer(AppendReply(node.node_id, append.source, node.term, last_matched))
        else:
            node.ignore("malformed append")

    @staticmethod
    def _well_formed(append: Append) -> bool:
        index, term = append.prev_index, append.prev_term
        for entry in append.entries:
            index += 1
            if entry[0] != index or not term <= entry[1] <= append.term:
                return False
            term = entry[1]
        return True

    def _take(self, prev_index: int, entries: Sequence[Entry]) -> bool:
        """Appends what the log does not have yet, replacing only what conflicts (paper, Figure 2, step 3; R9, R10)."""
        log, configurations = self._node.log, self._node.configurations
        known = 0
        while known < len(entries) and log.matches(entries[known].index, entries[known].term):
            known += 1
        fresh = entries[known:] if known else entries
        if not fresh:
            return True
        if fresh[0].index <= log.commit or not configurations.fits(fresh, prev_index + known):
            return False
        if fresh[0].index <= log.last_index:
            log.truncate(fresh[0].index)
            configurations.truncate(fresh[0].index)
        log.append(fresh, sum([len(entry[3]) for entry in fresh]))
        for entry in [entry for entry in fresh if entry[2]]:
            configurations.append(entry)
        return True

    def _on_heartbeat(self, heartbeat: Heartbeat) -> None:
        self._node.timer.hear()
        node = self._node
        if heartbeat.commit <= node.log.last_index:
            node.log.commit_to(heartbeat.commit)
        else:
            node.ignore("heartbeat commits what this log does not have")
        node.send(HeartbeatReply(node.node_id, heartbeat.source, node.term, heartbeat.context))

    def _on_install_snapshot(self, install: InstallSnapshot) -> None:
        self._node.timer.hear()
        node, log, snapshot = self._node, self._node.log, install.snapshot
        if not snapshot.membership.voters or snapshot.term > install.term:
            node.ignore("malformed snapshot")
            return
        if snapshot.index > log.commit and not log.matches(snapshot.index, snapshot.term):
            log.reset(snapshot)
            node.configurations.reset(snapshot)
        else:
            # Older than what is here (R30), or the log has it all: entries are cheaper to apply than a state to swap.
            log.commit_to(snapshot.index)
        node.defer(AppendReply(node.node_id, install.source, node.term, log.commit))

    # --- leadership ------------------------------------------------------------------------------------------------

    def _on_timeout_now(self, _: TimeoutNow) -> None:
        if self._node.may_campaign():
            self._transitions.stand(pre_vote=False, transfer=True)
        else:
            self._node.ignore("leadership offered to a node that is no voter")

    # --- requests --------------------------------------------------------------------------------------------------

    def propose(self, proposals: Proposals) -> None:
        node = self._node
        if node.leader_id == NO_NODE:
            raise ProposalDroppedError(f"{len(proposals)} proposals: no leader is known")
        node.send(Propose(node.node_id, node.leader_id, node.term, tuple(proposals)))

    def read_index(self, context: bytes) -> None:
        node = self._node
        if node.leader_id == NO_NODE:
            raise ReadDroppedError(f"read {context!r}: no leader is known")
        if len(self._forwarded_reads) >= node.config.max_pending_reads:
            raise ReadDroppedError(f"read {context!r}: {len(self._forwarded_reads)} reads wait already")
        self._forwarded_reads[context] = self._ticks
        node.send(ReadIndex(node.node_id, node.leader_id, node.term, context))

    def _on_read_index_reply(self, reply: ReadIndexReply) -> None:
        if self._forwarded_reads.pop(reply.context, None) is None:
            self._node.ignore("answer to no pending read")
        elif reply.reject:
            self._node.lost_reads.append(reply.context)
        else:
            self._node.reads.append(ReadAnswer(reply.context, reply.index))

    def _expire_reads(self) -> None:
        """Gives up reads whose question or answer was lost."""
        oldest = self._ticks - self._node.config.election_ticks
        while self._forwarded_reads:
            context, asked = next(iter(self._forwarded_reads.items()))
            if asked > oldest:
                return
            del self._forwarded_reads[context]
            self._node.lost_reads.append(context)

    def flush(self) -> None:
        """Nothing is gathered."""

    def leave(self) -> None:
        self._node.lost_reads += self._forwarded_reads
        self._forwarded_reads.clear()
