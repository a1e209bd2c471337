"""Log entries become state: the state machine, its alarms, members and request ids."""

from raftkv.apply.machine import StateMachine
from raftkv.apply.outcome import Outcome

__all__ = ["Outcome", "StateMachine"]
