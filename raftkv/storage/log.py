"""The Raft log on the engine: entries in LOG, the hard state and the log's start in META.

    LOG    index (8 bytes, big-endian) -> checksum (u32) | term (u64) | kind (u8) | data
    META   b"hard_state" -> raftkv.raft.HardState      b"log_start" -> raftkv.raft.LogStart

The checksum covers index, term, kind and data, so that a row which RocksDB hands out intact but from the wrong place or
time is noticed too. A bad, missing or foreign entry is a StorageError that names its index, and the node stops: to cut the
log there would take back promises made to other nodes.

What is shown, by the rule of `LogReader`: no entry that is not on disk. Changes go into a batch first and become visible
by `saved`, when the batch is synced; what they remove is hidden at once. At most one batch with `save` or `reset` may be on
its way (Raft has one Persist in flight). The event loop's thread does all of this; `open` blocks and may run anywhere.

Rows of a compacted prefix are removed by one range deletion for each `compact`. Reads start behind the prefix, so what is
left of it is never walked over; compactions of RocksDB drop it.
"""

import struct
import zlib
from collections.abc import Sequence

from google.protobuf.message import DecodeError

from raftkv.errors import CompactedLogError, StorageError, UnavailableLogError
from raftkv.pb import raft as pb
from raftkv.raft.messages import NO_NODE, Entry, EntryKind, HardState, Snapshot
from raftkv.raft.terms import TermRuns
from raftkv.storage.engine import Batch, Engine, Reader, Table

_HARD_STATE_KEY = b"hard_state"
_START_KEY = b"log_start"

_KEY = struct.Struct(">Q")
_ROW = struct.Struct(">IQB")
_CHECKED = struct.Struct(">QQB")
_KINDS = {kind.value: kind for kind in EntryKind}


class LogStore:
    """The log of one node. It implements raft's LogReader; the driver writes it."""

    def __init__(self, engine: Engine, *, hard_state: HardState, runs: TermRuns, last_index: int) -> None:
        self._engine = engine
        self._hard_state = hard_state
        self._promised_hard_state = hard_state
        self._runs = runs  # of every entry up to _promised
        self._start = runs.starts[0]
        self._last = last_index  # on disk, and shown
        self._promised = last_index  # in a batch, or on disk

    @classmethod
    def open(cls, engine: Engine) -> "LogStore":
        """Reads all of the log and checks it: each checksum, indexes without a gap, terms that never fall.

        Raises:
            StorageError: the log is damaged.
        """
        start_index, start_term = read_start(engine)
        hard_state = read_hard_state(engine)
        runs = TermRuns(start_index, start_term)
        last = start_index
        for key, row in engine.scan(Table.LOG):
            entry = decode_entry(last + 1, key, row)
            if entry.term < runs.terms[-1]:
                raise StorageError(f"log entry {entry.index} has term {entry.term}, below {runs.terms[-1]} before it")
            runs.append(entry.index, entry.term)
            last = entry.index
        if hard_state.commit > last:
            raise StorageError(f"the log ends at entry {last}, but {hard_state.commit} was committed")
        if hard_state.term < runs.terms[-1]:
            raise StorageError(f"the log has term {runs.terms[-1]}, but the node's term is {hard_state.term}")
        return cls(engine, hard_state=hard_state, runs=runs, last_index=last)

    # --- what Raft reads -------------------------------------------------------------------------------------------

    @property
    def hard_state(self) -> HardState:
        """What is on disk."""
        return self._hard_state

    @property
    def start(self) -> tuple[int, int]:
        """Index and term of the last entry that was compacted away; (0, 0) in a new log."""
        return self._start, self._runs.terms[0]

    def first_index(self) -> int:
        """The first entry that is still there."""
        return self._start + 1

    def last_index(self) -> int:
        """The last entry on disk."""
        return self._last

    def term(self, index: int) -> int:
        """The term of an entry from the start on; it reads no disk."""
        self._check_range(index + 1, index + 1)
        return self._runs.at(index)

    def entries(self, first: int, end: int, max_bytes: int) -> list[Entry]:
        """The entries of [first, end): at least one, then as many as have together at most `max_bytes` of data."""
        self._check_range(first, end)
        entries: list[Entry] = []
        room = max_bytes
        for index, (key, row) in enumerate(self._engine.scan(Table.LOG, _KEY.pack(first), _KEY.pack(end)), first):
            room -= len(row) - _ROW.size
            if room < 0 and entries:
                return entries
            entries.append(decode_entry(index, key, row))
        if first + len(entries) != end:
            raise StorageError(f"log entry {first + len(entries)} is missing")
        return entries

    # --- what the driver writes ------------------------------------------------------------------------------------

    def save(self, batch: Batch, hard_state: HardState | None, entries: Sequence[Entry]) -> None:
        """Appends entries, in place of whatever stands at or behind the first one's index, and sets the hard state."""
        if hard_state is not None:
            batch.put(Table.META, _HARD_STATE_KEY, encode_hard_state(hard_state))
            self._promised_hard_state = hard_state
        if not entries:
            return
        first = entries[0].index
        assert self._start < first <= self._promised + 1, f"entry {first} does not fit {self._start} .. {self._promised}"
        if first <= self._promised:
            batch.truncate(Table.LOG, _KEY.pack(first), _KEY.pack(self._promised + 1))
            self._runs.truncate(first)
            self._last = min(self._last, first - 1)
        rows = batch.rows.setdefault(Table.LOG, {})
        append_run = self._runs.append
        for entry in entries:
            append_run(entry[0], entry[1])
            rows[_KEY.pack(entry[0])] = encode_entry(entry)
        self._promised = entries[-1].index

    def saved(self) -> None:
        """The batch with the last `save` or `reset` is synced."""
        self._hard_state = self._promised_hard_state
        self._last = self._promised

    def compact(self, batch: Batch, index: int) -> None:
        """Drops the entries up to `index`, which the state has: written before this batch, or by it."""
        if index <= self._start:
            return
        term = self.term(index)
        batch.truncate(Table.LOG, _KEY.pack(self._start + 1), _KEY.pack(index + 1))
        batch.put(Table.META, _START_KEY, encode_start(index, term))
        self._runs.forget_before(index)
        self._start = index

    def reset(self, batch: Batch, snapshot: Snapshot) -> None:
        """Drops every entry, those of this batch too, and starts again behind a snapshot. The batch goes to `Staging.commit`."""
        batch.rows.pop(Table.LOG, None)
        batch.truncate(Table.LOG, _KEY.pack(0), _KEY.pack(self._promised + 1))
        batch.put(Table.META, _START_KEY, encode_start(snapshot.index, snapshot.term))
        self._runs = TermRuns(snapshot.index, snapshot.term)
        self._start = self._last = self._promised = snapshot.index

    def _check_range(self, first: int, end: int) -> None:
        if first <= self._start:
            raise CompactedLogError(first)
        if end > self._last + 1:
            raise UnavailableLogError(end - 1)


