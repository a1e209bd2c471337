"""Bugs of the algorithm itself, in raftkv/raft: the walks of the core alone look for them."""

from raftkv_chaos.mutants.mutant import Edit, Impossible, Mutant

RAFT, LEADER, FOLLOWER, CANDIDATE = (f"raftkv.raft.{name}" for name in ("raft", "leader", "follower", "candidate"))
LOG, NODE, PERSISTENCE, PROGRESS = (f"raftkv.raft.{name}" for name in ("log", "node", "persistence", "progress"))
REPLICATION, READING, TIMER = (f"raftkv.raft.{name}" for name in ("replication", "reading", "election_timer"))

WALK = ("raft", "duels")
RARE = ("duels", "raft")
"""For what random faults find once in thousands of walks."""
OLD = ("echoes", "duels", "raft")
"""For what does harm when an old message comes again, or a leader sends what ours would not."""


def _one(identifier: str, title: str, module: str, old: str, new: str, finders: tuple[str, ...] = WALK) -> Mutant:  # noqa: PLR0917 (a row of the table)
    return Mutant(identifier, title, (Edit(module, old, new),), finders)


_MATCHES = "agreed([self.peers[voter].match for voter in self._node.configurations.current.voters])"
_ROUNDS = "agreed([self.peers[voter].read_round for voter in self._node.configurations.current.voters])"

ELECTIONS = (
    _one(
        "R2",
        "a vote leaves before it is on disk",
        RAFT,
        "node.defer(VoteReply(node.node_id, vote.source, node.term, granted=True))",
        "node.send(VoteReply(node.node_id, vote.source, node.term, granted=True))",
    ),
    _one(
        "R2b",
        "a candidate asks for votes before its own is on disk",
        CANDIDATE,
        "send = node.send if self._pre_vote else node.defer",
        "send = node.messages.append if node.durable_term else node.send",
    ),
    _one(
        "R2c",
        "the vote is not written",
        PERSISTENCE,
        "HardState(node.term, node.vote, log.commit)",
        "HardState(node.term, 0, log.commit)",
    ),
    _one("R3", "messages tell a term that is not on disk", NODE, "if self.term == self.durable_term:", "if self.term:"),
    _one("R3b", "a new term is not synced", PERSISTENCE, "            or node.term != self._handed.term\n", ""),
    _one(
        "R6",
        "votes are counted by message and not by node",
        CANDIDATE,
        "self._votes.setdefault(reply.source, reply.granted)",
        "voters = self._node.configurations.current.voters\n"
        "        free = [voter for voter in voters if voter not in self._votes]\n"
        "        self._votes.setdefault(free[0] if reply.source in self._votes and free else reply.source, reply.granted)",
        RARE,
    ),
    _one(
        "R7",
        "the longer log counts as more up to date, whatever its last term",
        LOG,
        "return (last_term, last_index) >= (self.last_term, self.last_index)",
        "return last_index >= self.last_index",
    ),
    _one(
        "R7b",
        "the later last term counts as up to date, however short the log",
        LOG,
        "return (last_term, last_index) >= (self.last_term, self.last_index)",
        "return last_term >= self.last_term",
    ),
    Mutant(
        "R8",
        "a vote of an earlier term counts",
        (
            Edit(RAFT, "elif message.term < node.term:", "elif message.term < node.term and type(message) is not VoteReply:"),
            Edit(
                CANDIDATE,
                "if reply.pre_vote != self._pre_vote or reply.term != expected_term:",
                "if reply.pre_vote != self._pre_vote or reply.term > expected_term:",
            ),
        ),
        OLD,
    ),
    _one(
        "R26",
        "a refused pre-vote does not tell the higher term",
        RAFT,
        "term = vote.term if granted else node.term",
        "term = vote.term if granted else vote.term - 1",
        RARE,
    ),
    _one(
        "R27",
        "a pre-vote raises the term and takes the vote",
        RAFT,
        "        if not pre_vote:\n",
        "        if node.term or not pre_vote:\n",
        ("steady", "raft"),
    ),
    Mutant(
        "R28",
        "the votes of one candidacy count in the next",
        (
            Edit(
                CANDIDATE,
                '    """One candidacy; each starts with no votes (R28)."""\n',
                '    """One candidacy."""\n\n    _kept: "dict[Node, dict[int, bool]]" = {}\n',
            ),
            Edit(
                CANDIDATE,
                "self._votes = {node.node_id: True}",
                "self._votes = self._kept.setdefault(node, {node.node_id: True})",
            ),
        ),
        WALK,
    ),
    _one(
        "R29",
        "a leader without its quorum stays",
        LEADER,
        "        self._transitions.follow(self._node.term, NO_NODE)\n        return False",
        "        return True",
        ("steady", "raft"),
    ),
    _one(
        "R40",
        "all nodes have the same election timeout",
        TIMER,
        "self._timeout = self._rng.randrange(self._election_ticks, 2 * self._election_ticks)",
        "self._timeout = self._election_ticks",
        ("steady", "raft"),
    ),
)

