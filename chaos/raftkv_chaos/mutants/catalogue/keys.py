"""Bugs of what a request means: revisions, ranges, transactions, compaction, answers that differ between replicas."""

from raftkv_chaos.mutants.mutant import Edit, Impossible, Mutant

STORE, TRANSACTION, TXN, RANGES = (f"raftkv.mvcc.{name}" for name in ("store", "transaction", "txn", "ranges"))
COMPACTION, HASHING, LAYOUT, CHECKS = (f"raftkv.mvcc.{name}" for name in ("compaction", "hashing", "layout", "checks"))
MACHINE, LESSOR, OVERLAY = "raftkv.apply.machine", "raftkv.lease.lessor", "raftkv.storage.overlay"
KV, REQUEST, TABLE = "raftkv.rpc.kv", "raftkv.client.request", "raftkv.apply.requests"

MODEL = ("keys",)


def _one(identifier: str, title: str, module: str, old: str, new: str, finders: tuple[str, ...] = MODEL) -> Mutant:  # noqa: PLR0917 (a row of the table)
    return Mutant(identifier, title, (Edit(module, old, new),), finders)


_REVISION = "return self.settled + 1 if self.events else self.settled"
_OLDER = "next((v for _, v in self._state.scan(_HISTORY, versions_of(key), versions_of(key) + b'\\xff' * 12, reverse=True) if v), None)"

REVISIONS = (
    _one(
        "K1",
        "how far the scrub is goes to disk before it is there",
        STORE,
        "            target = self.compact_revision\n            cursor, freed = scrub_step(",
        "            target = self.compact_revision\n"
        "            begin, self._scrub_cursor = self._scrub_cursor, (target, 0)\n"
        "            self.record()\n"
        "            self._scrub_cursor = begin\n"
        "            yield\n"
        "            cursor, freed = scrub_step(",
    ),
    _one(
        "K1c",
        "what the scrub has freed is not stored with the rows that went",
        STORE,
        "            self._scrub_cursor = cursor\n            self.record()\n",
        "            self._scrub_cursor = cursor\n",
    ),
    _one(
        "K1b",
        "the revision is not stored with the changes that made it",
        MACHINE,
        "        self.store.record()\n",
        "",
        ("keys", "cluster"),
    ),
    _one(
        "K2",
        "compaction at a deletion removes it",
        COMPACTION,
        "if kind == DELETE and revision_of(row)[0] < target:",
        "if kind == DELETE and revision_of(row)[0] <= target:",
    ),
    _one(
        "K2b",
        "compaction removes the version that is the newest at its revision",
        COMPACTION,
        "pack_revision(target + 1, 0))",
        "pack_revision(target + 2, 0))",
    ),
    Mutant(
        "K4",
        "each operation of a transaction has a revision of its own",
        (
            Edit(TRANSACTION, _REVISION, "return self.settled + len(self.events)"),
            Edit(
                TRANSACTION,
                "main, sub = self.settled + 1, len(self.events)",
                "main, sub = self.settled + 1 + len(self.events), 0",
            ),
        ),
        MODEL,
    ),
    Mutant(
        "K8",
        "a deletion of nothing and an empty transaction raise the revision",
        (
            Edit(TRANSACTION, _REVISION, "return self.settled + 1"),
            Edit(STORE, "        if transaction.events:\n", "        if transaction.settled:\n"),
        ),
        MODEL,
    ),
    _one(
        "K9",
        "a key that comes back goes on counting its versions",
        STORE,
        "next_version(request, previous, main)",
        f"next_version(request, previous if previous is not None else {_OLDER}, main)",
    ),
    _one(
        "K17",
        "the checksum of a revision covers later ones",
        HASHING,
        "            if main >= self._end:\n",
        "            if main < self._low[:0]:\n",
    ),
    _one(
        "K17b",
        "the checksum depends on what the scrub has removed already",
        HASHING,
        "self._older = row if row[1] else None",
        "self._older = row",
    ),
)

TRANSACTIONS = (
    _one(
        "K3",
        "a transaction's compares are evaluated where it is proposed",
        KV,
        "        self._quota.check_txn(request, len(call.body))\n",
        "        from raftkv.mvcc.txn import lone_put\n\n"
        "        decided = lone_put(request, self._replica.store._state)\n"
        "        if decided is not None:\n"
        "            operation = rpc.RequestOp(request_put=decided[1])\n"
        "            call.body = rpc.TxnRequest(success=[operation]).SerializeToString()\n"
        "        self._quota.check_txn(request, len(call.body))\n",
        ("service",),
    ),
    Mutant(
        "K5",
        "a transaction that fails leaves what it had written",
        (
            Edit(TXN, "    _check_ranges(transaction, path)\n", ""),
            Edit(
                STORE,
                "            yield from run_txn(transaction, request, response, self._lease_exists)\n"
                "        finally:\n            transaction.release()\n        self.operations.count_txn",
                "            yield from run_txn(transaction, request, response, self._lease_exists)\n"
                "        except (CompactedError, FutureRevisionError):\n"
                "            transaction.release()\n"
                "            self._take_over(transaction)\n"
                "            raise\n"
                "        transaction.release()\n        self.operations.count_txn",
            ),
        ),
        MODEL,
    ),
    _one(
        "K7",
        "whether a transaction's read is compacted depends on this node's scrub",
        STORE,
        "return Transaction(self._state, self._index, settled, self.compact_revision, self._lease_by_key)",
        "return Transaction(self._state, self._index, settled, self.scrubbed_revision, self._lease_by_key)",
    ),
    _one(
        "K15",
        "a read sees a transaction that is not finished",
        TRANSACTION,
        "        self._live[key] = encoded\n",
        "        self._live[key] = encoded\n        self._state.merge({_LIVE: {key: encoded}})\n",
    ),
    _one(
        "K16",
        "a transaction may put a key twice",
        CHECKS,
        "    if len(own_puts) < len(own):\n        raise DuplicateKeyError\n",
        "",
        ("tests:tests/mvcc/test_checks.py",),
    ),
    _one(
        "K18",
        "the value before, of a key changed twice in a transaction, is that of its middle",
        TRANSACTION,
        "before = None if kind == CREATE else self._reader.get(_LIVE, key) if key in self._live else previous",
        "before = previous",
    ),
    _one(
        "K18b",
        "a key that is deleted and made again in one transaction had a value before (was a bug of ours)",
        TRANSACTION,
        "before = None if kind == CREATE else self._reader.get(_LIVE, key) if key in self._live else previous",
        "before = self._reader.get(_LIVE, key) if key in self._live else previous",
    ),
)

