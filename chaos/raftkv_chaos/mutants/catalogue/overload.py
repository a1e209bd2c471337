"""Bugs of a node that has too much to do, or too little room."""

from raftkv_chaos.mutants.mutant import Edit, Impossible, Mutant


def _one(identifier: str, title: str, module: str, old: str, new: str, *finders: str) -> Mutant:
    return Mutant(identifier, title, (Edit(module, old, new),), finders)


MUTANTS = (
    _one(
        "O1",
        "writes that wait are not counted",
        "raftkv.server.proposals",
        "if len(self._pending) >= self._limit and not duty:",
        "if len(self._pending) < 0 and not duty:",
        "tests:tests/server/test_overload.py",
    ),
    _one(
        "O1b",
        "reads that wait are not counted",
        "raftkv.server.reads",
        "        if self._count >= self._limit:\n            raise TooManyRequestsError\n        self._count += 1\n        self._waiting.append(",
        "        self._count += 1\n        self._waiting.append(",
        "tests:tests/server/test_overload.py",
    ),
    _one(
        "O2",
        "a node that is behind with applying takes writes",
        "raftkv.server.replica",
        "if self._raft.commit - self.machine.applied_index > self.settings.max_apply_gap:",
        "if self._raft.commit < 0:",
        "tests:tests/server/test_overload.py",
    ),
    _one(
        "O4",
        "frames of peers may be as long as they say",
        "raftkv.peer.framing",
        "            if length > self.limit:\n",
        "            if length < 0:\n",
        "tests:tests/peer/test_framing.py",
    ),
    _one(
        "O4b",
        "requests may be as long as clients like",
        "raftkv.rpc.kv",
        "if len(call.body) > self._limits.max_request_bytes:",
        "if len(call.body) < 0:",
        "service",
    ),
    _one(
        "O5",
        "where there is no space nothing can be deleted either",
        "raftkv.apply.machine",
        '_NEED_SPACE = {"put", "lease_grant", ',
        '_NEED_SPACE = _KEY_REQUESTS | {"put", "lease_grant", ',
        "tests:tests/apply/test_alarms.py",
    ),
    _one(
        "O6",
        "an alarm turns authentication off",
        "raftkv.apply.machine",
        "        if self.auth.enabled:\n            check_rights",
        "        if self.auth.enabled and not self._alarms.raised:\n            check_rights",
        "tests:tests/auth/test_rights.py",
    ),
    _one(
        "O7",
        "a transaction may have any number of operations",
        "raftkv.mvcc.checks",
        "if operations > max_operations or not max_depth:",
        "if not max_depth:",
        "tests:tests/mvcc/test_checks.py",
    ),
    _one(
        "O8",
        "what its caller has given up is proposed",
        "raftkv.server.proposals",
        "            if proposal.reply.done():  # the caller gave up before anybody was asked\n",
        "            if proposal.offers < 0:\n",
        "tests:tests/server/test_overload.py",
    ),
)
IMPOSSIBLE = (Impossible("O3", "what a watcher has not collected is not bounded", "planted as W11b"),)
