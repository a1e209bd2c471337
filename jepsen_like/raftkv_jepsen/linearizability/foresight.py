"""Which order to try first. It changes how soon an order is found, never whether.

Where writes overlap much and are read little, most orders of the writes fail, and fail late: the read that refutes one may be
many returns away. So look ahead. A write whose value nobody will ask for who has not been called yet is best put right
before the next write, where it can do no harm, after serving the readers that are pending now. One that somebody will ask for
is best kept.
"""

from bisect import bisect_right

from raftkv_jepsen.linearizability.schedule import Required, Schedule
from raftkv_jepsen.linearizability.transitions import Transitions
from raftkv_jepsen.models.model import ANY, Model


class Foresight:
    """Knows, for each state, when those are called who need it."""

    def __init__(self, schedule: Schedule, model: Model, transitions: Transitions) -> None:
        self._transitions = transitions
        self._calls: dict[int, list[int]] = {}
        self._needs: dict[int, int] = {}
        overwrites = [model.overwrites(action) for action in schedule.actions]
        for code, action in enumerate(schedule.actions):
            needed = model.needs(action)
            if needed is not ANY:
                self._needs[code] = transitions.number(needed)
        for required in schedule.returns:
            if required.code in self._needs:
                self._calls.setdefault(self._needs[required.code], []).append(required.first)
        for calls in self._calls.values():
            calls.sort()
        self._overwrites = overwrites
        self.helps = any(overwrites)

    def hide(self, place: int, mask: int, state: int, pending: tuple[Required, ...]) -> tuple[int, int, list[Required]]:
        """Takes what nobody will miss. Returns the mask, the state, and what was taken, in order."""
        taken: list[Required] = []
        for required in pending:
            if mask & required.bit or required.reads or not self._overwrites[required.code]:
                continue
            written = self._transitions.follow(state, required.code)[0]
            if not self._wanted(written, place, required.last):
                taken.append(required)
                mask, state = self._serve(place, mask | required.bit, written, pending, taken)
        return mask, state, taken

    def _wanted(self, state: int, place: int, last: int) -> bool:
        """Whether somebody is called after return `place` and before return `last` who needs `state`."""
        calls = self._calls.get(state)
        if not calls:
            return False
        following = bisect_right(calls, place)
        return following < len(calls) and calls[following] <= last

    def _serve(
        self, place: int, mask: int, state: int, pending: tuple[Required, ...], taken: list[Required]
    ) -> tuple[int, int]:
        """Lets everybody have it who waits for this very state: reads first, then one who changes it to what is not kept for later."""
        changed = True
        while changed:
            changed = False
            for required in pending:
                if mask & required.bit or not (required.reads or self._needs.get(required.code) == state):
                    continue
                followers = self._transitions.follow(state, required.code)
                if not followers:
                    continue
                if required.reads:
                    mask |= required.bit
                    taken.append(required)
                elif not changed and not self._wanted(followers[0], place, required.last):
                    mask |= required.bit
                    taken.append(required)
                    state = followers[0]
                    changed = True
                    break
        return mask, state
