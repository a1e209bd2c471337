"""The engine on RocksDB (by rocksdict): one database, a column family for each table.

State tables carry a generation in the name of their column family. A received snapshot is staged in the next generation and
becomes current by one synced write, so that a crash leaves either the old state or the new one, never a mixture:

    live.3  history.3  ...          current: what the default family's row `generation` says
    live.4  history.4  ...          staged: not readable; dropped when the engine opens, or when staging starts anew
    meta    log                     local tables: no generation, they outlive a snapshot
    default                         the engine's own rows: `generation`, `format`

Facts about rocksdict that the code below rests on (0.3.29):
  - errors are bare `Exception`; `raw_mode` must be set on every option and batch;
  - its `items()` end silently at a corrupt block, where an iterator's `status()` raises: so scans use the iterator;
  - an iterator points into its `ReadOptions`, but does not keep them alive: so the scan does;
  - `ReadOptions.set_iterate_lower_bound` sets the upper bound: so a reverse scan looks at its keys;
  - a `Snapshot` answers `snapshot[key]` as of its making, but its iterators see the present: so a view makes its iterators
    at once, and an iterator does keep to the moment of its making;
  - the database stays open, and locked, until every column family, handle, snapshot and iterator is gone.
"""

import os
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from rocksdict import ColumnFamily, DBRecoveryMode, Options, Rdict, RdictIter, ReadOptions, Snapshot, WriteBatch, WriteOptions

from raftkv.errors import DataDirLockedError, StorageError
from raftkv.storage.directory import create_directory
from raftkv.storage.engine import Batch, Table
from raftkv.storage.rocks_options import RocksOptions, Tuning
from raftkv.storage.wal import keep_intact_part

_FORMAT = b"1"
_FORMAT_KEY = b"format"
_GENERATION_KEY = b"generation"
_STAGING_ROWS_PER_WRITE = 1000


class _Families:
    """The column families of one generation: how each table is read and written."""

    def __init__(self, database: Rdict, generation: int) -> None:
        self.generation = generation
        names = {table: _family_name(table, generation) for table in Table}
        self.tables: dict[Table, Rdict] = {table: database.get_column_family(name) for table, name in names.items()}
        self.handles: dict[Table, ColumnFamily] = {
            table: database.get_column_family_handle(name) for table, name in names.items()
        }
        self.getters: dict[Table, Callable[[bytes], bytes | None]] = {
            table: family.get for table, family in self.tables.items()
        }

    def close(self) -> None:
        for family in self.tables.values():
            family.close()
        self.tables.clear()
        self.handles.clear()


