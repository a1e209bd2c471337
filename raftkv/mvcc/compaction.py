"""Takes away the versions that nobody can ask for any more, a little at a time.

    compact(R)  reads below R fail from now on                     at once, in the log's order
    scrub       walks the changes from the cursor up to R          in the background, each replica at its own pace
                of each change: the version before it goes         unless it is at R itself
                                it goes itself if it is a deletion below R

So these stay: of every live key the newest version at or below R, every change at R (a watch may start there; that a
deletion at R got lost was etcd#19179), everything above R. The walk needs no memory of its own: by the time it is at a
change, of all versions before it at most one is left. What it costs depends on the changes since the last compaction, not
on the size of the store.

The cursor is stored with the rows of each step. After a crash the walk goes on there, and a change visited twice does
no harm. The next walk begins with the changes at R, not behind them: this one had to leave them.
"""

from collections.abc import Iterator
from itertools import islice

from raftkv.mvcc.layout import (
    CREATE,
    DELETE,
    REVISION_BYTES,
    VERSION_OVERHEAD,
    pack_revision,
    revision_of,
    versions_of,
)
from raftkv.storage.engine import Table
from raftkv.storage.overlay import Overlay

STEP_CHANGES = 1000
"""Changes visited in one step."""

STEP_LOOKUPS = 60
"""Of these, changes before which a version has to be looked for: at 25 us each, a step takes 1.5 ms."""

_HISTORY, _REVISIONS = Table.HISTORY, Table.REVISIONS


def scrub_step(state: Overlay, cursor: tuple[int, int], target: int) -> tuple[tuple[int, int] | None, int]:
    """One step of the walk towards the revision `target`: where to go on (None: it is done), and how many bytes went."""
    visited = _next_changes(state, pack_revision(*cursor), pack_revision(target + 1, 0))
    # All lookups come before the first removal: the overlay would sort its pending rows anew for each of them. They do not
    # depend on each other, for two changes of a key never have the same version before them.
    doomed = [removal for row, change in visited for removal in _superfluous(state, row, change, target)]
    freed = 0
    for key, history_row, size in doomed:
        state.delete(_HISTORY, history_row)
        state.delete(_REVISIONS, history_row[-REVISION_BYTES:])
        freed += len(key) + size + VERSION_OVERHEAD
    if not visited:
        return None, freed
    main, sub = revision_of(visited[-1][0])
    return (main, sub + 1), freed


def _next_changes(state: Overlay, first: bytes, end: bytes) -> list[tuple[bytes, bytes]]:
    visited = []
    lookups = 0
    for row, change in islice(state.scan(_REVISIONS, first, end), STEP_CHANGES):
        visited.append((row, change))
        lookups += change[:1] != CREATE
        if lookups == STEP_LOOKUPS:
            break
    return visited


def _superfluous(state: Overlay, row: bytes, change: bytes, target: int) -> Iterator[tuple[bytes, bytes, int]]:
    """What a change allows to be removed: key, HISTORY row, and the length of its value."""
    kind, key = change[:1], change[1:]
    versions = versions_of(key)
    # Before a creation there is nothing, or a deletion, which is seen to when it is visited itself.
    if kind != CREATE:
        before = next(state.scan(_HISTORY, versions, versions + row, reverse=True), None)
        if before is not None and revision_of(before[0])[0] < target:
            yield key, before[0], len(before[1])
    if kind == DELETE and revision_of(row)[0] < target:
        yield key, versions + row, 0
