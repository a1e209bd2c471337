"""What raftkv asks of a disk: ordered tables of bytes, atomic batches, consistent views.

    local tables (this node's own)      LOG, META
    state tables (replicated)           all others; a snapshot replaces all of them at once

Threads: `write` and the staging of a snapshot block on the disk and run on the one storage thread, one at a time; `get`,
`scan` and `view` run on any thread, the event loop's above all, and see every batch whose `write` has returned. A failed
write or sync raises StorageError, after which the engine takes no more writes: what the disk holds is then unknown (fsync
errors are final, Rebello et al., ATC'20). Every method raises StorageError where the disk or the engine fails.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol


class Table(IntEnum):
    """The tables. The numbers stand on disk and in snapshots: they are never reused."""

    META = 0
    """This node's own facts: identity, hard state, where the log starts."""
    LOG = 1
    """Index (8 bytes, big-endian) -> entry."""
    STATE = 2
    """Single values of the state machine: applied index, revision, membership, alarms, ..."""
    LIVE = 3
    """Key -> its newest KeyValue; deleted keys are absent."""
    HISTORY = 4
    """Key and revision -> KeyValue, every version since the last compaction."""
    REVISIONS = 5
    """Revision -> key: the order of all changes, for watches and compaction."""
    REQUESTS = 6
    """Client and sequence -> the answer that a retry gets."""
    MEMBERS = 7
    """Member id (8 bytes, big-endian) -> Member."""
    LEASES = 8
    """Lease id (8 bytes, big-endian) -> what was granted and, at the last checkpoint, left of it."""
    LEASE_KEYS = 9
    """Lease id and key -> nothing: which keys a lease owns."""
    AUTH = 10
    """Users, roles, whether they count, and their revision."""

    @property
    def replicated(self) -> bool:
        """Whether the table is part of the state that all replicas share."""
        return self not in {Table.META, Table.LOG}


Rows = dict[bytes, bytes | None]
"""Changes to one table: a value to put, None to delete."""


@dataclass(slots=True)
class Batch:
    """Changes that reach the disk together or not at all. `truncations` are ranges [first, end) deleted before the rows go in."""

    rows: dict[Table, Rows] = field(default_factory=dict)
    truncations: list[tuple[Table, bytes, bytes]] = field(default_factory=list)

    def put(self, table: Table, key: bytes, value: bytes) -> None:
        """Sets a row."""
        self.rows.setdefault(table, {})[key] = value

    def delete(self, table: Table, key: bytes) -> None:
        """Deletes a row, present or not."""
        self.rows.setdefault(table, {})[key] = None

    def truncate(self, table: Table, first: bytes, end: bytes) -> None:
        """Deletes every row in [first, end)."""
        self.truncations.append((table, first, end))

    def empty(self) -> bool:
        """Whether there is nothing to write."""
        return not self.rows and not self.truncations


class Reader(Protocol):
    """Reads of one consistent state."""

    def get(self, table: Table, key: bytes) -> bytes | None:
        """The value at `key`, or None."""
        ...

    def scan(
        self, table: Table, first: bytes = b"", end: bytes | None = None, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """The rows of [first, end) in key order (`end` None: to the table's end), lazily, all of them as of this call."""
        ...


class View(Reader, Protocol):
    """A frozen state of the whole engine, whatever is written meanwhile. Release it: it keeps old data on disk."""

    def release(self) -> None: ...


class Staging(Protocol):
    """A snapshot being received into tables that nobody reads yet. `commit` swaps them in."""

    def add(self, table: Table, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Stores rows of a state table, not yet visible."""
        ...

    def commit(self, batch: Batch) -> None:
        """Makes the staged rows the whole of the state tables, with `batch` to the local tables, in one synced step."""
        ...

    def abandon(self) -> None:
        """Forgets the staged rows."""
        ...


class Engine(Reader, Protocol):
    """The disk."""

    def write(self, batch: Batch, *, sync: bool) -> None:
        """Applies the batch atomically; with `sync` it and everything written before it survive power loss on return."""
        ...

    def view(self) -> View:
        """Freezes the present state for reading; short enough for the event loop."""
        ...

    def stage(self) -> Staging:
        """Starts to receive a snapshot; an earlier unfinished one is forgotten."""
        ...

    def compact(self) -> None:
        """Gives back the space of what was deleted or replaced. It may take minutes, on a thread of its own, beside everything
        else; `close` ends it early.
        """
        ...

    def size(self) -> int:
        """Bytes that the data takes on disk, about."""
        ...

    def close(self) -> None:
        """Ends all use; idempotent."""
        ...
