"""The store as one request sees it, and how rows are read from it in slices.

    live  --pin (before the first pause)-->  pinned: a view of the tables and a twin of the index

Most requests end within their first slice. They read the store as it is, for nothing changes while the event loop is
theirs. Only a request that is about to pause takes a view, so what it sees before and after the pause is the same moment.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Protocol

from raftkv.errors import CompactedError, FutureRevisionError
from raftkv.mvcc.index import KeyIndex
from raftkv.mvcc.layout import REVISION_BYTES, escape
from raftkv.mvcc.steps import SLICE_BYTES, SLICE_ROWS, Steps
from raftkv.storage.engine import Reader, Rows, Table, View

Row = tuple[bytes, bytes]

FIRST_BATCH = 16
"""Rows read before anything is known about their size: 24 MiB at worst."""


class Viewable(Reader, Protocol):
    """Tables that can be frozen: the Overlay."""

    def view(self) -> View: ...


class Sight:
    """The store at one moment."""

    __slots__ = ("_left", "_reader", "_state", "_view", "compact_revision", "index", "settled")

    def __init__(self, state: Viewable, index: KeyIndex, settled: int, compact_revision: int) -> None:
        self._state = state
        self._reader: Reader = state
        self._view: View | None = None
        self._left = SLICE_ROWS
        self.index = index
        """The live keys at `settled`."""
        self.settled = settled
        """The revision of the store at this moment."""
        self.compact_revision = compact_revision

    @property
    def revision(self) -> int:
        """The newest revision that can be seen."""
        return self.settled

    def reader(self) -> Reader:
        """The tables. It is another reader after the first pause."""
        return self._reader

    def count(self, first: bytes, end: bytes | None) -> int:
        """How many keys of [first, end) are live at `revision`."""
        return self.index.count(first, end)

    def get(self, key: bytes) -> bytes | None:
        """The KeyValue of a key at `revision`."""
        return self._reader.get(Table.LIVE, key)

    @property
    def staged(self) -> Rows:
        """Rows of LIVE that differ from those of `index`: a transaction's own."""
        return {}

    def settled_rows(self, first: bytes, end: bytes | None) -> Iterator[Row]:
        """The live rows at `settled`, which are those of the keys in `index`."""
        return self._reader.scan(Table.LIVE, first, end)

    def exact_index(self) -> KeyIndex | None:
        """The live keys at `revision`, if the index has them."""
        return self.index

    def resolve(self, revision: int) -> int:
        """The revision to read at; zero and below is the newest."""
        if revision <= 0:
            return self.revision
        if revision > self.revision:
            raise FutureRevisionError
        if revision < self.compact_revision:
            raise CompactedError
        return revision

    @property
    def spent(self) -> bool:
        """Whether the slice is used up and it is time to pause."""
        return self._left <= 0

    def spend(self, rows: int, size: int = 0) -> None:
        """Counts work: so many rows, of so many bytes."""
        self._left -= rows + size * SLICE_ROWS // SLICE_BYTES

    def pause(self) -> Steps[None]:
        """Lets others work, and sees the same as before afterwards."""
        self.pin()
        yield
        self._left = SLICE_ROWS

    def pin(self) -> None:
        """Stays at this moment whatever is written from now on."""
        if self._view is None:
            self._reader = self._view = self._state.view()
            self.index = self.index.frozen()

    def release(self) -> None:
        """Ends reading."""
        if self._view is not None:
            self._view.release()
            self._view = None


def batches(sight: Sight, table: Table, first: bytes, end: bytes | None, *, reverse: bool = False) -> Iterator[list[Row]]:
    """The rows of [first, end) in lists that are a slice of work at most; the caller may pause between two of them."""
    size = FIRST_BATCH
    reader: Reader | None = None
    rows: Iterator[Row] = iter(())
    while True:
        if reader is not sight.reader():
            reader = sight.reader()
            rows = reader.scan(table, first, end, reverse=reverse)
        batch = list(islice(rows, size))
        if not batch:
            return
        length = sum(len(value) for _, value in batch)
        sight.spend(len(batch), length)
        yield batch
        if len(batch) < size:
            return
        last = batch[-1][0]
        first, end = (first, last) if reverse else (last + b"\0", end)
        size = max(1, min(SLICE_ROWS, SLICE_BYTES * size // (length + 1), size * 8))


def version_at(reader: Reader, versions: bytes, revision: int) -> bytes | None:
    """The KeyValue at a revision of the key whose HISTORY rows begin with `versions`; None: it did not exist then."""
    newest_first = reader.scan(Table.HISTORY, versions, versions + (revision + 1).to_bytes(8, "big"), reverse=True)
    row = next(newest_first, None)
    return None if row is None else row[1] or None


def live_at(sight: Sight, first: bytes, end: bytes | None, revision: int, *, reverse: bool) -> Iterator[list[bytes]]:
    """The KeyValues at an old revision, in key order, in lists; a list is empty where only other versions were passed."""
    low, high = escape(first), None if end is None else escape(end)
    rows = batches(sight, Table.HISTORY, low, high, reverse=reverse)
    bound = (revision + 1).to_bytes(8, "big")
    return _descending(rows, bound) if reverse else _ascending(rows, bound)


def _ascending(rows: Iterator[list[Row]], bound: bytes) -> Iterator[list[bytes]]:
    """Walks versions from old to new: of each key, the last one below the bound."""
    current, chosen = b"", b""
    for batch in rows:
        found = []
        for row, value in batch:
            versions = row[:-REVISION_BYTES]
            if versions != current:
                if chosen:
                    found.append(chosen)
                current, chosen = versions, b""
            if row[-REVISION_BYTES:] < bound:
                chosen = value
        yield found
    if chosen:
        yield [chosen]


def _descending(rows: Iterator[list[Row]], bound: bytes) -> Iterator[list[bytes]]:
    """Walks versions from new to old: of each key, the first one below the bound."""
    settled = b""
    for batch in rows:
        found = []
        for row, value in batch:
            if row[-REVISION_BYTES:] >= bound:
                continue
            versions = row[:-REVISION_BYTES]
            if versions != settled:
                settled = versions
                if value:
                    found.append(value)
        yield found
