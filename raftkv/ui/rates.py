"""What a member did in the last seconds, from counts that only grow. Values in, values out."""

from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from raftkv.ui.question import Json

WINDOW_S: Final = 10.0
MAX_SAMPLES: Final = 16


class Recent:
    """The last overviews of one member, with their times."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, Json]] = deque(maxlen=MAX_SAMPLES)

    def add(self, now_s: float, overview: Json) -> None:
        """A newer one. Where a count has fallen the member was started anew, and what was before is forgotten."""
        if self._samples and _count(overview, "uptime_s") < _count(self._samples[-1][1], "uptime_s"):
            self._samples.clear()
        self._samples.append((now_s, overview))
        while len(self._samples) > 2 and self._samples[0][0] < now_s - WINDOW_S:
            self._samples.popleft()

    def per_second(self, name: str) -> float | None:
        """How fast a count grew; None: nobody knows yet."""
        if len(self._samples) < 2:
            return None
        (began, first), (ended, last) = self._samples[0], self._samples[-1]
        if ended <= began:
            return None
        return round(max(0.0, _count(last, name) - _count(first, name)) / (ended - began), 1)

    def quantile_ms(self, name: str, share: float) -> float | None:
        """Of the values that a histogram took in; where it took in none, of all that it ever did. None: there were none."""
        if not self._samples:
            return None
        bounds, counts = _histogram(self._samples[-1][1], name)
        _, before = _histogram(self._samples[0][1], name)
        recent = [now - then for now, then in zip(counts, before, strict=False)]
        found = quantile(bounds, recent if any(recent) else counts, share)
        return None if found is None else round(found * 1000, 3)


def quantile(bounds: Sequence[float], counts: Sequence[int], share: float) -> float | None:
    """Where a share of the values lies, evenly spread within its bucket; the last bucket has no end, so its beginning."""
    wanted = share * sum(counts)
    if wanted <= 0:
        return None
    passed = 0.0
    for place, count in enumerate(counts):
        if count and passed + count >= wanted:
            low = bounds[place - 1] if place else 0.0
            high = bounds[place] if place < len(bounds) else low
            return low + (high - low) * (wanted - passed) / count
        passed += count
    return None


def _count(overview: Json, name: str) -> float:
    value: Any = overview.get(name, 0)
    return float(value) if isinstance(value, int | float) else 0.0


def _histogram(overview: Json, name: str) -> tuple[list[float], list[int]]:
    value: Any = overview.get(name) or {}
    return value.get("bounds", []), value.get("counts", [])
