"""Bugs of what drives Raft: proposals, reads, snapshots, the order of writes. Whole clusters under virtual time look for them."""

from raftkv_chaos.mutants.mutant import Edit, Impossible, Mutant

REPLICA, WRITER, PROPOSALS, READS = (f"raftkv.server.{name}" for name in ("replica", "writer", "proposals", "reads"))
APPLIER, CHANGES, RAFT = "raftkv.server.applier", "raftkv.server.changes", "raftkv.raft.raft"
SNAPSHOTS, SNAPSHOT, LOG = "raftkv.server.snapshots", "raftkv.storage.snapshot", "raftkv.storage.log"

CLUSTER = ("cluster",)


def _one(identifier: str, title: str, module: str, old: str, new: str, finders: tuple[str, ...] = CLUSTER) -> Mutant:  # noqa: PLR0917 (a row of the table)
    return Mutant(identifier, title, (Edit(module, old, new),), finders)


def _snapshot_without(table: str) -> tuple[Edit]:
    old = "        if table.replicated:\n            for rows in _chunks"
    return (
        Edit(SNAPSHOT, old, f"        if table.replicated and table.name not in {table}:\n            for rows in _chunks"),
    )


MUTANTS = (
    _one(
        "R4b",
        "what Raft waits for is written, but not synced",
        WRITER,
        "self._write(batch, sync=True), saved)",
        "self._write(batch, sync=False), saved)",
    ),
    _one(
        "R5b",
        "what Raft waits for counts as synced when it is handed to the disk",
        REPLICA,
        "elif not self._writer.persist(persist):",
        "elif self._writer.persist(persist) is not None:",
    ),
    _one(
        "R18b",
        "a learner is promoted while it lags",
        CHANGES,
        "if learner is None or learner.match_index < IN_SYNC * status.stable_index:",
        "if learner is None:",
        ("tests:tests/server/test_membership.py",),
    ),
    _one(
        "R21b",
        "a retried read asks under the context of the question before",
        READS,
        "        self._next += 1\n        self._rounds[context]",
        "        self._rounds[context]",
    ),
    _one(
        "R23b",
        "bounded staleness counts from the answer of a round, not from its beginning",
        REPLICA,
        "self._reads.confirmed(context, index, applied)",
        "self._reads.confirmed(context, index, applied)\n            self._reads.fresh_at = self._clock.now()",
    ),
    _one(
        "R24",
        "a read is served before its index is applied",
        READS,
        "        if index <= applied:\n            self._serve(began, waiters)\n        else:\n            self._until_applied",
        "        if index:\n            self._serve(began, waiters)\n        else:\n            self._until_applied",
    ),
    _one(
        "R31",
        "a snapshot is installed without the hard state that came with it",
        WRITER,
        "        self._log.save(batch, hard_state, persist.entries)\n\n        def saved",
        "        self._log.save(batch, None, persist.entries)\n\n        def saved",
        ("stores",),
    ),
    Mutant("R32", "a snapshot leaves the leases out", _snapshot_without('{"LEASES", "LEASE_KEYS"}'), CLUSTER),
    Mutant(
        "R32b",
        "a snapshot leaves users and roles out",
        _snapshot_without('{"AUTH"}'),
        ("cluster", "tests:tests/auth/test_replicas.py"),
    ),
    Mutant("R32c", "a snapshot leaves the request ids out", _snapshot_without('{"REQUESTS"}'), CLUSTER),
    Mutant("R32d", "a snapshot leaves the order of changes out", _snapshot_without('{"REVISIONS"}'), CLUSTER),
    _one(
        "R33",
        "the log stays on disk when a snapshot replaces it",
        LOG,
        "        batch.truncate(Table.LOG, _KEY.pack(0), _KEY.pack(self._promised + 1))\n",
        "",
    ),
    _one(
        "R34",
        "a snapshot with a chunk that is lost or not its own is taken",
        SNAPSHOT,
        "if rows.crc32 != self._checksum:",
        "if rows.crc32 < 0:",
        ("tests:tests/storage/test_snapshot.py",),
    ),
    _one(
        "R35b",
        "a snapshot that does not go on is never given up (was a bug of ours)",
        SNAPSHOTS,
        "STALLED_S = 20.0",
        "STALLED_S = 1e9",
    ),
    _one(
        "R35c",
        "a snapshot that nobody needs any more keeps the next one out (was a bug of ours)",
        SNAPSHOTS,
        "if not self._arrived(message):",
        "if not (self._arrived(message) or message.term):",
        ("sim",),
    ),
    Mutant(
        "R38",
        "how far the state is goes to disk one pass before the state",
        (
            Edit(
                APPLIER,
                "        before = self._machine.applied_index\n",
                "        before = self._machine.applied_index\n        self._machine.record_progress()\n",
            ),
            Edit(APPLIER, "        self._machine.record_progress()\n        return True", "        return True"),
        ),
        CLUSTER,
    ),
    _one(
        "R39",
        "a proposal is offered again while the first offer may still be applied",
        PROPOSALS,
        "if UNBOUND < p.term < term]",
        "if UNBOUND < p.term <= term]",
    ),
    _one(
        "R39b",
        "the leader takes proposals that were bound to an earlier term",
        RAFT,
        "elif message.term < node.term:",
        'elif message.term < node.term and not (type(message).__name__ == "Propose" and node.leader_id == node.node_id):',
    ),
    _one(
        "R39c",
        "a proposal is offered again though a snapshot brought what it did (was a bug of ours)",
        REPLICA,
        "            self._proposals.replaced(persist.snapshot.term)\n",
        "",
    ),
    Mutant(
        "R42",
        "an answer is found by the number of the proposal alone, whoever made it",
        (
            Edit(REPLICA, "life = parts.rng.getrandbits(43) << 20", "life = 1"),
            Edit(APPLIER, "if outcome.proposer == self._node_id:", "if outcome.proposer:"),
        ),
        CLUSTER,
    ),
    _one(
        "R42b",
        "proposals of an earlier life have the same numbers",
        REPLICA,
        "life = parts.rng.getrandbits(43) << 20",
        "life = 1",
    ),
    _one(
        "R43",
        "a proposal that may still be applied is reported as refused",
        PROPOSALS,
        "_fail(proposal, LeaderFailureTimeoutError() if proposal.offers > 1 else RequestTimeoutError())",
        "_fail(proposal, TooManyRequestsError())",
    ),
)
IMPOSSIBLE: tuple[Impossible, ...] = ()
