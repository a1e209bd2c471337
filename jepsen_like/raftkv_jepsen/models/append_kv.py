"""Keys with strings: put, append, get. A key that was never written reads as the empty string."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

from raftkv_jepsen.history import UNKNOWN, Operation
from raftkv_jepsen.models.model import ANY, Action, Model, State, Window, unknown_operation

GET = "get"
PUT = "put"
APPEND = "append"


class AppendKV(Model):
    """Actions: (GET, seen), (PUT, value), (APPEND, value)."""

    name = "append-kv"

    def initial(self) -> State:
        return ""

    def action(self, operation: Operation) -> Action | None:
        f = operation.f
        if f == "get":
            if operation.end is None or operation.outcome is UNKNOWN:
                return None
            return (GET, "" if operation.outcome is None else operation.outcome)
        if f in {"put", "append"} and isinstance(operation.argument, str):
            return (PUT if f == "put" else APPEND, operation.argument)
        raise unknown_operation(self, operation)

    def step(self, state: State, action: Action) -> Sequence[State]:
        kind, value = action
        if kind == GET:
            return (state,) if state == value else ()
        return (value,) if kind == PUT else (state + value,)

    def reads(self, action: Action) -> bool:
        return bool(action[0] == GET)

    def goals(self, required: Sequence[Window], optional: Sequence[Window]) -> list[State] | None:
        """What the next get will see that has not been called yet, or that returns here, where no put can come in between.

        A put that came in between would be what the get's answer begins with, so only those count that are.
        """
        puts = _Puts(required, optional)
        goals: list[State] = [ANY] * len(required)
        for place in range(len(required)):
            window = _next_get(required, place)
            if window is not None and not puts.between(place, window):
                goals[place] = window.action[1]
        return goals

    def leads_to(self, state: State, goal: State) -> bool:
        return bool(goal.startswith(state))

    def demands(self, required: Sequence[tuple[Action, int]], optional: Sequence[Action]) -> dict[Action, int] | None:
        """A put matters to gets that begin with it, an append to gets that contain it; unseen, either may as well never happen."""
        gets = [(action[1], place) for action, place in reversed(required) if action[0] == GET]
        until: dict[Action, int] = {}
        for action in set(optional):
            kind, text = action
            saw = (place for seen, place in gets if (seen.startswith(text) if kind == PUT else text in seen))
            last = next(saw, None)
            if last is not None:
                until[action] = last
        return until

    def needs(self, action: Action) -> State:
        return action[1] if action[0] == GET else ANY

    def overwrites(self, action: Action) -> bool:
        return bool(action[0] == PUT)


LOOK_AHEAD = 500
"""Returns: a get that is further away is no goal."""


def _next_get(required: Sequence[Window], place: int) -> Window | None:
    """The first to return of the gets that cannot have taken place yet."""
    for following in range(place, min(place + LOOK_AHEAD, len(required))):
        window = required[following]
        if window.action[0] == GET and (following == place or window.first > place):
            return window
    return None


class _Puts:
    """The puts of a history, soonest to return first."""

    def __init__(self, required: Sequence[Window], optional: Sequence[Window]) -> None:
        self._puts = [window for window in (*required, *optional) if window.action[0] == PUT]
        self._lasts = [window.last for window in self._puts]
        self._earliest = list(accumulate((window.first for window in reversed(self._puts)), min))[::-1]
        """For each put, the earliest call of it and those that return later."""

    def between(self, place: int, get: Window) -> bool:
        """Whether some put may still take place before the get, and the get may have seen it."""
        following = bisect_left(self._lasts, place)
        while following < len(self._puts) and self._earliest[following] <= get.last:
            put = self._puts[following]
            if put.first <= get.last and get.action[1].startswith(put.action[1]):
                return True
            following += 1
        return False
