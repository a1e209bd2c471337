"""The in-memory twin of the log on disk: for tests and simulations of the Raft core alone."""

from collections.abc import Sequence

from raftkv.errors import CompactedLogError, UnavailableLogError
from raftkv.raft.log import limit_bytes
from raftkv.raft.messages import Entry, Snapshot


class MemoryLog:
    """A LogReader, with the writes that a driver makes."""

    def __init__(self, index: int = 0, term: int = 0) -> None:
        self._start_index = index
        self._start_term = term
        self._entries: list[Entry] = []

    def first_index(self) -> int:
        return self._start_index + 1

    def last_index(self) -> int:
        return self._start_index + len(self._entries)

    def term(self, index: int) -> int:
        if index == self._start_index:
            return self._start_term
        self._refuse_outside(index, index + 1)
        return self._entries[index - self._start_index - 1].term

    def entries(self, first: int, end: int, max_bytes: int) -> list[Entry]:
        self._refuse_outside(first, end)
        entries = self._entries[first - self._start_index - 1 : end - self._start_index - 1]
        return entries[: limit_bytes(entries, max_bytes)]

    def append(self, entries: Sequence[Entry]) -> None:
        """Writes entries; what stands at or behind the first one is replaced."""
        self._refuse_outside(entries[0].index, entries[0].index)
        del self._entries[entries[0].index - self._start_index - 1 :]
        self._entries += entries

    def compact(self, index: int) -> None:
        """Drops the entries up to `index`."""
        self._start_term, kept = self.term(index), self._entries[index - self._start_index :]
        self._start_index, self._entries = index, kept

    def install(self, snapshot: Snapshot) -> None:
        """Starts again behind a snapshot; every entry is dropped."""
        self._start_index, self._start_term, self._entries = snapshot.index, snapshot.term, []

    def _refuse_outside(self, first: int, end: int) -> None:
        if first <= self._start_index:
            raise CompactedLogError(first)
        if end > self.last_index() + 1:
            raise UnavailableLogError(end - 1)
