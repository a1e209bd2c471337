"""The live keys in order, in memory: it answers how many keys a range holds without reading them.

Sorted chunks of at most 2,000 keys, and the last key of each chunk. A count adds up the lengths of the chunks between two
positions: 20 us for a million keys. Clearing a range drops whole chunks. `frozen` shares the chunks with its twin, and
whoever of the two changes a shared chunk first copies that one.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator

from raftkv.mvcc.creation import CreationOrders

CHUNK = 1000
"""Keys in a chunk after a split or a load; twice as many split it."""


class KeyIndex:
    """A sorted set of keys.

    Invariants: no chunk is empty; `_lasts[i] == _chunks[i][-1]`; chunks ascend; `_own[i]` says that nobody shares chunk i.
    """

    __slots__ = ("_chunks", "_lasts", "_own", "by_creation")

    def __init__(self) -> None:
        self._chunks: list[list[bytes]] = []
        self._lasts: list[bytes] = []
        self._own: list[bool] = []
        self.by_creation: CreationOrders | None = CreationOrders()
        """Of some ranges, in which order the keys were created: for whoever changes the index to keep true. A twin has none."""

    def __len__(self) -> int:
        return sum(map(len, self._chunks))

    def __contains__(self, key: bytes) -> bool:
        at = bisect_left(self._lasts, key)
        if at == len(self._lasts):
            return False
        chunk = self._chunks[at]
        return chunk[bisect_left(chunk, key)] == key

    def extend(self, keys: list[bytes]) -> None:
        """Adds keys that are sorted and above all present ones: how an index is loaded."""
        for start in range(0, len(keys), CHUNK):
            chunk = keys[start : start + CHUNK]
            self._chunks.append(chunk)
            self._lasts.append(chunk[-1])
            self._own.append(True)

    def add(self, key: bytes) -> None:
        """Adds a key that is not there."""
        lasts = self._lasts
        at = bisect_left(lasts, key)
        if at == len(lasts):
            if not lasts:
                self.extend([key])
                return
            at -= 1
            lasts[at] = key
        chunk = self._changeable(at)
        insort(chunk, key)
        if len(chunk) >= 2 * CHUNK:
            self._split(at)

    def clear(self, first: bytes, end: bytes | None) -> None:
        """Removes the keys of [first, end); `end` None: to the last one."""
        low, low_at = self._position(first)
        high, high_at = self._position(end)
        if (low, low_at) >= (high, high_at):
            return
        if low == high:
            self._cut(low, low_at, high_at)
            return
        if high_at:
            self._cut(high, 0, high_at)
        if low_at:
            self._cut(low, low_at, len(self._chunks[low]))
            low += 1
        del self._chunks[low:high], self._lasts[low:high], self._own[low:high]

    def count(self, first: bytes, end: bytes | None) -> int:
        """How many keys are in [first, end)."""
        if end is not None and end <= first:
            return 0
        low, low_at = self._position(first)
        high, high_at = self._position(end)
        if low == high:
            return high_at - low_at
        return sum(map(len, self._chunks[low:high])) - low_at + high_at

    def keys(self, first: bytes, end: bytes | None, *, reverse: bool = False) -> Iterator[bytes]:
        """The keys of [first, end) in order, lazily; the index must not change meanwhile."""
        low, low_at = self._position(first)
        high, high_at = self._position(end)
        numbers = range(low, min(high + 1, len(self._chunks)))
        for number in reversed(numbers) if reverse else numbers:
            chunk = self._chunks[number]
            part = chunk[low_at if number == low else 0 : high_at if number == high else len(chunk)]
            yield from reversed(part) if reverse else part

    def frozen(self) -> "KeyIndex":
        """A twin that later changes of this one do not reach, and the other way round."""
        twin = KeyIndex()
        twin.by_creation = None
        twin._chunks, twin._lasts = self._chunks.copy(), self._lasts.copy()
        twin._own = [False] * len(self._chunks)
        self._own = twin._own.copy()
        return twin

    def _position(self, key: bytes | None) -> tuple[int, int]:
        """Where the first key >= `key` is, as chunk and place; past the last chunk if there is none."""
        if key is None:
            return len(self._chunks), 0
        at = bisect_left(self._lasts, key)
        if at == len(self._lasts):
            return at, 0
        return at, bisect_left(self._chunks[at], key)

    def _changeable(self, number: int) -> list[bytes]:
        if not self._own[number]:
            self._chunks[number] = self._chunks[number].copy()
            self._own[number] = True
        return self._chunks[number]

    def _split(self, number: int) -> None:
        chunk = self._chunks[number]
        self._chunks[number : number + 1] = [chunk[:CHUNK], chunk[CHUNK:]]
        self._lasts.insert(number, chunk[CHUNK - 1])
        self._own.insert(number, True)

    def _cut(self, number: int, first: int, end: int) -> None:
        """Removes the places [first, end) of a chunk, and the chunk if nothing is left."""
        chunk = self._changeable(number)
        del chunk[first:end]
        if chunk:
            self._lasts[number] = chunk[-1]
        else:
            del self._chunks[number], self._lasts[number], self._own[number]
