"""The engine in memory: the same promises as the one on disk, and the same ways to fail, on demand.

`crash` is what it exists for: it gives the engine that a restarted machine would find, with every synced batch, and of the
unsynced ones a prefix (a write-ahead log loses its end, never its middle). Deterministic: chance comes from the caller.

    write -> unsynced: one undo record for each batch -> sync forgets the records
                                                      -> crash undoes them, the newest first

Views cost nothing until something is written: then each live view keeps the row's old value for itself.
"""

import random
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from sortedcontainers import SortedDict

from raftkv.errors import StorageError
from raftkv.storage.engine import Batch, Rows, Table

_SCAN_CHUNK_ROWS = 64

_Undo = list[tuple[Table, bytes, bytes | None]]
"""What the rows of one batch were before it, in the order of its changes."""


@dataclass(slots=True)
class Faults:
    """What is to go wrong. A fault ends the engine as a failed disk would: every later write fails too."""

    writes_before_failure: int | None = None
    """The write after so many more fails, and nothing of it is stored; None: never."""
    syncs_before_failure: int | None = None
    """The synced write after so many more is stored but fails to sync: a crash may keep it or lose it; None: never."""
    failed: bool = field(default=False, init=False)

    def before_write(self) -> None:
        """Raises if this write is to fail."""
        if self.failed:
            raise StorageError("no writes after a failed one")
        if self.writes_before_failure is None:
            return
        if self.writes_before_failure == 0:
            self.failed = True
            raise StorageError("injected write failure")
        self.writes_before_failure -= 1

    def before_sync(self) -> None:
        """Raises if this sync is to fail."""
        if self.syncs_before_failure is None:
            return
        if self.syncs_before_failure == 0:
            self.failed = True
            raise StorageError("injected sync failure")
        self.syncs_before_failure -= 1