REPLICATION_BUGS = (
    _one(
        "R1",
        "entries of earlier terms are committed by counting",
        LEADER,
        "if index <= log.commit or index < self._first_index:",
        "if index <= log.commit:",
        RARE,
    ),
    _one(
        "R4",
        "a follower acknowledges before its disk has the entries",
        FOLLOWER,
        "node.defer(AppendReply(node.node_id, append.source, node.term, last_matched))",
        "node.send(AppendReply(node.node_id, append.source, node.term, last_matched))",
    ),
    _one(
        "R5",
        "a leader counts itself before its own disk has the entries",
        REPLICATION,
        _MATCHES,
        _MATCHES.replace(
            "self.peers[voter].match", "(self._node.log.last_index if voter == self._node.node_id else self.peers[voter].match)"
        ),
    ),
    _one(
        "R8b",
        "an acknowledgement of an earlier term counts",
        RAFT,
        "elif message.term < node.term:",
        'elif message.term < node.term and type(message).__name__ != "AppendReply":',
        OLD,
    ),
    _one(
        "R9",
        "a follower truncates its log at every append",
        FOLLOWER,
        "while known < len(entries) and log.matches(entries[known].index, entries[known].term):",
        "while known < 0:",
    ),
    _one(
        "R10",
        "entries in conflict stay",
        FOLLOWER,
        "while known < len(entries) and log.matches(entries[known].index, entries[known].term):",
        "while known < len(entries) and entries[known].index <= log.last_index:",
    ),
    _one(
        "R11",
        "a follower commits beyond what the append matched",
        FOLLOWER,
        "log.commit_to(min(append.commit, last_matched))",
        "log.commit_to(min(append.commit, log.last_index))",
        OLD,
    ),
    _one(
        "R11b",
        "a heartbeat commits beyond what the follower is known to hold",
        REPLICATION,
        "commit = min(progress.match, node.log.commit)",
        "commit = node.log.commit",
    ),
    _one(
        "R12",
        "a follower answers with the end of its own log, which may differ",
        FOLLOWER,
        "node.defer(AppendReply(node.node_id, append.source, node.term, log.commit))",
        "node.defer(AppendReply(node.node_id, append.source, node.term, log.last_index))",
        OLD,
    ),
    Mutant(
        "R13",
        "an old refusal lowers what was acknowledged",
        (
            Edit(
                PROGRESS,
                "if self.state == ProgressState.SNAPSHOT or index <= self.match:",
                "if self.state == ProgressState.SNAPSHOT:",
            ),
            Edit(
                PROGRESS,
                "self.next = max(self.match, min(index - 1, agreement)) + 1",
                "self.next = min(index - 1, agreement) + 1",
            ),
        ),
        WALK,
    ),
    Mutant(
        "R37",
        "a persist that ends late counts for entries that replaced its own",
        (
            Edit(
                PERSISTENCE,
                "        log.persisted()",
                "        if persist.entries:\n"
                "            log.handed = max(log.handed, min(persist.entries[-1].index, log.last_index))\n"
                "        log.persisted()",
            ),
        ),
        WALK,
    ),
    _one(
        "R41",
        "a leader commits what only its own disk has",
        LEADER,
        "index = self.replication.agreed_index()",
        "index = log.stable",
    ),
)

