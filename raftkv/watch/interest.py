"""What a watcher wants to know, and who wants to know about a key."""

from collections.abc import Sequence
from random import Random
from typing import Generic, NamedTuple, TypeVar

from raftkv.mvcc import Event
from raftkv.mvcc.layout import bounds
from raftkv.watch.intervals import Intervals

T = TypeVar("T")


class Interest(NamedTuple):
    """Keys and options. Watchers with equal interests get the same responses, but for the watch id."""

    key: bytes
    range_end: bytes
    """As in a Range request: empty is the key alone, one zero byte is everything from the key on."""
    previous: bool = False
    """With the KeyValues before."""
    no_put: bool = False
    no_delete: bool = False
    fragment: bool = False
    """Large responses come in parts."""

    def takes(self, event: Event) -> bool:
        """Whether an event of the right key passes the filters."""
        return not (self.no_delete if event.encoded is None else self.no_put)


class Index(Generic[T]):
    """Finds who is interested in a key in time that depends on how many are, not on how many there are."""

    __slots__ = ("_exact", "_ranges")

    def __init__(self, rng: Random) -> None:
        self._exact: dict[bytes, list[T]] = {}
        self._ranges: Intervals[T] = Intervals(rng)

    def add(self, interest: Interest, value: T) -> None:
        """`value` is interested."""
        if interest.range_end:
            first, end = bounds(interest.key, interest.range_end)
            self._ranges.add(first, end, value)
        else:
            self._exact.setdefault(interest.key, []).append(value)

    def remove(self, interest: Interest, value: T) -> None:
        """`value` was interested."""
        if interest.range_end:
            first, end = bounds(interest.key, interest.range_end)
            self._ranges.remove(first, end, value)
            return
        values = self._exact[interest.key]
        values.remove(value)
        if not values:
            del self._exact[interest.key]

    def match(self, key: bytes) -> Sequence[T]:
        """Who is interested in the key; not to be changed."""
        exact = self._exact.get(key)
        if not len(self._ranges):
            return exact or ()
        found = list(exact) if exact else []
        self._ranges.find(key, found)
        return found
