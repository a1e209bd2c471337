"""Histories of an imagined store, which does everything right: for the benchmark, and to plant errors in.

Each operation takes place at a random moment between its call and its end, on one copy of the object; or its client never
hears of it, and it takes place or not. Everything comes from a seed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from raftkv_jepsen.generator import Asked, Context, Generator
from raftkv_jepsen.history import Operation

Act = Callable[[dict[Any, Any], Asked], Any]


def register(state: dict[Any, Any], asked: Asked) -> Any:
    """Read, write, compare-and-set."""
    held = state.get(asked.key)
    if asked.f == "read":
        return held
    if asked.f == "write":
        state[asked.key] = asked.value
        return None
    if held == asked.value[0]:
        state[asked.key] = asked.value[1]
        return True
    return False


def append_kv(state: dict[Any, Any], asked: Asked) -> Any:
    """Get, put, append."""
    held = state.get(asked.key, "")
    if asked.f == "get":
        return held
    state[asked.key] = asked.value if asked.f == "put" else held + asked.value
    return None


def list_append(state: dict[Any, Any], asked: Asked) -> Any:
    """A transaction of reads of lists and appends to them."""
    done = []
    for kind, key, operand in asked.value:
        if kind == "append":
            state[key] = (*state.get(key, ()), operand)
        done.append((kind, key, operand if kind == "append" else state.get(key, ())))
    return tuple(done)


@dataclass(slots=True)
class Running:
    """An operation under way."""

    asked: Asked
    process: int
    call: int
    done: bool = False
    outcome: Any = None


@dataclass(slots=True)
class Rehearsal:
    """Runs a generator with some clients against an imagined object. `lost` is the share of operations whose answer is lost."""

    generator: Generator
    act: Act
    clients: int
    seed: int
    lost: float = 0.0
    state: dict[Any, Any] = field(default_factory=dict)

    def run(self) -> list[Operation]:
        """The history, in the order of the calls."""
        dice = Random(self.seed)  # noqa: S311  (nothing secret: reproducible)
        running: dict[int, Running] = {}
        names = list(range(self.clients))
        found: list[Operation] = []
        generator: Generator | None = self.generator
        place = 0
        while generator is not None or running:
            client = dice.randrange(self.clients)
            current = running.get(client)
            if current is None:
                following = generator.next(Context(names[client], float(place), dice, len(running))) if generator else None
                generator = following[1] if following else None
                if following and isinstance(following[0], Asked):
                    running[client] = Running(following[0], names[client], place)
                place += 1
            elif current.done:
                del running[client]
                found.append(_operation(current, place))
                place += 1
            elif dice.random() < self.lost:
                if dice.random() < 0.5:
                    self.act(self.state, current.asked)
                del running[client]
                names[client] += self.clients  # a process that does not know what became of its operation is not used again
                found.append(_operation(current, None))
            else:
                current.outcome = self.act(self.state, current.asked)
                current.done = True
        return sorted(found, key=lambda operation: operation.call)


def _operation(running: Running, end: int | None) -> Operation:
    asked = running.asked
    outcome = running.outcome if end is not None else None
    return Operation(running.process, asked.f, asked.value, outcome, running.call, end, asked.key)
