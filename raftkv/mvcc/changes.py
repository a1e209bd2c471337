"""The changes since a revision, in order: what a watch that starts in the past, or has fallen behind, catches up with."""

from collections.abc import Iterator

from raftkv.mvcc.layout import DELETE, Event, revision_of, versions_of
from raftkv.mvcc.sight import Sight, batches, version_at
from raftkv.storage.engine import Table


def read_changes(sight: Sight, first: int, last: int, *, previous: bool) -> Iterator[list[Event]]:
    """The events of the revisions first to last in lists, each a slice of work. The caller releases the sight."""
    low, high = first.to_bytes(8, "big"), (last + 1).to_bytes(8, "big")
    for batch in batches(sight, Table.REVISIONS, low, high):
        reader = sight.reader()
        events = []
        for row, change in batch:
            key, (main, _) = change[1:], revision_of(row)
            encoded = None if change[:1] == DELETE else reader.get(Table.HISTORY, versions_of(key) + row)
            before = _before(sight, key, main) if previous else None
            events.append(Event(key, main, encoded, before))
        yield events


def _before(sight: Sight, key: bytes, revision: int) -> bytes | None:
    """The KeyValue one revision before, unless that is compacted (rows may still be there: when they go is no promise)."""
    if revision - 1 < sight.compact_revision:
        return None
    return version_at(sight.reader(), versions_of(key), revision - 1)
