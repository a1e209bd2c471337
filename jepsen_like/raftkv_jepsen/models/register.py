"""A register: read, write, and in `cas-register` compare-and-set. None is the value of a register that was never written."""

from collections.abc import Sequence
from typing import Any

from raftkv_jepsen.history import UNKNOWN, Operation
from raftkv_jepsen.models.model import ANY, Action, Model, State, unknown_operation

READ = "read"
WRITE = "write"
CAS = "cas"
CAS_REFUSED = "cas refused"
CAS_EITHER = "cas either"


class CasRegister(Model):
    """Actions: (READ, seen), (WRITE, value), (CAS, old, new), (CAS_REFUSED, old), (CAS_EITHER, old, new)."""

    name = "cas-register"
    finite = True

    def initial(self) -> State:
        return None

    def action(self, operation: Operation) -> Action | None:
        f, value, open_ended = operation.f, operation.argument, operation.end is None
        if f == "read":
            return None if open_ended or operation.outcome is UNKNOWN else (READ, operation.outcome)
        if f == "write":
            return (WRITE, value)
        if f == "cas" and isinstance(value, tuple) and len(value) == 2:
            return self._cas(value, operation.outcome, open_ended=open_ended)
        raise unknown_operation(self, operation)

    @staticmethod
    def _cas(value: tuple[Any, Any], outcome: Any, *, open_ended: bool) -> Action:
        old, new = value
        if open_ended:
            return (CAS, old, new)  # where it would be refused, it may as well never happen
        if outcome is UNKNOWN:
            return (CAS_EITHER, old, new)
        return (CAS, old, new) if outcome else (CAS_REFUSED, old)

    def step(self, state: State, action: Action) -> Sequence[State]:
        kind = action[0]
        if kind == READ:
            return (state,) if state == action[1] else ()
        if kind == WRITE:
            return (action[1],)
        if kind == CAS:
            return (action[2],) if state == action[1] else ()
        if kind == CAS_REFUSED:
            return () if state == action[1] else (state,)
        return (action[2] if state == action[1] else state,)

    def reads(self, action: Action) -> bool:
        return action[0] in {READ, CAS_REFUSED} or (action[0] == CAS and action[1] == action[2])

    def needs(self, action: Action) -> State:
        return action[1] if action[0] in {READ, CAS} else ANY

    def overwrites(self, action: Action) -> bool:
        return bool(action[0] == WRITE)

    def demands(self, required: Sequence[tuple[Action, int]], optional: Sequence[Action]) -> dict[Action, int] | None:
        """A value is wanted by reads of it and by compare-and-sets from it; a refusal is content with any other value."""
        wanted: dict[Any, int] = {}
        for action, place in required:
            if action[0] == CAS_REFUSED or action[0] == CAS_EITHER:
                return None
            if action[0] in {READ, CAS}:
                wanted[action[1]] = max(place, wanted.get(action[1], -1))
        _want_along_chains(wanted, [action for action in optional if action[0] == CAS])
        until = {action: wanted.get(action[-1], -1) for action in optional}
        return {action: place for action, place in until.items() if place >= 0}


def _want_along_chains(wanted: dict[Any, int], chain: list[Action]) -> None:
    """An optional compare-and-set to a wanted value makes its old value wanted for as long."""
    settled = False
    while not settled:
        settled = True
        for _, old, new in chain:
            if wanted.get(new, -1) > wanted.get(old, -1):
                wanted[old] = wanted[new]
                settled = False


class Register(CasRegister):
    """A register without compare-and-set."""

    name = "register"

    def action(self, operation: Operation) -> Action | None:
        if operation.f == "cas":
            raise unknown_operation(self, operation)
        return super().action(operation)
