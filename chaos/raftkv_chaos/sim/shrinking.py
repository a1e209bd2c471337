"""Makes a failing case smaller: leaves out faults and clients as long as the same promise is broken (Zeller and Hildebrandt,
"Simplifying and isolating failure-inducing input", 2002).

What is left out changes everything that comes after, so a smaller run often breaks nothing, or something else; it is tried all the
same, for what is left in the end is what a person has to read.
"""

from collections.abc import Callable
from dataclasses import replace

from raftkv_chaos.sim.case import Case
from raftkv_chaos.sim.run import VIOLATION, Result

MAX_RUNS = 150

Item = tuple[str, int]
"""A fault by its place, or a client by its number."""


class Shrinker:
    """Shrinks one case."""

    def __init__(
        self, case: Case, found_by: str, *, max_runs: int = MAX_RUNS, live: Callable[[Case], Result] = Case.run
    ) -> None:
        """`found_by`: what has to find it still. `live` runs a case."""
        self._whole = case.as_drawn()
        self._found_by = found_by
        self._left = max_runs
        self._live = live
        self.runs = 0

    def shrink(self) -> Case:
        """The smallest case that was found."""
        schedule, clients = self._whole.schedule, self._whole.clients
        assert schedule is not None, "spelt out"
        assert clients is not None, "spelt out"
        items: list[Item] = [("fault", place) for place in range(len(schedule.faults))]
        items += [("client", number) for number in sorted(clients)]
        return self._case(self._reduce(items))

    def _case(self, items: list[Item]) -> Case:
        schedule = self._whole.schedule
        assert schedule is not None, "spelt out"
        kept = set(items)
        gone = frozenset(place for place in range(len(schedule.faults)) if ("fault", place) not in kept)
        clients = frozenset(number for kind, number in items if kind == "client")
        return replace(self._whole, schedule=schedule.without(gone), clients=clients)

    def _fails(self, items: list[Item]) -> bool:
        self._left -= 1
        self.runs += 1
        result = self._live(self._case(items))
        return result.verdict == VIOLATION and result.found_by == self._found_by

    def _reduce(self, items: list[Item]) -> list[Item]:
        """Leaves out ever smaller parts."""
        parts = 2
        while len(items) > 1 and self._left > 0:
            size = -(-len(items) // parts)
            smaller = self._without_one_part(items, size)
            if smaller is not None:
                items, parts = smaller, max(parts - 1, 2)
            elif size == 1:
                break
            else:
                parts = min(2 * parts, len(items))
        return items

    def _without_one_part(self, items: list[Item], size: int) -> list[Item] | None:
        for first in range(0, len(items), size):
            rest = items[:first] + items[first + size :]
            if self._left <= 0:
                return None
            if self._fails(rest):
                return rest
        return None
