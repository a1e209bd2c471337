"""States and actions as numbers, and what leads where, worked out when first asked."""

from typing import Any

from raftkv_jepsen.models.model import Model, State


class Transitions:
    """`rows[state][code]` holds the states that follow, once `follow` or `work_out` has filled it in."""

    def __init__(self, model: Model, actions: list[Any]) -> None:
        self._model = model
        self._actions = actions
        self._numbers: dict[State, int] = {}
        self._states: list[State] = []
        self.rows: list[dict[int, tuple[int, ...]]] = []
        self.initial = self.number(model.initial())

    def number(self, state: State) -> int:
        """The state's number; equal states have the same."""
        number = self._numbers.get(state)
        if number is None:
            number = self._numbers[state] = len(self._states)
            self._states.append(state)
            self.rows.append({})
        return number

    def work_out(self, state: int, code: int) -> tuple[int, ...]:
        """Asks the model, and remembers."""
        followers = self._model.step(self._states[state], self._actions[code])
        row = self.rows[state][code] = tuple([self.number(follower) for follower in followers])
        return row

    def state(self, number: int) -> State:
        """The state with a number."""
        return self._states[number]

    def follow(self, state: int, code: int) -> tuple[int, ...]:
        """The states that follow."""
        followers = self.rows[state].get(code)
        return self.work_out(state, code) if followers is None else followers
