"""Linearizability as the definition has it: try every subset of the open operations in every order."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from raftkv_jepsen.history import Operation
from raftkv_jepsen.models import Model

FOREVER = 1 << 60


def linearizable(operations: Sequence[Operation], model: Model, until: int = FOREVER) -> bool:
    """`until`: up to this place in the history. Of what ends later, the answer counts, but it need not take place yet."""
    called = tuple(operation for operation in operations if operation.call <= until)
    return _extend(frozenset({model.initial()}), called, model, until)


def _extend(states: frozenset[Any], left: tuple[Operation, ...], model: Model, until: int) -> bool:
    """Whether the operations left can follow, from one of the states, without one that ended before another was called coming later."""
    if not states:
        return False
    if all(operation.end is None or operation.end > until for operation in left):
        return True
    for place, operation in enumerate(left):
        others = left[:place] + left[place + 1 :]
        if any(other.end is not None and other.end < operation.call for other in others):
            continue
        action = model.action(operation)
        after = states if action is None else frozenset(s for state in states for s in model.step(state, action))
        if _extend(after, others, model, until):
            return True
    return False


def operation(process: int, f: str, argument: Any, outcome: Any, span: tuple[int, int | None], *, key: Any = None) -> Operation:
    call, end = span
    return Operation(process, f, argument, outcome, call, end, key)


def with_outcome(old: Operation, outcome: Any) -> Operation:
    return replace(old, outcome=outcome)