ANSWERS = (
    _one(
        "K12",
        "a long answer is labelled with the revision at its end",
        STORE,
        "            return begin(_range(sight, request, pieces))\n",
        "            def labelled() -> Steps[RangeResponse]:\n"
        "                answer = yield from _range(sight, request, pieces)\n"
        "                answer.header.revision = self.revision\n"
        "                return answer\n\n"
        "            return begin(labelled())\n",
    ),
    _one(
        "K13",
        "`more` is said of an answer that the limit just fits",
        RANGES,
        "response.more = 0 < limit < matching",
        "response.more = 0 < limit <= matching",
    ),
    _one(
        "K13b",
        "the limit is not kept where the order is descending",
        RANGES,
        "enough=limit + 1 if limit and (value_of is None or cut_before_sort) else 0",
        "enough=limit + 1 if limit and order != RangeRequest.DESCEND and (value_of is None or cut_before_sort) else 0",
    ),
    _one(
        "K13c",
        "the count is that of the past where the present was asked",
        RANGES,
        "kind == DELETE) - (kind == CREATE)",
        "kind == DELETE)",
    ),
    _one(
        "K14",
        "an end of one zero byte is a key like others",
        LAYOUT,
        'return key, None if range_end == b"\\0" else range_end',
        "return key, range_end",
    ),
    _one(
        "K14b",
        "the end of a prefix that ends in ff is wrong",
        "raftkv.recipes.requests",
        'stem = prefix.rstrip(b"\\xff")',
        'stem = prefix if prefix[-1:] < b"\\xff" else prefix[:-1] + b"\\xfe"',
        ("tests:tests/recipes/test_requests.py",),
    ),
    _one(
        "K19",
        "an old version is read at the revision before",
        RANGES,
        "version_at(reader, versions_of(key), at)",
        "version_at(reader, versions_of(key), at - 1)",
    ),
    _one(
        "K20",
        "rows on their way to disk are forgotten before they are there",
        OVERLAY,
        "        self._sealed.append(_Layer(rows, self._pending_changes, self._pending_size))\n",
        "        self._sealed.append(_Layer(rows, self._pending_changes, self._pending_size))\n        for table in rows:\n            self._stacks[table][1] = {}\n",
    ),
)

REPLICAS = (
    _one(
        "K6",
        "a client retries a write under a new request id",
        "raftkv.client.request_id",
        'return f"{self._client}-{sequence}".encode()',
        'self._texts = getattr(self, "_texts", 2**40) + 1\n        return f"{self._client}-{self._texts}".encode()',
        (
            "tests:tests/client/test_failover.py",
            "tests:tests/client/test_request_id.py",
            "tests:tests/client/test_retry.py",
            "tests:tests/client/test_keys.py",
        ),
    ),
    _one("K6b", "a request id is not looked up", TABLE, "        if not entry.known >> age & 1:\n", "        if age >= 0:\n"),
    _one(
        "K6c",
        "an answer is remembered but its row is not written",
        TABLE,
        "        self._clients.move_to_end(client)\n        self._state.put(",
        "        self._clients.move_to_end(client)\n        self._state.delete(_REQUESTS, _row(client, sequence)) if sequence % 2 else self._state.put(",
    ),
    _one("K10", "the order of a lease's keys is that of a hash", LESSOR, "sorted(lease.keys)", "list(lease.keys)"),
    _one(
        "K10b",
        "the order of deletions is that of addresses in memory",
        TRANSACTION,
        "        for key, previous in doomed:\n",
        "        for key, previous in sorted(doomed, key=id):\n",
    ),
    Mutant(
        "K11",
        "every member decides by its own size that there is no space",
        (
            Edit(MACHINE, "        if self._alarms.raised:\n", "        if self.store.size_in_use or self._alarms.raised:\n"),
            Edit(
                MACHINE, "if self._alarms.no_space and (", "if (self._alarms.no_space or self.store.size_in_use > 4000) and ("
            ),
        ),
        MODEL,
    ),
)

MUTANTS = REVISIONS + TRANSACTIONS + ANSWERS + REPLICAS
IMPOSSIBLE: tuple[Impossible, ...] = ()
