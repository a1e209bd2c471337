"""Who is taken into a world, and as which rank. Values in, values out.

    taken first   who survived the last world, then those that fill its holes, of the hole's own segment first, then by arrival
    STABLE        who was in the last world keeps its rank; holes are filled as above; where the world shrinks, its last ones move
    NATURAL       by slot, then by name, numbers in names as numbers: node-9 before node-10
    TOPOLOGY      segments side by side, on every level; segments, and nodes in them, in the order of the last world

A segment path goes from the largest to the smallest: `("rack-3", "switch-1", "nvl-0")`. Two nodes are the closer the longer
the path that they share.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from raftkv.pb.rendezvous import RankOrder

Path = tuple[str, ...]

_NUMBERS = re.compile(r"([0-9]+)")
_LAST = 1 << 62
"""The place of what has none."""


class Candidate(NamedTuple):
    """A node that could be in the world."""

    node: str
    segments: Path = ()
    slot: int = 0
    """In the natural order; 0: by name."""
    survivor: bool = False
    """Whether it comes straight from the last world."""


class Last(NamedTuple):
    """The last world."""

    ranks: Mapping[str, int]
    segments: Sequence[Path]
    """By rank."""


NO_LAST = Last({}, ())

NaturalKey = tuple[tuple[int, int, str], ...]


def natural(name: str) -> NaturalKey:
    """Sorts as people count: numbers by their value, before letters."""
    parts = [part for part in _NUMBERS.split(name) if part]
    return tuple((0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts)


def choose(ready: Sequence[Candidate], last: Last, limit: int) -> list[Candidate]:
    """At most `limit` of those that are ready (in the order of their arrival), survivors first."""
    if len(ready) <= limit:
        return list(ready)
    survivors = [candidate for candidate in ready if candidate.survivor]
    survivors.sort(key=lambda candidate: last.ranks.get(candidate.node, _LAST))
    chosen = survivors[:limit]
    pool = _Pool(candidate for candidate in ready if not candidate.survivor)
    for path in _holes(chosen, last):
        if len(chosen) == limit:
            break
        found = pool.take(path)
        if found is not None:
            chosen.append(found)
    while len(chosen) < limit and (found := pool.take(())) is not None:
        chosen.append(found)
    return chosen


def assign(chosen: Sequence[Candidate], last: Last, order: RankOrder) -> list[Candidate]:
    """Those that were chosen, in the order of their ranks."""
    if order == RankOrder.NATURAL:
        return sorted(chosen, key=_natural_place)
    if order == RankOrder.TOPOLOGY:
        return _by_segments(chosen, last)
    return _stable(chosen, last)


def _natural_place(candidate: Candidate) -> tuple[int, NaturalKey]:
    return candidate.slot or _LAST, natural(candidate.node)


def _holes(chosen: Iterable[Candidate], last: Last) -> Iterator[Path]:
    """Where the last world stood that are not there any more."""
    there = {last.ranks[candidate.node] for candidate in chosen if candidate.node in last.ranks}
    return (path for rank, path in enumerate(last.segments) if rank not in there)


def _stable(chosen: Sequence[Candidate], last: Last) -> list[Candidate]:
    size = len(chosen)
    ranks: list[Candidate | None] = [None] * size
    movers: list[Candidate] = []
    for candidate in chosen:
        rank = last.ranks.get(candidate.node, _LAST)
        if rank < size:
            ranks[rank] = candidate
        else:
            movers.append(candidate)
    movers.sort(key=lambda candidate: last.ranks.get(candidate.node, _LAST))  # who had a rank, then by arrival
    pool = _Pool(movers)
    for rank, holder in enumerate(ranks):
        if holder is None:
            ranks[rank] = pool.take(last.segments[rank] if rank < len(last.segments) else ())
    return [candidate for candidate in ranks if candidate is not None]


def _by_segments(chosen: Sequence[Candidate], last: Last) -> list[Candidate]:
    first: dict[Path, int] = {}
    for candidate in chosen:
        rank = last.ranks.get(candidate.node, _LAST)
        for path in _prefixes(candidate.segments):
            first[path] = min(rank, first.get(path, _LAST))

    def place(candidate: Candidate) -> tuple[list[tuple[int, NaturalKey]], tuple[int, int, NaturalKey]]:
        segments = [(first[path], natural(path[-1])) for path in _prefixes(candidate.segments)]
        return segments, (last.ranks.get(candidate.node, _LAST), *_natural_place(candidate))

    return sorted(chosen, key=place)


def _prefixes(path: Path) -> Iterator[Path]:
    return (path[:depth] for depth in range(1, len(path) + 1))


class _Pool:
    """Candidates in an order, to be taken by segment: in time that does not grow with how many there are."""

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        self._queues: dict[Path, deque[Candidate]] = {(): deque()}
        self._taken: set[str] = set()
        for candidate in candidates:
            self._queues[()].append(candidate)
            for path in _prefixes(candidate.segments):
                self._queues.setdefault(path, deque()).append(candidate)

    def take(self, path: Path) -> Candidate | None:
        """The first of those that share most of the path."""
        for depth in range(len(path), -1, -1):
            queue = self._queues.get(path[:depth], deque())
            while queue:
                candidate = queue.popleft()
                if candidate.node not in self._taken:
                    self._taken.add(candidate.node)
                    return candidate
        return None
