"""Checksums by which replicas are compared: equal state, equal number, whatever each has tidied away already.

    compact(R)     every replica refuses to read below R, at once
    the scrub      removes what that gave up, on each replica when it has time

So what the scrub may or may not have removed yet does not count (raftkv.mvcc.compaction has the rule): of the versions of a key
below R only the newest, unless it is a deletion or there is a change at R.
"""

import zlib
from collections.abc import Iterable
from typing import NamedTuple

from raftkv.mvcc.layout import REVISION_BYTES
from raftkv.mvcc.sight import Row, Sight, batches
from raftkv.mvcc.steps import Steps
from raftkv.storage.engine import Table

_LENGTH_BYTES = 4
_MAIN_BYTES = 8


class HistoryHash(NamedTuple):
    """A checksum over the kept versions up to `revision`."""

    checksum: int
    revision: int
    compact_revision: int


def hash_history(sight: Sight, revision: int) -> Steps[HistoryHash]:
    """The checksum of the versions up to `revision` that everybody has."""
    kept = _Kept(max(sight.compact_revision, 0), revision)
    checksum = 0
    for rows in batches(sight, Table.HISTORY, b"", None):
        checksum = _add(checksum, kept.filter(rows))
        if sight.spent:
            yield from sight.pause()
    checksum = _add(checksum, kept.rest())
    return HistoryHash(checksum, revision, sight.compact_revision)


def hash_tables(sight: Sight) -> Steps[int]:
    """The checksum of every row that is replicated, as this node has them now."""
    checksum = 0
    for table in Table:
        if not table.replicated:
            continue
        for rows in batches(sight, table, b"", None):
            checksum = _add(checksum, rows)
            if sight.spent:
                yield from sight.pause()
    return checksum


class _Kept:
    """Passes the versions that no scrub will take, in order."""

    def __init__(self, compacted: int, revision: int) -> None:
        self._low = compacted.to_bytes(_MAIN_BYTES, "big")
        self._end = (revision + 1).to_bytes(_MAIN_BYTES, "big")
        self._key = b""
        self._older: Row | None = None
        """The newest version below the compaction of the key at hand, if it may be kept."""

    def filter(self, rows: Iterable[Row]) -> list[Row]:
        """The rows to count among these, which follow the last ones."""
        passed: list[Row] = []
        for row in rows:
            name = row[0]
            key, main = name[:-REVISION_BYTES], name[-REVISION_BYTES : -REVISION_BYTES + _MAIN_BYTES]
            if key != self._key:
                passed += self.rest()
                self._key = key
            if main >= self._end:
                continue
            if main < self._low:
                self._older = row if row[1] else None  # a deletion goes, and all that was before it
            else:
                if main > self._low:
                    passed += self.rest()
                self._older = None
                passed.append(row)
        return passed

    def rest(self) -> list[Row]:
        """What is left of the key at hand, when nothing supersedes it."""
        older, self._older = self._older, None
        return [] if older is None else [older]


def _add(checksum: int, rows: Iterable[Row]) -> int:
    pieces: list[bytes] = []
    for name, value in rows:
        pieces += (name, len(value).to_bytes(_LENGTH_BYTES, "big"), value)
    return zlib.crc32(b"".join(pieces), checksum)
