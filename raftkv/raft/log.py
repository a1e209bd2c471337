"""The replicated log as one node sees it: a tail in memory over what is on disk.

    start  <=  applied  <=  applying  <=  commit    <=  last
                            applying  <=  stable  <=  handed  <=  last
    cached - 1  <=  stable

    start      the last entry that was compacted away; its term is still known
    applied    the state machine has it; the driver said so
    applying   handed to the driver to be applied
    commit     known to be on a quorum
    stable     on this node's disk, as it stands in this log
    handed     the same once the persist in flight has been synced
    cached     index of the first entry in memory; everything from it on is in memory

A truncation takes `handed` and `stable` back with it, so a persist that ends after its entries were replaced counts
only for those that were not (R37).
"""

from collections.abc import Sequence
from typing import Protocol

from raftkv.errors import CompactedLogError, StorageError, UnavailableLogError
from raftkv.raft.messages import Entry, Snapshot
from raftkv.raft.terms import TermRuns


class LogReader(Protocol):
    """The log on this node's disk. Called synchronously from `Raft`, never for entries that a persist in flight replaces."""

    def first_index(self) -> int:
        """The first entry still there; the one before it (the start) was compacted, or is 0 in a new log."""
        ...

    def last_index(self) -> int:
        """The last entry there; first_index() - 1 if there is none."""
        ...

    def term(self, index: int) -> int:
        """The term of an entry from the start (first_index() - 1) to last_index().

        Raises:
            CompactedLogError: the index is below that.
            UnavailableLogError: the index is above that.
        """
        ...

    def entries(self, first: int, end: int, max_bytes: int) -> list[Entry]:
        """The entries of [first, end): at least one, then as many as have together at most `max_bytes` of data.

        Raises:
            CompactedLogError: `first` was compacted.
            UnavailableLogError: `end` is above last_index() + 1.
        """
        ...


def limit_bytes(entries: Sequence[Entry], max_bytes: int) -> int:
    """How many of `entries` have together at most `max_bytes` of data; at least one if there is any."""
    total = 0
    for count, entry in enumerate(entries):
        total += len(entry[3])
        if total > max_bytes:
            return max(count, 1)
    return len(entries)