MEMBERSHIP_BUGS = (
    _one(
        "R14",
        "members change before the leader has committed in its term",
        LEADER,
        "        if node.log.commit < self._first_index:\n"
        '            raise ProposalDroppedError("this leader has not committed in its term yet")\n',
        "",
    ),
    _one(
        "R15",
        "a second change of members is taken while one is pending",
        LEADER,
        "if len(changes) > 1 or node.configurations.current_index > node.log.commit:",
        "if len(changes) > 1:",
    ),
    _one(
        "R16",
        "a change of members survives the truncation of its entry",
        FOLLOWER,
        "            configurations.truncate(fresh[0].index)\n",
        "",
    ),
    _one(
        "R17",
        "a removed leader still counts itself",
        REPLICATION,
        _MATCHES,
        _MATCHES.replace(
            "self._node.configurations.current.voters",
            "{*self._node.configurations.current.voters, self._node.node_id} & self.peers.keys()",
        ),
    ),
    _one(
        "R18",
        "a learner counts in the quorum",
        REPLICATION,
        _MATCHES,
        _MATCHES.replace(
            "self._node.configurations.current.voters",
            "self._node.configurations.current.voters + self._node.configurations.current.learners",
        ),
    ),
    _one(
        "R36",
        "a leader takes proposals while it hands over",
        LEADER,
        "        if self.transfer_target != NO_NODE:\n            raise ProposalDroppedError(",
        "        if self.transfer_target != NO_NODE and not node.term:\n            raise ProposalDroppedError(",
        ("tests:tests/raft/test_paper_transfer.py", "raft"),
    ),
    _one(
        "R36b",
        "the vote for a successor does not ask whether its log is up to date",
        RAFT,
        "if vote.term == node.term and free and up_to_date:",
        "if vote.term == node.term and free and (up_to_date or vote.transfer):",
        RARE,
    ),
    _one(
        "R36c",
        "leadership is handed to a voter that lacks entries",
        LEADER,
        "if target != NO_NODE and self.replication.peers[target].match == node.log.last_index:",
        "if target != NO_NODE:",
        ("tests:tests/raft/test_paper_transfer.py", "raft"),
    ),
)

READ_BUGS = (
    _one(
        "R19",
        "a read is served before the leader has committed in its term",
        LEADER,
        "if not self._rounds.waiting or node.log.commit < self._first_index:",
        "if not self._rounds.waiting:",
    ),
    _one(
        "R19b",
        "a new leader appends no entry of its own",
        LEADER,
        'self._append([(EntryKind.NORMAL, b"")], 0)',
        "self._heartbeat_elapsed = 0",
        ("steady", "raft"),
    ),
    _one(
        "R20",
        "a leader reads without asking its quorum",
        REPLICATION,
        "return " + _ROUNDS,
        "return max(peer.read_round for peer in self.peers.values())",
    ),
    _one(
        "R21",
        "a read round begins under the number of the one before",
        READING,
        "        self._number += 1\n",
        "        self._number += not self._rounds\n",
    ),
    _one(
        "R22",
        "a leader that steps down answers the reads that wait",
        LEADER,
        "self._node.lost_reads += own_reads",
        "self._node.reads += [ReadAnswer(context, self._node.log.commit) for context in own_reads]",
    ),
    _one(
        "R25",
        "a leader takes the commit index it was elected with for the cluster's",
        LEADER,
        "self._first_index = node.log.last_index + 1",
        "self._first_index = node.log.commit + 1",
    ),
)

SNAPSHOT_BUGS = (
    Mutant(
        "R30",
        "an older snapshot replaces newer state",
        (
            Edit(
                FOLLOWER,
                "if snapshot.index > log.commit and not log.matches(snapshot.index, snapshot.term):",
                "if snapshot.index != log.commit:",
            ),
            Edit(LOG, "        assert snapshot.index > self.commit, f", "        assert snapshot.index, f"),
        ),
        OLD,
    ),
    _one(
        "R35",
        "a snapshot that did not arrive is never sent again",
        LEADER,
        "            if not ok:\n                progress.pending_snapshot = 0\n",
        "            if not ok:\n                return\n",
    ),
)

MUTANTS = ELECTIONS + REPLICATION_BUGS + MEMBERSHIP_BUGS + READ_BUGS + SNAPSHOT_BUGS
IMPOSSIBLE = (
    Impossible(
        "R23",
        "a lease read counts its lease from the answer, by a wall clock, or over a transfer",
        "no read relies on a lease: linearizable ones ask a quorum, and bounded staleness counts from a round's own beginning "
        "(R23b plants the nearest thing there)",
    ),
)
