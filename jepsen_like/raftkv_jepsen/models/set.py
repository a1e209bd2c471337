"""A set: add, remove, contains, and read of the whole.

Without reads of the whole, each element is an object of its own and is checked alone. A read of the whole ties all
elements together, so then there is one object.
"""

from collections.abc import Hashable, Sequence

from raftkv_jepsen.history import UNKNOWN, Operation
from raftkv_jepsen.models.model import Action, Model, State, unknown_operation

ADD = "add"
REMOVE = "remove"
CONTAINS = "contains"
READ = "read"


class SetModel(Model):
    """State: a frozenset. Actions: (ADD, element), (REMOVE, element), (CONTAINS, element, answer), (READ, elements)."""

    name = "set"

    def initial(self) -> State:
        return frozenset()

    def action(self, operation: Operation) -> Action | None:
        f, outcome = operation.f, operation.outcome
        if f in {ADD, REMOVE}:
            return (f, operation.argument)
        if f not in {CONTAINS, READ}:
            raise unknown_operation(self, operation)
        if operation.end is None or outcome is UNKNOWN:
            return None
        return (CONTAINS, operation.argument, bool(outcome)) if f == CONTAINS else (READ, frozenset(outcome or ()))

    def step(self, state: State, action: Action) -> Sequence[State]:
        kind = action[0]
        if kind == ADD:
            return (state | {action[1]},)
        if kind == REMOVE:
            return (state - {action[1]},)
        if kind == CONTAINS:
            return (state,) if (action[1] in state) == action[2] else ()
        return (state,) if state == action[1] else ()

    def reads(self, action: Action) -> bool:
        return action[0] in {CONTAINS, READ}

    def part(self, operation: Operation) -> Hashable:
        return (operation.key, operation.argument)

    def partitionable(self, operations: Sequence[Operation]) -> bool:
        return all(operation.f != READ for operation in operations)
