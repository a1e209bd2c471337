"""Bugs of watches: gaps, repeats, wrong filters, and who is told after the end."""

from raftkv_chaos.mutants.mutant import Edit, Impossible, Mutant

HUB, STREAM, INTEREST, SWEEP = (f"raftkv.watch.{name}" for name in ("hub", "stream", "interest", "sweep"))
ENCODING, CONSUMER, RECENT, CHANGES = (
    "raftkv.watch.encoding",
    "raftkv.watch.consumer",
    "raftkv.watch.recent",
    "raftkv.mvcc.changes",
)

RIG = ("watch",)


def _one(identifier: str, title: str, module: str, old: str, new: str, finders: tuple[str, ...] = RIG) -> Mutant:  # noqa: PLR0917 (a row of the table)
    return Mutant(identifier, title, (Edit(module, old, new),), finders)


MUTANTS = (
    _one(
        "W1",
        "who has caught up but for one revision joins the live flow",
        HUB,
        "if share.position < self.revision or (in_a_turn and share.position == self.revision):",
        "if share.position + 1 < self.revision or (in_a_turn and share.position == self.revision):",
    ),
    _one(
        "W1b",
        "who begins in the middle of a turn misses its events",
        HUB,
        "in_a_turn = self._store.revision != self.revision",
        "in_a_turn = self._store.revision < self.revision",
    ),
    _one(
        "W1c",
        "who was synced misses what a snapshot brings",
        HUB,
        "            self._leave_to_history(before)\n            self._arrive()",
        "            self._arrive()",
    ),
    _one(
        "W1d",
        "what a full stream was not told is not told later either",
        SWEEP,
        "            share.position = position\n            self._keeper.park(share)",
        "            share.position = self._keeper.revision\n            self._keeper.park(share)",
    ),
    _one(
        "W2",
        "a snapshot repeats history to everybody",
        HUB,
        "            self._leave_to_history(before)\n            self._arrive()",
        "            self._leave_to_history(max(0, self._store.compact_revision))\n            self._arrive()",
    ),
    _one(
        "W3",
        "progress overtakes events",
        STREAM,
        "            if not self._consumer.unsynced:\n",
        "            if self._watchers:\n",
    ),
    _one(
        "W3b",
        "a watch that is behind is notified of progress",
        STREAM,
        "elif share.state is State.SYNCED and not self.full:",
        "elif not self.full:",
    ),
    _one(
        "W4",
        "a revision is divided without a word",
        ENCODING,
        "if size >= MAX_RESPONSE_BYTES and revision != last:",
        "if size >= MAX_RESPONSE_BYTES:",
    ),
    _one(
        "W4b",
        "parts of a revision are not marked as such",
        ENCODING,
        '            yield b"".join((head, _RESPONSE_FRAGMENT, *part))\n',
        '            yield b"".join((head, *part))\n',
    ),
    _one(
        "W5",
        "a watch whose history is compacted begins where there is some",
        HUB,
        "                share.consumer.compacted(share, self._store.compact_revision)\n                continue\n",
        "                share.position = self._store.compact_revision - 1\n",
    ),
    _one(
        "W6",
        "a watch that begins later is told of what comes before",
        HUB,
        "elif share.position > self.revision:",
        "elif share.position < 0:",
    ),
    _one(
        "W7",
        "deletions by the end of a lease are not told",
        "raftkv.lease.commands",
        "        self.expired += len(doomed)\n        return None, events",
        "        self.expired += len(doomed)\n        return None, ()",
        ("keys",),
    ),
    _one(
        "W8",
        "the value before is that of the revision itself",
        CHANGES,
        "versions_of(key), revision - 1)",
        "versions_of(key), revision)",
    ),
    _one(
        "W8b",
        "the value before is told though it is compacted",
        RECENT,
        "known = event.revision > compact_revision",
        "known = event.revision >= 0",
    ),
    _one(
        "W9",
        "filters are ignored",
        INTEREST,
        "return not (self.no_delete if event.encoded is None else self.no_put)",
        "return True or event.encoded is None",
    ),
    _one(
        "W9b",
        "each filter does the other's work",
        INTEREST,
        "return not (self.no_delete if event.encoded is None else self.no_put)",
        "return not (self.no_put if event.encoded is None else self.no_delete)",
    ),
    _one(
        "W10",
        "an id that a client has chosen is given again",
        STREAM,
        "        while self._next_id in self._watchers:\n            self._next_id += 1\n",
        "",
    ),
    _one(
        "W10b",
        "an id may be chosen twice",
        STREAM,
        "if request.watch_id and request.watch_id in self._watchers:",
        "if request.watch_id < 0 and request.watch_id in self._watchers:",
    ),
    _one(
        "W11",
        "events for a slow stream are dropped",
        HUB,
        "            self._leave_group(share)\n            share.position = before\n",
        "            self._leave_group(share)\n            share.position = self.revision\n",
    ),
    _one(
        "W11b",
        "what a slow stream has not collected is not bounded",
        HUB,
        "return backlog > MAX_BACKLOG_BYTES or (backlog > 0 and self.budget.exceeded)",
        "return backlog < 0",
    ),
    _one(
        "W14",
        "a cancelled watch is still told",
        STREAM,
        "            self._hub.drop(share)\n        else:",
        "            return\n        else:",
    ),
    _one(
        "W15",
        "a watch without a start is told everything from the beginning",
        STREAM,
        "start = request.start_revision or hub.revision + 1",
        "start = request.start_revision or 1",
    ),
    _one(
        "W16",
        "whether one may watch a range is asked of its interpreted end",
        "raftkv.rpc.watch",
        "self._stream.create(create, self._denied(create))",
        'range_end = create.range_end.rstrip(b"\\0")\n'
        "                asked = rpc.WatchCreateRequest(key=create.key, range_end=range_end)\n"
        "                self._stream.create(create, self._denied(asked))",
        ("service",),
    ),
    _one(
        "W17",
        "a watcher that joins others brings them its own past",
        CONSUMER,
        "        self.watchers.update(other.watchers)\n        self._tails = None",
        "        self.watchers.update(other.watchers)",
    ),
)
IMPOSSIBLE = (
    Impossible(
        "W12",
        "events of entries that are not committed",
        "events are made by applying, and nothing is applied before it is committed (R41 plants that)",
    ),
    Impossible(
        "W13",
        "an event before its key can be read",
        "one thread: the state has changed when the pass that changed it tells of it, and reads look at that very state",
    ),
)