class Log:
    """The log; see the head of the module for its indexes."""

    __slots__ = (
        "_cache",
        "_cache_bytes",
        "_cached",
        "_max_cached_bytes",
        "_max_cached_entries",
        "_reader",
        "_runs",
        "applied",
        "applying",
        "commit",
        "handed",
        "last_index",
        "pending_snapshot",
        "stable",
        "start_index",
    )

    def __init__(self, reader: LogReader, *, commit: int, applied: int, max_cached_entries: int, max_cached_bytes: int) -> None:
        self._reader = reader
        self.start_index = reader.first_index() - 1
        self.last_index = reader.last_index()
        self._runs = TermRuns.read(reader.term, self.start_index, self.last_index)
        self.applied = self.applying = applied
        self.commit = max(commit, applied)
        self.stable = self.handed = self.last_index
        self.pending_snapshot: Snapshot | None = None
        self._max_cached_entries = max_cached_entries
        self._max_cached_bytes = max_cached_bytes
        self._cached = applied + 1
        self._cache: list[Entry] = []
        if not self.start_index <= applied <= self.commit <= self.last_index:
            raise StorageError(f"the log does not fit its commit and applied indexes: {self}")
        while self._cached + len(self._cache) <= self.last_index:
            self._cache += reader.entries(self._cached + len(self._cache), self.last_index + 1, max_cached_bytes)
        self._cache_bytes = sum(len(entry.data) for entry in self._cache)

    # --- questions -------------------------------------------------------------------------------------------------

    @property
    def last_term(self) -> int:
        """The term of the last entry."""
        return self._runs.terms[-1]

    def term(self, index: int) -> int:
        """The term of the entry at `index`, from the start on.

        Raises:
            CompactedLogError: the index lies before the start.
            UnavailableLogError: the index lies behind the last entry.
        """
        if index < self.start_index:
            raise CompactedLogError(index)
        if index > self.last_index:
            raise UnavailableLogError(index)
        return self._runs.at(index)

    def matches(self, index: int, term: int) -> bool:
        """Whether the log has this very entry, as far as it can tell."""
        return self.start_index <= index <= self.last_index and self._runs.at(index) == term

    def agreement(self, index: int, term: int) -> tuple[int, int]:
        """The last entry up to `index` with at most `term`, and its term: where another log may agree (paper 5.3)."""
        index = self._runs.last_at_most(min(index, self.last_index), term)
        return (index, self._runs.at(index)) if index >= self.start_index else (self.start_index, self._runs.terms[0])

    def up_to_date(self, last_index: int, last_term: int) -> bool:
        """Whether a log that ends there is at least as up to date as this one (paper 5.4.1)."""
        return (last_term, last_index) >= (self.last_term, self.last_index)

    def slice(self, first: int, end: int, max_bytes: int) -> list[Entry]:
        """Entries from `first`: at least one, below `end`, with at most `max_bytes` of data; may stop early.

        Raises:
            CompactedLogError: `first` was compacted.
        """
        if first <= self.start_index:
            raise CompactedLogError(first)
        if first < self._cached:
            return self._reader.entries(first, min(end, self._cached), max_bytes)
        entries = self._cache[first - self._cached : end - self._cached]
        del entries[limit_bytes(entries, max_bytes) :]
        return entries

    def unapplied(self) -> list[Entry]:
        """The entries behind `applied`."""
        return self._cache[self.applied + 1 - self._cached :]

    # --- writing ---------------------------------------------------------------------------------------------------

    def append(self, entries: Sequence[Entry], size: int) -> None:
        """Adds entries, with `size` bytes of data, behind the last one; their terms never fall."""
        self._cache += entries
        self._cache_bytes += size
        if entries[-1].term != self._runs.terms[-1]:
            for entry in entries:
                self._runs.append(entry.index, entry.term)
        self.last_index = entries[-1].index

    def truncate(self, index: int) -> None:
        """Removes the entries from `index` on; committed ones stay for ever."""
        assert index > self.commit, f"entry {index} is committed and cannot be replaced"
        if index < self._cached:
            self._cached = index
            self._cache.clear()
        del self._cache[index - self._cached :]
        self._cache_bytes = sum(len(entry.data) for entry in self._cache)
        self._runs.truncate(index)
        self.last_index = index - 1
        self.stable = min(self.stable, self.last_index)
        self.handed = min(self.handed, self.last_index)

    def reset(self, snapshot: Snapshot) -> None:
        """Starts again from a snapshot, which is to be persisted before anything else."""
        assert snapshot.index > self.commit, f"snapshot {snapshot.index} is older than commit {self.commit}"
        self.pending_snapshot = snapshot
        self.start_index = self.last_index = snapshot.index
        self.applied = self.applying = self.commit = self.stable = self.handed = snapshot.index
        self._runs = TermRuns(snapshot.index, snapshot.term)
        self._cached = snapshot.index + 1
        self._cache = []
        self._cache_bytes = 0

    def compact(self, index: int) -> None:
        """Entries up to `index` may vanish from the disk."""
        index = min(index, self.applied, self.stable)
        if index <= self.start_index:
            return
        self._runs.forget_before(index)
        self.start_index = index
        if self._cached <= index:
            self._evict(index + 1 - self._cached)

    # --- to the disk and to the state machine ----------------------------------------------------------------------

    def hand_over(self) -> list[Entry]:
        """The entries that are not on their way to the disk yet; now they are."""
        entries = self._cache[self.handed + 1 - self._cached :]
        self.handed = self.last_index
        return entries

    def persisted(self) -> None:
        """What was handed over is on disk."""
        self.stable = self.handed

    def commit_to(self, index: int) -> None:
        """Moves the commit index forward, never back."""
        self.commit = max(self.commit, index)

    def has_committed(self) -> bool:
        """Whether there is something to apply: committed, on this disk, and the driver has applied what it had before."""
        return self.applied == self.applying < self.commit and self.applying < self.stable and self.pending_snapshot is None

    def take_committed(self, max_bytes: int) -> list[Entry]:
        """The next entries to apply."""
        if not self.has_committed():
            return []
        entries = self.slice(self.applying + 1, min(self.commit, self.stable) + 1, max_bytes)
        self.applying = entries[-1].index
        return entries

    def applied_to(self, index: int) -> None:
        """The state machine has applied entries up to `index`; old ones leave the memory."""
        self.applied = max(self.applied, min(index, self.applying))
        spare = min(self.applied, self.stable) + 1 - self._cached
        if spare > 2 * self._max_cached_entries:
            self._evict(spare - self._max_cached_entries)
        elif self._cache_bytes > 2 * self._max_cached_bytes:
            self._evict(limit_bytes(self._cache[: max(spare, 0)], self._cache_bytes - self._max_cached_bytes))

    def _evict(self, count: int) -> None:
        self._cache_bytes -= sum(len(entry.data) for entry in self._cache[:count])
        del self._cache[:count]
        self._cached += count

    def check(self) -> None:
        """The inequalities at the head of this module."""
        assert self.start_index <= self.applied <= self.applying <= self.commit <= self.last_index, self
        assert self.applying <= self.stable <= self.handed <= self.last_index, self
        assert self._cached - 1 <= self.stable, self

    def __repr__(self) -> str:
        return (
            f"Log(start={self.start_index} applied={self.applied} applying={self.applying} commit={self.commit} "
            f"stable={self.stable} handed={self.handed} cached={self._cached} last={self.last_index})"
        )