class MemoryEngine:
    """An engine that holds everything in sorted dictionaries."""

    def __init__(self) -> None:
        self.faults = Faults()
        self._tables: dict[Table, SortedDict] = {table: SortedDict() for table in Table}
        self._unsynced: list[_Undo] = []
        self._views: weakref.WeakSet[MemoryView] = weakref.WeakSet()
        self._staging: MemoryStaging | None = None
        self._size = 0
        self._closed = False

    def get(self, table: Table, key: bytes) -> bytes | None:
        self._check_open()
        value: bytes | None = self._tables[table].get(key)
        return value

    def scan(
        self, table: Table, first: bytes = b"", end: bytes | None = None, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """Short ranges are copied; a longer one is read through a view, for it may be written to meanwhile."""
        self._check_open()
        if end is not None and end <= first:
            return iter(())
        rows = self._tables[table]
        keys = rows.irange(first, end, inclusive=(True, False), reverse=reverse)
        head = [(key, rows[key]) for key in islice(keys, _SCAN_CHUNK_ROWS)]
        if len(head) < _SCAN_CHUNK_ROWS:
            return iter(head)
        return self.view().scan(table, first, end, reverse=reverse)

    def write(self, batch: Batch, *, sync: bool) -> None:
        self._check_open()
        self.faults.before_write()
        self._apply(batch)
        if sync:
            self.faults.before_sync()
            self._unsynced.clear()

    def _apply(self, batch: Batch) -> None:
        undo: _Undo = []
        views = list(self._views)
        for table, first, end in batch.truncations:
            for key in list(self._tables[table].irange(first, end, inclusive=(True, False))):
                self._change(table, key, None, undo, views)
        for table, rows in batch.rows.items():
            for key, value in rows.items():
                self._change(table, key, value, undo, views)
        self._unsynced.append(undo)

    def view(self) -> "MemoryView":
        self._check_open()
        view = MemoryView(dict(self._tables))
        self._views.add(view)
        return view

    def stage(self) -> "MemoryStaging":
        self._check_open()
        if self._staging is not None:
            self._staging.abandon()
        self._staging = MemoryStaging(self)
        return self._staging

    def compact(self) -> None:
        """There is nothing to give back."""
        self._check_open()

    def size(self) -> int:
        """Bytes of all keys and values."""
        return self._size

    def close(self) -> None:
        """As the engine on disk does, this loses nothing: what was written is there for whoever opens the data again."""
        self._closed = True
        for view in list(self._views):
            view.release()

    def reopen(self) -> "MemoryEngine":
        """The engine that a restarted process finds after `close` or a kill: everything written, synced or not."""
        self.close()
        return self._successor()

    def crash(self, chance: random.Random | None = None) -> "MemoryEngine":
        """The engine that a restarted machine finds after power loss. This one is closed.

        Of the unsynced batches none is left, or with `chance` a prefix of random length.
        """
        self.close()
        kept = chance.randint(0, len(self._unsynced)) if chance is not None else 0
        for undo in reversed(self._unsynced[kept:]):
            for table, key, value in reversed(undo):
                self._store(table, key, value)
        self._unsynced.clear()
        return self._successor()

    def corrupt(self, table: Table, key: bytes, chance: random.Random) -> None:
        """Flips one bit of a row's value, as a bad disk does where no checksum of the engine's own notices."""
        value = bytearray(self._tables[table][key])
        value[chance.randrange(len(value))] ^= 1 << chance.randrange(8)
        self._tables[table][key] = bytes(value)

    def replace_state(self, staged: dict[Table, SortedDict], batch: Batch) -> None:
        """Makes staged tables the state tables; for MemoryStaging. Views keep the old ones, which nobody changes any more."""
        assert not any(table.replicated for table in batch.rows), "the staged rows are the whole of the state tables"
        self._staging = None
        self._check_open()
        # The tables and the batch reach the disk together or not at all, also where its sync fails.
        self.faults.before_write()
        self.faults.before_sync()
        self._apply(batch)
        self._unsynced.clear()
        self._tables.update(staged)
        self._size = sum(len(key) + len(value) for rows in self._tables.values() for key, value in rows.items())

    def _successor(self) -> "MemoryEngine":
        successor = MemoryEngine()
        successor._tables = self._tables
        successor._unsynced = self._unsynced
        successor._size = self._size
        return successor

    def _change(self, table: Table, key: bytes, value: bytes | None, undo: _Undo, views: "list[MemoryView]") -> None:
        before: bytes | None = self._tables[table].get(key)
        if before is value:
            return
        undo.append((table, key, before))
        for view in views:
            view.keep(self._tables[table], table, key, before)
        self._store(table, key, value)

    def _store(self, table: Table, key: bytes, value: bytes | None) -> None:
        rows = self._tables[table]
        before: bytes | None = rows.get(key)
        if before is not None:
            self._size -= len(key) + len(before)
        if value is None:
            rows.pop(key, None)
        else:
            self._size += len(key) + len(value)
            rows[key] = value

    def _check_open(self) -> None:
        if self._closed:
            raise StorageError("the engine is closed")


class MemoryStaging:
    """Tables beside the current ones; a crash loses them."""

    def __init__(self, engine: MemoryEngine) -> None:
        self._engine = engine
        self._tables: dict[Table, SortedDict] = {table: SortedDict() for table in Table if table.replicated}
        self._open = True

    def add(self, table: Table, rows: Iterable[tuple[bytes, bytes]]) -> None:
        self._check_open()
        self._engine.faults.before_write()
        self._tables[table].update(rows)

    def commit(self, batch: Batch) -> None:
        self._check_open()
        self._open = False
        self._engine.replace_state(self._tables, batch)

    def abandon(self) -> None:
        self._open = False
        self._tables = {}

    def _check_open(self) -> None:
        if not self._open:
            raise StorageError("this snapshot is no longer being received")


class MemoryView:
    """The tables as they were: the engine's own, and over them the rows that were changed since."""

    def __init__(self, tables: dict[Table, SortedDict]) -> None:
        self._tables = tables
        self._kept: dict[Table, Rows] = {table: {} for table in tables}

    def get(self, table: Table, key: bytes) -> bytes | None:
        self._check_held()
        kept = self._kept[table]
        if key in kept:
            return kept[key]
        value: bytes | None = self._tables[table].get(key)
        return value

    def scan(
        self, table: Table, first: bytes = b"", end: bytes | None = None, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        self._check_held()
        if end is not None and end <= first:
            return iter(())
        return self._chunks(table, first, end, reverse=reverse)

    def release(self) -> None:
        self._tables = {}
        self._kept = {}

    def keep(self, rows: SortedDict, table: Table, key: bytes, value: bytes | None) -> None:
        """Notes a row's old value before it changes, unless a snapshot has replaced the table since."""
        if self._tables.get(table) is rows:
            self._kept[table].setdefault(key, value)

    def _chunks(self, table: Table, first: bytes, end: bytes | None, *, reverse: bool) -> Iterator[tuple[bytes, bytes]]:
        """Reads a few rows at a time, so that the table may change between them."""
        rows, kept = self._tables[table], self._kept[table]
        while True:
            keys = list(islice(rows.irange(first, end, inclusive=(True, False), reverse=reverse), _SCAN_CHUNK_ROWS))
            more = len(keys) == _SCAN_CHUNK_ROWS
            # This chunk covers [low, high); b"\0" appended gives the next key in order.
            low = keys[-1] if more and reverse else first
            high = keys[-1] + b"\0" if more and not reverse else end
            chunk: Rows = {key: rows[key] for key in keys}
            chunk.update((key, value) for key, value in kept.items() if key >= low and (high is None or key < high))
            for key in sorted(chunk, reverse=reverse):
                value = chunk[key]
                if value is not None:
                    yield key, value
            if not more:
                return
            if reverse:
                end = low
            else:
                assert high is not None
                first = high

    def _check_held(self) -> None:
        if not self._tables:
            raise StorageError("this view was released")
