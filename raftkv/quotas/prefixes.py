"""Which of some prefixes a key lies under: one look for each length that there is, however many prefixes there are."""

from collections.abc import Iterable


class Prefixes:
    """A set of prefixes, which may be nested."""

    __slots__ = ("_lengths", "_prefixes")

    def __init__(self, prefixes: Iterable[bytes] = ()) -> None:
        self._prefixes = frozenset(prefixes)
        self._lengths = sorted({len(prefix) for prefix in self._prefixes})

    def __bool__(self) -> bool:
        return bool(self._prefixes)

    def of(self, key: bytes) -> list[bytes]:
        """Those that the key begins with, the shortest first."""
        found: list[bytes] = []
        size = len(key)
        for length in self._lengths:
            if length > size:
                break
            prefix = key[:length]
            if prefix in self._prefixes:
                found.append(prefix)
        return found


def end_of(prefix: bytes) -> bytes | None:
    """The first key behind all that begin with the prefix; None: there is none."""
    head = prefix.rstrip(b"\xff")
    return head[:-1] + bytes((head[-1] + 1,)) if head else None
