"""What a model is: states, and what an operation does to one.

A model reads an operation once, into an action: a hashable value that holds what it asks and what it heard. Two operations
with equal actions are interchangeable, which the search makes much of. `step` answers the states an action can lead to from a
state: none where the action cannot have had its answer there, several where the outcome is not determined.
"""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from raftkv_jepsen.errors import ModelError
from raftkv_jepsen.history import Operation

State = Any
Action = Any
ANY = object()
"""What an action needs that is possible in more than one state."""
WHOLE = "whole"
"""The part of a history that is not partitioned."""


@dataclass(frozen=True, slots=True)
class Window:
    """An action, from which return on it may take place, and before the end of which it must."""

    action: Action
    first: int
    last: int


class Model(ABC):
    """Base class of the models. Instances are small and can be sent to another process."""

    name: ClassVar[str]
    finite: ClassVar[bool] = False
    """Whether the states that a set of actions can reach are few, so that looking at all of them is cheap."""

    @abstractmethod
    def initial(self) -> State:
        """The state before the first operation."""

    @abstractmethod
    def action(self, operation: Operation) -> Action | None:
        """What the operation does and saw; None where it can neither change nor refute anything.

        Raises:
            ModelError: the model does not know such an operation.
        """

    @abstractmethod
    def step(self, state: State, action: Action) -> Sequence[State]:
        """Every state that may follow."""

    def reads(self, action: Action) -> bool:  # noqa: ARG002  (the answer is no where a model does not say more)
        """Whether the action changes no state in which it is possible. Such a one is never worth putting off."""
        return False

    def needs(self, action: Action) -> State:  # noqa: ARG002
        """The only state in which the action is possible; ANY where there are several."""
        return ANY

    def overwrites(self, action: Action) -> bool:  # noqa: ARG002
        """Whether the action is always possible and leads to one state, whatever was before."""
        return False

    def part(self, operation: Operation) -> Hashable:
        """Which independent object the operation is on: linearizability is checked for each alone (Herlihy and Wing, theorem 1)."""
        key: Hashable = operation.key
        return key

    def partitionable(self, operations: Sequence[Operation]) -> bool:  # noqa: ARG002
        """Whether `part` may be used: no operation is on several objects at once."""
        return True

    def goals(self, required: "Sequence[Window]", optional: "Sequence[Window]") -> "list[State] | None":  # noqa: ARG002
        """For each return, a state that must still come, ANY where nothing is known. None: the model knows of no goals.

        A goal of return `r` has to be ahead of every configuration that has not got past `r`, whatever has taken place. `required` is in
        the order of the returns.
        """
        return None

    def leads_to(self, state: State, goal: State) -> bool:  # noqa: ARG002
        """Whether there may be a way from a state to a goal."""
        return True

    def demands(self, required: Sequence[tuple[Action, int]], optional: Sequence[Action]) -> "dict[Action, int] | None":  # noqa: ARG002
        """Until which return each of `optional` can still matter to `required`, pairs of an action and its place among the returns.

        An optional action that is not in the answer never matters. None: the model cannot tell, all may matter for ever.
        """
        return None


def unknown_operation(model: Model, operation: Operation) -> ModelError:
    """For an operation that a model has no word for."""
    return ModelError(f"model {model.name} does not know {operation}")
