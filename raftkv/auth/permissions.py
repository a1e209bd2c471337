r"""What a user may read and write: its roles' grants, merged.

A grant is a key, or the keys from `key` up to `range_end`; a range_end of one zero byte means all keys from `key` on (etcd's
convention, in requests as in grants). A range is allowed where the union of the grants covers it, so two neighbours count
as one.

    grants      [a, c)  [b, d)  {x}  [y, ...)
    spans       [a, d)  [x, x\0)  [y, ...)        sorted, disjoint, not even touching
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from raftkv.pb.auth import Permission

NO_END = b""
"""As the end of a span: there is none. No key is so small, so no span ends there."""
FROM_KEY = b"\0"
"""As a request's or grant's range_end: there is no end."""
FIRST_KEY = b"\0"
"""The smallest key; a watch may say the same with no key at all."""

Span = tuple[bytes, bytes]


class Spans:
    """A set of keys. Invariant: firsts and ends alternate, strictly rising; only the last end may be NO_END."""

    __slots__ = ("_ends", "_firsts")

    def __init__(self, spans: Iterable[Span]) -> None:
        self._firsts: list[bytes] = []
        self._ends: list[bytes] = []
        for first, end in sorted(spans):
            if self._ends and (self._ends[-1] == NO_END or first <= self._ends[-1]):
                self._ends[-1] = _later(self._ends[-1], end)
            else:
                self._firsts.append(first)
                self._ends.append(end)

    def cover(self, key: bytes, range_end: bytes) -> bool:
        """Whether all keys of a range, as a request names it, are in the set. A range that ends before it begins is in none."""
        first = key or FIRST_KEY
        at = bisect_right(self._firsts, first) - 1
        if at < 0 or not is_range(first, range_end):
            return False
        end = self._ends[at]
        if end == NO_END:
            return True
        if range_end == FROM_KEY:
            return False
        return first < end and range_end <= end


class Permissions:
    """What one user may do, as of one auth revision."""

    __slots__ = ("_readable", "_writable", "is_root")

    def __init__(self, grants: Iterable[Permission], *, is_root: bool = False) -> None:
        """`is_root`: everything is allowed, whatever the grants."""
        grants = list(grants)
        self.is_root = is_root
        self._readable = _spans(grants, (Permission.READ, Permission.READWRITE))
        self._writable = _spans(grants, (Permission.WRITE, Permission.READWRITE))

    def may_read(self, key: bytes, range_end: bytes = b"") -> bool:
        """Whether every key of the range may be read; with no range_end: the key."""
        return self.is_root or self._readable.cover(key, range_end)

    def may_write(self, key: bytes, range_end: bytes = b"") -> bool:
        """Whether every key of the range may be set and deleted."""
        return self.is_root or self._writable.cover(key, range_end)


def is_range(key: bytes, range_end: bytes) -> bool:
    """Whether a grant or a request names at least one key."""
    return bool(key) and (not range_end or range_end == FROM_KEY or key < range_end)


def _spans(grants: Iterable[Permission], kinds: Sequence[int]) -> Spans:
    return Spans(
        _span(grant.key, grant.range_end)
        for grant in grants
        if grant.permType in kinds and is_range(grant.key, grant.range_end)
    )


def _span(key: bytes, range_end: bytes) -> Span:
    if range_end == FROM_KEY:
        return key, NO_END
    return key, range_end or key + b"\0"


def _later(left: bytes, right: bytes) -> bytes:
    """The later of two ends."""
    return NO_END if NO_END in {left, right} else max(left, right)
