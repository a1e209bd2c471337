"""State on its way to the disk, readable at once: the event loop applies, the storage thread writes, nobody waits.

    put, delete, merge -> pending rows --seal--> sealed layers --written--> (in the engine)
                          one layer, grows       oldest first, frozen       dropped here

A read looks at the pending rows, then at the sealed layers from the newest to the oldest, then at the engine. All of it
happens on the event loop; the storage thread only reads the frozen rows that `seal` gave it. Every `seal` is followed by
one `written`, in the same order.

A read takes the layers before it turns to the engine. The storage thread may finish writing a sealed layer between the two:
its rows are then seen twice, which is harmless. The other way round they could be seen nowhere: not yet in the engine's
state as it was taken, and no longer among the layers.

What was put into LIVE of late stays in memory for a while when it is on disk (`_Recent`): a key that is written is often written
again, and every write asks for the version before it.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple, Protocol

from raftkv.storage.engine import Engine, Reader, Rows, Table, View

RECENT_BYTES = 16 * 1024 * 1024
"""Keys and values in one generation of the rows that stay in memory; there are two."""
ROW_OVERHEAD = 128
"""What a row in memory costs beside its bytes."""

MAX_REMEMBERED_ROWS = 4096
"""In one batch. To keep a million deletions would hold the loop, so then all is forgotten."""


class _Layer(NamedTuple):
    """What one `seal` froze."""

    rows: dict[Table, Rows]
    """Tables without changes are left out."""
    changes: int
    size: int


class _Layered:
    """Reads through layers of rows over a reader."""

    def __init__(self, base: Reader, stacks: dict[Table, list[Rows]]) -> None:
        self._base_get = base.get
        self._base_scan = base.scan
        self._stacks = stacks
        """For each table the rows of its layers, the newest first."""
        self._orders: dict[Table, list[list[bytes]]] = {table: [[] for _ in stack] for table, stack in stacks.items()}
        """Beside each of them its keys in order, as far as somebody asked for it."""

    def get(self, table: Table, key: bytes) -> bytes | None:
        """The value at `key`, or None."""
        for rows in self._stacks[table]:
            if key in rows:
                return rows[key]
        return self._base_get(table, key)

    def scan(
        self, table: Table, first: bytes = b"", end: bytes | None = None, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """The rows of [first, end) as of this call, whatever is changed while they are read."""
        changes: Rows = {}
        for rows, order in zip(reversed(self._stacks[table]), reversed(self._orders[table]), strict=True):
            if rows:
                for key in _keys_between(rows, order, first, end):
                    changes[key] = rows[key]
        below = self._base_scan(table, first, end, reverse=reverse)
        if not changes:
            return below
        return _merged(below, [(key, changes[key]) for key in sorted(changes, reverse=reverse)], reverse=reverse)


class Keys(Protocol):
    """Knows which keys there are."""

    def __contains__(self, key: bytes) -> bool: ...


class _Recent:
    """Rows as the disk has them, the last ones that were written or asked for: two generations, of which the older goes at once."""

    __slots__ = ("_new", "_old", "_size")

    def __init__(self) -> None:
        self._new: Rows = {}
        self._old: Rows = {}
        self._size = 0

    def __contains__(self, key: bytes) -> bool:
        return key in self._new or key in self._old

    def __getitem__(self, key: bytes) -> bytes | None:
        return self._new[key] if key in self._new else self._old[key]

    def keep(self, key: bytes, value: bytes | None) -> None:
        """The disk has this at the key."""
        self._new[key] = value
        self._size += len(key) + len(value or b"") + ROW_OVERHEAD
        if self._size > RECENT_BYTES:
            self._old, self._new, self._size = self._new, {}, 0


class Overlay(_Layered):
    """What the state machine reads and writes. `base` is the engine; a plain reader will do where nobody asks for views."""

    def __init__(self, base: Reader | Engine) -> None:
        self._base = base
        self._pending: dict[Table, Rows] = {table: {} for table in Table}
        self._pending_changes = 0
        self._pending_size = 0
        self._sealed: deque[_Layer] = deque()
        self._recent = _Recent()
        self.live_keys: Keys | None = None
        """Every key that is in LIVE, where somebody keeps account: it knows of an absent one at a tenth of what the disk needs."""
        super().__init__(base, {table: [rows] for table, rows in self._pending.items()})

    def get(self, table: Table, key: bytes) -> bytes | None:
        """The value at `key`, or None."""
        for rows in self._stacks[table]:
            if key in rows:
                return rows[key]
        if table is not Table.LIVE:
            return self._base_get(table, key)
        if key in self._recent:
            return self._recent[key]
        if self.live_keys is not None and key not in self.live_keys:
            return None
        value = self._base_get(table, key)
        self._recent.keep(key, value)
        return value

    @property
    def pending_rows(self) -> int:
        """Changes that are not yet on disk, sealed or not: what to hold back writers by. A row that was changed twice counts
        twice.
        """
        return self._pending_changes + sum(layer.changes for layer in self._sealed)

    @property
    def pending_bytes(self) -> int:
        """Bytes of the keys and values of `pending_rows`."""
        return self._pending_size + sum(layer.size for layer in self._sealed)

    def put(self, table: Table, key: bytes, value: bytes) -> None:
        """Sets a row."""
        self._pending[table][key] = value
        self._pending_changes += 1
        self._pending_size += len(key) + len(value)

    def delete(self, table: Table, key: bytes) -> None:
        """Deletes a row, present or not."""
        self._pending[table][key] = None
        self._pending_changes += 1
        self._pending_size += len(key)

    def merge(self, rows: dict[Table, Rows]) -> None:
        """Takes over all changes of a finished transaction."""
        for table, changes in rows.items():
            self._pending[table].update(changes)
            size = 0
            for key, value in changes.items():
                size += len(key) + len(value) if value is not None else len(key)
            self._pending_changes += len(changes)
            self._pending_size += size

    def seal(self) -> dict[Table, Rows]:
        """Freezes the pending rows and hands them out for the next batch.

        The caller may add tables to the answer, but changes no row in it: readers see them.
        """
        rows = {table: changes for table, changes in self._pending.items() if changes}
        for table in rows:
            fresh: Rows = {}
            self._pending[table] = fresh
            self._stacks[table].insert(0, fresh)
            self._orders[table].insert(0, [])
        self._sealed.append(_Layer(rows, self._pending_changes, self._pending_size))
        self._pending_changes = self._pending_size = 0
        return rows.copy()

    def written(self) -> None:
        """The oldest sealed layer is on disk, readable there."""
        rows = self._sealed.popleft().rows
        for table in rows:
            self._stacks[table].pop()
            self._orders[table].pop()
        self._remember(rows.get(Table.LIVE, {}))

    def _remember(self, rows: Rows) -> None:
        if len(rows) > MAX_REMEMBERED_ROWS:
            self._recent = _Recent()
            return
        for key, value in rows.items():
            self._recent.keep(key, value)

    def clear(self) -> None:
        """Forgets everything, pending and sealed: a snapshot has replaced the state. No layer may be on its way to the disk."""
        self._sealed.clear()
        self._recent = _Recent()
        self.live_keys = None
        self._pending_changes = self._pending_size = 0
        for table in Table:
            fresh: Rows = {}
            self._pending[table] = fresh
            self._stacks[table] = [fresh]
            self._orders[table] = [[]]

    def view(self) -> "OverlayView":
        """This very moment, for reads that are answered in slices. Release it."""
        return OverlayView(self._base, {table: [stack[0].copy(), *stack[1:]] for table, stack in self._stacks.items()})


class OverlayView(_Layered):
    """An overlay as it was at one moment: copies of its layers over a view of the engine, which is taken after them."""

    def __init__(self, base: Reader | Engine, stacks: dict[Table, list[Rows]]) -> None:
        freeze = getattr(base, "view", None)
        self._frozen: View | None = freeze() if freeze is not None else None
        super().__init__(self._frozen or base, stacks)

    def release(self) -> None:
        """Ends reading: the engine need not keep this state any longer."""
        if self._frozen is not None:
            self._frozen.release()


def _keys_between(rows: Rows, order: list[bytes], first: bytes, end: bytes | None) -> list[bytes]:
    """The keys of `rows` in [first, end), sorted; `order` has its keys as far as they were sorted before.

    Keys only ever join a layer, and a dict lists them in the order in which they did. So the keys that are not yet in
    `order` are the dict's last ones, and sorting them into a list that is sorted but for its tail is nearly linear.
    """
    if len(order) != len(rows):
        order.extend(islice(rows, len(order), None))
        order.sort()
    low = bisect_left(order, first)
    high = len(order) if end is None else bisect_left(order, end)
    return order[low:high]


def _merged(
    below: Iterator[tuple[bytes, bytes]], changes: list[tuple[bytes, bytes | None]], *, reverse: bool
) -> Iterator[tuple[bytes, bytes]]:
    """The rows below with the changes laid over them; both come in the order of the scan."""
    row = next(below, None)
    for key, value in changes:
        while row is not None and (row[0] > key if reverse else row[0] < key):
            yield row
            row = next(below, None)
        if row is not None and row[0] == key:
            row = next(below, None)
        if value is not None:
            yield key, value
    if row is not None:
        yield row
        yield from below
