"""Bugs of quotas: what is counted, when it is asked, and whom it binds."""

from raftkv_chaos.mutants.mutant import Edit, Impossible, Mutant

BOOK = "raftkv.quotas.book"
COUNTED = "raftkv.mvcc.counted"
SIM = ("training", "tests:tests/quotas/test_book.py")
"""Most of them show where leases end, transactions free what they take, and nodes begin with a snapshot."""
ROLES = ("tests:tests/quotas/test_book.py",)
"""Who has which role is asked in no simulation."""


def _one(identifier: str, title: str, module: str, old: str, new: str, finders: tuple[str, ...] = SIM) -> Mutant:  # noqa: PLR0917 (a row of the table)
    return Mutant(identifier, title, (Edit(module, old, new),), finders)


MUTANTS = (
    _one(
        "Q1",
        "there may be one key more than allowed",
        BOOK,
        "usage.keys + keys > quota.max_keys:",
        "usage.keys + keys > quota.max_keys + 1:",
    ),
    _one(
        "Q2",
        "a prefix that is as full as it may be takes no last byte",
        BOOK,
        "usage.bytes + size > quota.max_bytes:",
        "usage.bytes + size >= quota.max_bytes:",
    ),
    _one(
        "Q3",
        "what a transaction deletes stays used",
        BOOK,
        "        keys = int(encoded is not None) - int(previous is not None)\n",
        "        if encoded is None:\n            return\n        keys = int(encoded is not None) - int(previous is not None)\n",
    ),
    _one(
        "Q4",
        "a key that is written again counts twice",
        BOOK,
        "size = content_bytes(key, encoded) - content_bytes(key, previous)\n        keys = int(previous is None)",
        "size = content_bytes(key, encoded)\n        keys = int(previous is None)",
    ),
    _one(
        "Q5",
        "what is used is not stored, and is older after a restart or a snapshot",
        BOOK,
        "            self._state.put(Table.STATE, _USE + prefix, _numbers.pack(usage.bytes, usage.keys))\n",
        "            self._state.put(Table.STATE, _USE + prefix, _numbers.pack(usage.bytes, usage.keys)) if usage.keys < 2 else None\n",
    ),
    _one(
        "Q6",
        "a quota of a role binds everybody",
        BOOK,
        "if quota.role and quota.role not in self.roles(self._asker):",
        "if quota.role and self._auth.enabled and not self.roles(self._asker):",
        ROLES,
    ),
    _one(
        "Q7",
        "a transaction is judged change by change, before it frees what it takes",
        BOOK,
        "            growth.bytes += size\n            growth.keys += keys\n",
        "            growth.bytes += size\n            growth.keys += keys\n            self._book._check(prefix, max(0, size), max(0, keys))\n",
    ),
    _one(
        "Q8",
        "a request that is refused by its second quota counts for the first",
        BOOK,
        "        for prefix in prefixes:\n            self._check(prefix, size, keys)\n        for prefix in prefixes:\n            self._add(prefix, size, keys)\n",
        "        for prefix in prefixes:\n            self._check(prefix, size, keys)\n            self._add(prefix, size, keys)\n",
    ),
    _one(
        "Q9",
        "of nested prefixes the longest alone counts",
        "raftkv.quotas.prefixes",
        "                found.append(prefix)\n",
        "                found = [prefix]\n",
    ),
    _one(
        "Q10",
        "what the cluster decides itself is refused where a prefix is full",
        "raftkv.apply.machine",
        "self.quotas.asked_by(command.user if body in _BOUND_BY_QUOTAS else None)",
        "self.quotas.asked_by(command.user)",
    ),
    _one(
        "Q11",
        "a key that is there cannot be written again where there are more keys than allowed",
        BOOK,
        'if keys > 0 and quota.HasField("max_keys")',
        'if quota.HasField("max_keys")',
    ),
    _one(
        "Q12",
        "a new quota takes its prefix for empty",
        BOOK,
        "            size, keys = yield from self._store.measure(quota.prefix, end_of(quota.prefix))\n",
        "            size, keys = yield from self._store.measure(quota.prefix, quota.prefix)\n",
    ),
    _one(
        "Q13",
        "keys are counted without their names",
        COUNTED,
        "            return len(key) + number\n",
        "            return number\n",
    ),
)
IMPOSSIBLE: tuple[Impossible, ...] = ()
