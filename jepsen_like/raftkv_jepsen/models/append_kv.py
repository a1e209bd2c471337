"""Keys with strings: put, append, get. A key that was never written reads as the empty string."""

from collections.abc import Sequence

from raftkv_jepsen.history import UNKNOWN, Operation
from raftkv_jepsen.models.model import ANY, Action, Model, State, unknown_operation

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

    def needs(self, action: Action) -> State:
        return action[1] if action[0] == GET else ANY

    def overwrites(self, action: Action) -> bool:
        return bool(action[0] == PUT)
