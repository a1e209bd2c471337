"""Who came first: the keys of a range in the order of their creation, for ranges that are asked for that again and again.

Locks, elections and queues ask for the oldest key under a prefix, or the youngest that is older than their own, whenever
somebody comes or goes. To sort all who wait each time makes a crowd slow for everybody; in this order either is one look.

    CreationOrders   the few ranges that were asked for last; a range with few keys is not worth an entry
      CreationOrder  (create_revision, key), sorted: a new key is always the last

It is an index and no state: whatever it answers, a scan would answer the same.
"""

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Container

MAX_RANGES = 16
"""Ordered ranges at a time: each is looked at whenever a key comes or goes."""
MIN_KEYS = 16
"""A range with fewer is read and sorted faster than it is remembered."""
MAX_LOADED = 4096
"""Keys that are read in one go to order a range: about 5 ms."""
MAX_KEYS = 25_000
"""Keys of one ordered range, about 200 bytes each. One that grows larger is forgotten."""

Range = tuple[bytes, bytes | None]


class CreationOrder:
    """The live keys of one range.

    Invariant: `_order` is sorted and has (created[key], key) for each key of `created`.
    """

    __slots__ = ("_order", "created", "end", "first")

    def __init__(self, first: bytes, end: bytes | None) -> None:
        self.first = first
        self.end = end
        self.created: dict[bytes, int] = {}
        """The create revision of each key."""
        self._order: list[tuple[int, bytes]] = []

    def covers(self, key: bytes) -> bool:
        """Whether the key belongs to the range."""
        return key >= self.first and (self.end is None or key < self.end)

    def note(self, key: bytes, create_revision: int) -> None:
        """The key is live, and was created then; 0: it is not live."""
        before = self.created.get(key, 0)
        if before == create_revision:
            return
        if before:
            del self._order[bisect_left(self._order, (before, key))]
            del self.created[key]
        if create_revision:
            insort(self._order, (create_revision, key))
            self.created[key] = create_revision

    def count(self, low: int, high: int) -> int:
        """How many keys were created at the revisions low to high."""
        return max(0, self._from(high + 1) - self._from(low))

    def oldest(self, low: int, high: int, passed_over: Container[bytes]) -> tuple[int, bytes] | None:
        """Of those created at the revisions low to high, without some keys, the one that was created first."""
        for place in range(self._from(low), self._from(high + 1)):
            if self._order[place][1] not in passed_over:
                return self._order[place]
        return None

    def youngest(self, low: int, high: int, passed_over: Container[bytes]) -> tuple[int, bytes] | None:
        """The same for the last one; of those that were created together, the first by key."""
        found: tuple[int, bytes] | None = None
        for place in range(self._from(high + 1) - 1, self._from(low) - 1, -1):
            one = self._order[place]
            if found is not None and one[0] != found[0]:
                break
            if one[1] not in passed_over:
                found = one
        return found

    def _from(self, low: int) -> int:
        return bisect_left(self._order, (low, b""))


class CreationOrders:
    """The ranges that were asked for of late, the last one last."""

    __slots__ = ("_ranges",)

    def __init__(self) -> None:
        self._ranges: OrderedDict[Range, CreationOrder] = OrderedDict()

    def __len__(self) -> int:
        return len(self._ranges)

    def find(self, first: bytes, end: bytes | None) -> CreationOrder | None:
        """The order of a range, if it is kept."""
        order = self._ranges.get((first, end))
        if order is not None:
            self._ranges.move_to_end((first, end))
        return order

    def keep(self, order: CreationOrder) -> None:
        """From now on this one, in place of that which was not asked for for the longest time."""
        self._ranges[order.first, order.end] = order
        if len(self._ranges) > MAX_RANGES:
            self._ranges.popitem(last=False)

    def concern(self, key: bytes) -> bool:
        """Whether the key belongs to one of them."""
        return any(order.covers(key) for order in self._ranges.values())

    def note(self, key: bytes, create_revision: int) -> None:
        """A key came (created then) or went (0)."""
        for order in list(self._ranges.values()):
            if order.covers(key):
                order.note(key, create_revision)
                if len(order.created) > MAX_KEYS:
                    del self._ranges[order.first, order.end]
