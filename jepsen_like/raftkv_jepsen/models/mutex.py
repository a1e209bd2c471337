"""A mutex that knows no owner: acquire when free, release when held."""

from collections.abc import Sequence

from raftkv_jepsen.history import Operation
from raftkv_jepsen.models.model import Action, Model, State, unknown_operation


class Mutex(Model):
    """State: whether it is held."""

    name = "mutex"
    finite = True

    def initial(self) -> State:
        return False

    def action(self, operation: Operation) -> Action | None:
        if operation.f not in {"acquire", "release"}:
            raise unknown_operation(self, operation)
        return operation.f

    def step(self, state: State, action: Action) -> Sequence[State]:
        if action == "acquire":
            return () if state else (True,)
        return (False,) if state else ()