def begin_log(batch: Batch, *, index: int, term: int, current_term: int = 0) -> None:
    """Makes a log that begins behind an entry that the state contains, of a node that has not voted in the current term, which
    is the entry's where not given.
    """
    batch.put(Table.META, _START_KEY, encode_start(index, term))
    batch.put(Table.META, _HARD_STATE_KEY, encode_hard_state(HardState(current_term or term, NO_NODE, index)))


def encode_entry(entry: Entry) -> bytes:
    """An entry as its row in LOG."""
    index, term, kind, data = entry
    return _ROW.pack(zlib.crc32(data, zlib.crc32(_CHECKED.pack(index, term, kind))), term, kind) + data


def decode_entry(index: int, key: bytes, row: bytes) -> Entry:
    """The entry `index` from its row.

    Raises:
        StorageError: the key is another one's, or the row is not what was written.
    """
    if key != _KEY.pack(index):
        raise StorageError(f"log entry {index} is missing; found {key.hex()}")
    if len(row) < _ROW.size:
        raise StorageError(f"log entry {index} is damaged: {len(row)} bytes")
    checksum, term, kind = _ROW.unpack_from(row)
    data = row[_ROW.size :]
    if zlib.crc32(data, zlib.crc32(_CHECKED.pack(index, term, kind))) != checksum or kind not in _KINDS:
        raise StorageError(f"log entry {index} is damaged: its checksum does not match")
    return Entry(index, term, _KINDS[kind], data)


def encode_hard_state(hard_state: HardState) -> bytes:
    """The hard state as its row in META."""
    return pb.HardState(term=hard_state.term, vote=hard_state.vote, commit=hard_state.commit).SerializeToString()


def read_hard_state(reader: Reader) -> HardState:
    """The hard state on disk; that of a node which never ran if there is none."""
    row = reader.get(Table.META, _HARD_STATE_KEY)
    if row is None:
        return HardState()
    try:
        message = pb.HardState.FromString(row)
    except DecodeError as error:
        raise StorageError("the hard state is damaged") from error
    return HardState(message.term, message.vote, message.commit)


def encode_start(index: int, term: int) -> bytes:
    """The log's start as its row in META."""
    return pb.LogStart(index=index, term=term).SerializeToString()


def read_start(reader: Reader) -> tuple[int, int]:
    """Index and term of the last compacted entry; (0, 0) if none was."""
    row = reader.get(Table.META, _START_KEY)
    if row is None:
        return 0, 0
    try:
        message = pb.LogStart.FromString(row)
    except DecodeError as error:
        raise StorageError("the start of the log is damaged") from error
    return message.index, message.term
