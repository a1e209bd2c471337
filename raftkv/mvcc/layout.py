r"""Where versions stand in the tables, and what an event is.

    LIVE       key                                   -> KeyValue      the newest version; absent when deleted
    HISTORY    escaped key, 00 00, main u64, sub u32 -> KeyValue      every kept version; empty: a tombstone
    REVISIONS  main u64, sub u32                     -> kind, key     the order of all changes
    STATE      b"store"                              -> Progress      what the store counts, in one row

A revision is main (one for each request that changes anything) and sub (the number of the change within the request).
Integers are big-endian, so bytes sort as numbers do.

Escaping turns 00 into 00 FF. With 00 00 behind it, all versions of a key are adjacent, keys keep their order, and no key
runs into another that it is a prefix of:

    "a"   -> 61 00 00 ...         before
    "a\0" -> 61 00 FF 00 00 ...   before
    "ab"  -> 61 62 00 00 ...
"""

from struct import Struct
from typing import NamedTuple

from raftkv.pb.kv import KeyValue

REVISION_BYTES = 12
"""Length of an encoded revision: main u64, sub u32."""

pack_revision = Struct(">QI").pack
"""(main, sub) as bytes that sort as revisions do."""

_unpack_revision = Struct(">QI").unpack
_progress = Struct(">qqqqQI")

VERSION_OVERHEAD = 64
"""Bytes that a kept version is reckoned to cost beside its key and its encoded KeyValue: its rows' keys and the tables' own."""

PROGRESS_ROW = b"store"
"""The key of Progress in STATE."""


CREATE, UPDATE, DELETE = b"\0", b"\1", b"\2"
"""What a change does to its key: the first byte of a REVISIONS row."""


class Event(NamedTuple):
    """One change of one key. The messages are kept encoded, for most events are never looked at."""

    key: bytes
    revision: int
    encoded: bytes | None
    """The new KeyValue; None: the key was deleted."""
    previous: bytes | None
    """The KeyValue before this revision; None if there was none, or if it was not asked for or is compacted."""

    @property
    def kv(self) -> KeyValue:
        """The new KeyValue; of a deleted key it has only key and mod_revision."""
        if self.encoded is None:
            return KeyValue(key=self.key, mod_revision=self.revision)
        return KeyValue.FromString(self.encoded)

    @property
    def prev_kv(self) -> KeyValue | None:
        """The KeyValue before."""
        return None if self.previous is None else KeyValue.FromString(self.previous)


class Progress(NamedTuple):
    """What the store counts: one row, written with the changes that it counts."""

    revision: int = 1
    compact_revision: int = -1
    size: int = 0
    scrubbed_revision: int = -1
    """The last compaction whose rows are all gone."""
    cursor_main: int = 0
    """Where the removal of rows goes on."""
    cursor_sub: int = 0

    def encode(self) -> bytes:
        return _progress.pack(*self)

    @classmethod
    def decode(cls, row: bytes) -> "Progress":
        return cls(*_progress.unpack(row))


def bounds(key: bytes, range_end: bytes) -> tuple[bytes, bytes | None]:
    """[first, end) of a request: no end is the key alone, an end of one zero byte is everything from the key on."""
    if not range_end:
        return key, key + b"\0"
    return key, None if range_end == b"\0" else range_end


def escape(key: bytes) -> bytes:
    """The key in HISTORY. As a bound it stands before all versions of the key."""
    return key.replace(b"\0", b"\0\xff")


def versions_of(key: bytes) -> bytes:
    """What the HISTORY rows of the key, and of no other key, begin with."""
    return key.replace(b"\0", b"\0\xff") + b"\0\0"


def key_of(history_row: bytes) -> bytes:
    """The key of a HISTORY row."""
    return history_row[: -REVISION_BYTES - 2].replace(b"\0\xff", b"\0")


def revision_of(row: bytes) -> tuple[int, int]:
    """(main, sub) of a row of HISTORY or REVISIONS."""
    main, sub = _unpack_revision(row[-REVISION_BYTES:])
    return main, sub