class RocksEngine:
    """An engine on the folder `path`, which is created if it is missing and belongs to this process alone.

    Raises DataDirLockedError if another process has it open, StorageError if it cannot be opened or was damaged.
    """

    def __init__(self, path: str | Path, options: RocksOptions | None = None) -> None:
        self._path = Path(path)
        self._tuning = Tuning(options or RocksOptions())
        self._failure: Exception | None = None
        self._closed = False
        self._staging: RocksStaging | None = None
        self._views: weakref.WeakSet[RocksView] = weakref.WeakSet()
        # A view must not fall between a snapshot's commit on disk and the switch to its tables in memory.
        self._switch = threading.Lock()
        self._synced = WriteOptions()
        self._synced.sync = True
        self._unsynced = WriteOptions()
        create_directory(self._path)
        self._database = _open(self._path, self._tuning)
        self._families = self._settle()

    def get(self, table: Table, key: bytes) -> bytes | None:
        try:
            return self._families.getters[table](key)
        except Exception as error:
            raise _storage_error("read", error) from error

    def scan(
        self, table: Table, first: bytes = b"", end: bytes | None = None, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        self._check_open()
        return _scan(self._families.tables[table], first, end, reverse=reverse)

    def write(self, batch: Batch, *, sync: bool) -> None:
        self._check_open()
        self.write_encoded(_encode(batch, self._families.handles), sync=sync)

    def view(self) -> "RocksView":
        """Each snapshot and iterator is taken for itself. They are of one moment if no write was published meanwhile, which
        the sequence number tells; every retry means that the storage thread got on.
        """
        self._check_open()
        with self._switch:
            try:
                while True:
                    before = self._database.latest_sequence_number()
                    snapshots = {table: family.snapshot() for table, family in self._families.tables.items()}
                    iterators = {table: family.iter() for table, family in self._families.tables.items()}
                    if self._database.latest_sequence_number() == before:
                        break
            except Exception as error:
                raise _storage_error("freeze", error) from error
        view = RocksView(snapshots, iterators)
        self._views.add(view)
        return view

    @property
    def open_views(self) -> int:
        """How many frozen states are being read."""
        return len(self._views)

    def stage(self) -> "RocksStaging":
        self._check_open()
        if self._staging is not None:
            self._staging.abandon()
        self._staging = RocksStaging(self, self._database, self._tuning, self._families.generation + 1)
        return self._staging

    def compact(self) -> None:
        """Table by table; RocksDB does the work without holding the interpreter (a gap of 3 ms at most was measured)."""
        self._check_open()
        for table in Table:
            try:
                self._families.tables[table].compact_range(None, None)
            except Exception as error:
                raise _storage_error(f"compact {table.name}", error) from error

    def size(self) -> int:
        """The files of the data directory, the write-ahead log among them."""
        total = 0
        with os.scandir(self._path) as files:
            for file in files:
                try:
                    total += file.stat().st_size
                except FileNotFoundError:  # a compaction removed it since the listing
                    continue
        return total

    def close(self) -> None:
        """Also releases every view. A scan that is still suspended keeps the folder locked until it is collected."""
        if self._closed:
            return
        self._closed = True
        if self._staging is not None:
            self._staging.forget()
        for view in list(self._views):
            view.release()
        self._families.close()
        try:
            self._database.close()
        except Exception as error:
            # What RocksDB failed to do is known since the write that failed; anything new is worth a report.
            if self._failure is None:
                raise _storage_error("close", error) from error

    def _check_open(self) -> None:
        if self._closed:
            raise StorageError("the engine is closed")

    def write_encoded(self, batch: WriteBatch, *, sync: bool) -> None:
        """The one way to the disk, for RocksStaging too: nothing is written after a failure."""
        if self._failure is not None:
            raise StorageError(f"no writes after a failed one: {self._failure}")
        try:
            self._database.write(batch, self._synced if sync else self._unsynced)
        except Exception as error:
            self._failure = error
            raise _storage_error("write", error) from error

    def _settle(self) -> _Families:
        """What a start does once the database is open: checks the format, drops what a crash left, opens the tables."""
        try:
            self._check_format()
            generation = int(self._database.get(_GENERATION_KEY) or 0)
            _drop_other_generations(self._database, self._path, generation)
            _create_missing(self._database, self._path, self._tuning, generation)
            return _Families(self._database, generation)
        except StorageError:
            raise
        except Exception as error:
            raise _storage_error("open", error) from error

    def _check_format(self) -> None:
        found = self._database.get(_FORMAT_KEY)
        if found is None:
            batch = WriteBatch(raw_mode=True)
            batch.put(_FORMAT_KEY, _FORMAT)
            self.write_encoded(batch, sync=True)
        elif found != _FORMAT:
            raise StorageError(f"data directory {self._path} has format {found!r}; this version reads {_FORMAT!r}")

    def switch_generation(self, batch: Batch, generation: int) -> None:
        """Makes a staged generation current, together with `batch`; for RocksStaging."""
        assert not any(table.replicated for table in batch.rows), "the staged rows are the whole of the state tables"
        with self._switch:
            old = self._families
            encoded = _encode(batch, old.handles)
            encoded.put(_GENERATION_KEY, b"%d" % generation)
            self.write_encoded(encoded, sync=True)
            self._families = _Families(self._database, generation)
        self._staging = None
        try:
            for table in Table:
                if table.replicated:
                    self._database.drop_column_family(_family_name(table, old.generation))
        except Exception as error:
            self._failure = error
            raise _storage_error("drop the replaced state", error) from error


class RocksStaging:
    """The next generation of the state tables, filled by writes that are not synced: the commit's sync covers them."""

    def __init__(self, engine: RocksEngine, database: Rdict, tuning: Tuning, generation: int) -> None:
        self._engine = engine
        self._database = database
        self._generation = generation
        self._open = True
        self._handles: dict[Table, ColumnFamily] = {}
        try:
            for table in Table:
                if table.replicated:
                    name = _family_name(table, generation)
                    database.create_column_family(name, tuning.family(table))
                    self._handles[table] = database.get_column_family_handle(name)
        except Exception as error:
            raise _storage_error("stage", error) from error

    def add(self, table: Table, rows: Iterable[tuple[bytes, bytes]]) -> None:
        self._check_open()
        handle = self._handles[table]
        batch = WriteBatch(raw_mode=True)
        for key, value in rows:
            batch.put(key, value, handle)
            if len(batch) >= _STAGING_ROWS_PER_WRITE:
                self._engine.write_encoded(batch, sync=False)
                batch = WriteBatch(raw_mode=True)
        self._engine.write_encoded(batch, sync=False)

    def commit(self, batch: Batch) -> None:
        self._check_open()
        self.forget()
        self._engine.switch_generation(batch, self._generation)

    def abandon(self) -> None:
        if not self._open:
            return
        self.forget()
        try:
            for table in Table:
                if table.replicated:
                    self._database.drop_column_family(_family_name(table, self._generation))
        except Exception as error:
            raise _storage_error("abandon a snapshot", error) from error

    def forget(self) -> None:
        """Takes no more rows and lets go of the database; the column families are left to the next start."""
        self._open = False
        self._handles.clear()

    def _check_open(self) -> None:
        if not self._open:
            raise StorageError("this snapshot is no longer being received")


class RocksView:
    """For each table a RocksDB snapshot (single rows) and an iterator (scans), all of the same moment."""

    def __init__(self, snapshots: dict[Table, Snapshot], iterators: dict[Table, RdictIter]) -> None:
        self._snapshots = snapshots
        self._cursors = {table: _Cursor(iterator) for table, iterator in iterators.items()}

    def get(self, table: Table, key: bytes) -> bytes | None:
        self._check_held()
        try:
            value: bytes = self._snapshots[table][key]
        except Exception as error:
            if str(error) == "key not found":
                return None
            raise _storage_error("read", error) from error
        return value

    def scan(
        self, table: Table, first: bytes = b"", end: bytes | None = None, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        self._check_held()
        cursor = self._cursors[table]
        return cursor.backward(first, end) if reverse else cursor.forward(first, end)

    def release(self) -> None:
        self._snapshots.clear()
        self._cursors.clear()

    def _check_held(self) -> None:
        if not self._snapshots:
            raise StorageError("this view was released")


class _Cursor:
    """The one iterator that a view has for a table. Scans may interleave: each notices that another one moved the iterator,
    and returns to its own place.
    """

    def __init__(self, rows: RdictIter) -> None:
        self._rows = rows
        self._user: object = None

    def forward(self, first: bytes, end: bytes | None) -> Iterator[tuple[bytes, bytes]]:
        user = object()
        rows, valid, key_here, value_here = self._rows, self._rows.valid, self._rows.key, self._rows.value
        try:
            rows.seek(first)
            self._user = user
            while valid():
                key = key_here()
                if end is not None and key >= end:
                    return
                yield key, value_here()
                if self._user is not user:
                    rows.seek(key)
                    self._user = user
                    if not valid():
                        break
                rows.next()
            rows.status()
        except Exception as error:
            raise _storage_error("scan", error) from error

    def backward(self, first: bytes, end: bytes | None) -> Iterator[tuple[bytes, bytes]]:
        user = object()
        rows = self._rows
        try:
            if end is None:
                rows.seek_to_last()
            else:
                rows.seek_for_prev(end)
                if rows.valid() and rows.key() == end:
                    rows.prev()
            self._user = user
            while rows.valid():
                key = rows.key()
                if key < first:
                    return
                yield key, rows.value()
                if self._user is not user:
                    rows.seek_for_prev(key)
                    self._user = user
                    if not rows.valid():
                        break
                rows.prev()
            rows.status()
        except Exception as error:
            raise _storage_error("scan", error) from error


def _open(path: Path, tuning: Tuning) -> Rdict:
    """Opens the database; where a crash tore the end of its log, without that end, but never without anything before it."""
    strict = DBRecoveryMode.absolute_consistency()
    try:
        return _open_database(path, tuning, strict)
    except DataDirLockedError:
        raise
    except StorageError as error:
        if "Corruption" not in str(error) or not keep_intact_part(path):
            raise
    try:
        return _open_database(path, tuning, strict)
    except StorageError as error:
        # Logs are read in order, so if the torn end is what stops this, everything before it is intact.
        if "Corruption: truncated" not in str(error):
            raise
    return _open_database(path, tuning, DBRecoveryMode.point_in_time())


def _open_database(path: Path, tuning: Tuning, recovery: DBRecoveryMode) -> Rdict:
    """Opens the database with every column family it has; a new one has none but the default."""
    try:
        names = Rdict.list_cf(str(path), Options(raw_mode=True)) if (path / "CURRENT").exists() else []
        families = {name: tuning.family(_table_of(name)) for name in names if name != "default"}
        return Rdict(str(path), options=tuning.database(recovery), column_families=families)
    except Exception as error:
        if "lock hold by current process" in str(error) or "While lock file" in str(error):
            raise DataDirLockedError(str(path)) from error
        raise _storage_error(f"open {path}", error) from error


def _drop_other_generations(database: Rdict, path: Path, generation: int) -> None:
    for name in Rdict.list_cf(str(path), Options(raw_mode=True)):
        _, dot, number = name.partition(".")
        if dot and int(number) != generation:
            database.drop_column_family(name)


def _create_missing(database: Rdict, path: Path, tuning: Tuning, generation: int) -> None:
    existing = set(Rdict.list_cf(str(path), Options(raw_mode=True)))
    for table in Table:
        name = _family_name(table, generation)
        if name not in existing:
            database.create_column_family(name, tuning.family(table))


def _family_name(table: Table, generation: int) -> str:
    name = table.name.lower()
    return f"{name}.{generation}" if table.replicated else name


def _table_of(family_name: str) -> Table | None:
    """The table of a column family; None for one that a later version made."""
    name = family_name.partition(".")[0].upper()
    return Table[name] if name in Table.__members__ else None


def _encode(batch: Batch, handles: dict[Table, ColumnFamily]) -> WriteBatch:
    """A batch as RocksDB takes it: the truncations first, then the rows."""
    encoded = WriteBatch(raw_mode=True)
    for table, first, end in batch.truncations:
        encoded.delete_range(first, end, handles[table])
    put, delete = encoded.put, encoded.delete
    for table, rows in batch.rows.items():
        handle = handles[table]
        for key, value in rows.items():
            if value is None:
                delete(key, handle)
            else:
                put(key, value, handle)
    return encoded


def _scan(source: Rdict | Snapshot, first: bytes, end: bytes | None, *, reverse: bool) -> Iterator[tuple[bytes, bytes]]:
    """Makes the iterator now, for that fixes what it sees. The upper bound keeps RocksDB from walking over deleted rows that
    follow the range.
    """
    if end is not None and end <= first:
        return iter(())
    try:
        bounds = ReadOptions()
        if end is not None:
            bounds.set_iterate_upper_bound(end)
        rows = source.iter(bounds)
        if reverse:
            rows.seek_to_last()
            return _backward(rows, bounds, first)
        rows.seek(first)
        return _forward(rows, bounds)
    except Exception as error:
        raise _storage_error("scan", error) from error


def _forward(rows: RdictIter, bounds: ReadOptions) -> Iterator[tuple[bytes, bytes]]:  # noqa: ARG001 - kept alive, see the head
    valid, key, value, advance = rows.valid, rows.key, rows.value, rows.next
    try:
        while valid():
            yield key(), value()
            advance()
        rows.status()
    except Exception as error:
        raise _storage_error("scan", error) from error


def _backward(rows: RdictIter, bounds: ReadOptions, first: bytes) -> Iterator[tuple[bytes, bytes]]:  # noqa: ARG001 - as above
    try:
        while rows.valid():
            key = rows.key()
            if key < first:
                return
            yield key, rows.value()
            rows.prev()
        rows.status()
    except Exception as error:
        raise _storage_error("scan", error) from error


def _storage_error(act: str, error: Exception) -> StorageError:
    return StorageError(f"cannot {act}: {error}")
