"""What clients are to do, as data: small values that are combined, and asked for the next operation of a free process.

    Phases((
        Limit(100, Stagger(0.01, Mix(((2, Reads("x")), (1, Writes("x", 5)))))),
        EachProcess(Limit(1, Reads("x")), processes=5),      the final reads, once the writes are over
    ))

A generator never changes. `next` answers an operation and the generator that follows; or `Wait`, where nothing is to be done before a
time; or None, where it is exhausted. Dice and time are handed in, so a seed and the answers' times decide everything.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Protocol, runtime_checkable

from raftkv_jepsen.history import Process


@dataclass(frozen=True, slots=True)
class Asked:
    """An operation to invoke."""

    f: str
    value: Any = None
    key: Any = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing before this time; None: not before some process is done."""

    until: float | None


@dataclass(frozen=True, slots=True)
class Context:
    """Who asks, when, with which dice, and how many processes are busy."""

    process: Process
    now: float
    dice: Random
    busy: int = 0


@runtime_checkable
class Generator(Protocol):
    """Something that may have a next operation for a process."""

    def next(self, context: Context) -> "tuple[Asked | Wait, Generator] | None":
        """The next operation, and what follows it; None at the end."""
        ...


@dataclass(frozen=True, slots=True)
class Once:
    """One operation, then nothing."""

    asked: Asked

    def next(self, context: Context) -> tuple[Asked | Wait, Generator] | None:  # noqa: ARG002
        return self.asked, NOTHING


@dataclass(frozen=True, slots=True)
class Nothing:
    """No operation."""

    def next(self, context: Context) -> tuple[Asked | Wait, Generator] | None:  # noqa: ARG002
        return None


NOTHING = Nothing()


@dataclass(frozen=True, slots=True)
class Reads:
    """Reads of a key, for ever. `f` is read or get."""

    key: Any = None
    f: str = "read"

    def next(self, context: Context) -> tuple[Asked | Wait, Generator] | None:  # noqa: ARG002
        return Asked(self.f, None, self.key), self


@dataclass(frozen=True, slots=True)
class Writes:
    """Writes of values below a bound; with no bound, of values that never come twice."""

    key: Any = None
    values: int | None = None
    count: int = 0

    def next(self, context: Context) -> tuple[Asked | Wait, Generator] | None:
        value = self.count if self.values is None else context.dice.randrange(self.values)
        return Asked("write", value, self.key), replace(self, count=self.count + 1)


@dataclass(frozen=True, slots=True)
class CompareAndSets:
    """Compare-and-sets between values below a bound."""

    key: Any = None
    values: int = 5

    def next(self, context: Context) -> tuple[Asked | Wait, Generator] | None:
        pair = (context.dice.randrange(self.values), context.dice.randrange(self.values))
        return Asked("cas", pair, self.key), self


@dataclass(frozen=True, slots=True)
class Appends:
    """Appends of text that never comes twice."""

    key: Any = None
    count: int = 0

    def next(self, context: Context) -> tuple[Asked | Wait, Generator] | None:
        return Asked("append", f"<{context.process} {self.count}>", self.key), replace(self, count=self.count + 1)


@dataclass(frozen=True, slots=True)
class Transactions:
    """Transactions of reads of lists and appends to them."""

    keys: int = 5
    longest: int = 4
    count: int = 0

    def next(self, context: Context) -> tuple[Asked | Wait, Generator] | None:
        dice, count = context.dice, self.count
        steps: list[tuple[str, int, int | None]] = []
        for _ in range(dice.randint(1, self.longest)):
            if dice.random() < 0.5:
                steps.append(("r", dice.randrange(self.keys), None))
            else:
                steps.append(("append", dice.randrange(self.keys), count))
                count += 1
        return Asked("txn", tuple(steps)), replace(self, count=count)


@dataclass(frozen=True, slots=True)
class Mix:
    """One of several at each turn, by weight; those that are exhausted drop out."""

    choices: Sequence[tuple[float, Generator]]

    def next(self, context: Context) -> tuple[Asked | Wait, Generator] | None:
        choices = list(self.choices)
        while choices:
            place = context.dice.choices(range(len(choices)), [weight for weight, _ in choices])[0]
            weight, chosen = choices[place]
            found = chosen.next(context)
            if found is not None:
                asked, rest = found
                choices[place] = (weight, rest)
                return asked, Mix(tuple(choices))
            del choices[place]
        return None


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many operations."""

    count: int
    inner: Generator

    def next(self, context: Context) -> tuple[Asked | Wait, Generator] | None:
        if self.count <= 0:
            return None
        found = self.inner.next(context)
        if found is None:
            return None
        asked, rest = found
        return asked, Limit(self.count - isinstance(asked, Asked), rest)


@dataclass(frozen=True, slots=True)
class Stagger:
    """Operations at random distances, `interval_s` on average, over all processes together."""

    interval_s: float
    inner: Generator
    due: float = 0.0

    def next(self, context: Context) -> tuple[Asked | Wait, Generator] | None:
        if context.now < self.due:
            return Wait(self.due), self
        found = self.inner.next(context)
        if found is None:
            return None
        asked, rest = found
        distance = context.dice.random() * 2 * self.interval_s if isinstance(asked, Asked) else 0.0
        return asked, Stagger(self.interval_s, rest, max(context.now, self.due) + distance)


@dataclass(frozen=True, slots=True)
class EachProcess:
    """A copy of its own for every process. The answer is Wait where this process is through and others may not be."""

    inner: Generator
    processes: int
    copies: tuple[tuple[Process, Generator | None], ...] = ()

    def next(self, context: Context) -> tuple[Asked | Wait, Generator] | None:
        copies = dict(self.copies)
        mine = copies.get(context.process, self.inner)
        found = None if mine is None else mine.next(context)
        copies[context.process] = None if found is None else found[1]
        rest = EachProcess(self.inner, self.processes, tuple(copies.items()))
        if found is not None:
            return found[0], rest
        through = sum(copy is None for copy in copies.values())
        return None if through >= self.processes else (Wait(None), rest)


@dataclass(frozen=True, slots=True)
class Until:
    """An inner generator until a time."""

    end: float
    inner: Generator

    def next(self, context: Context) -> tuple[Asked | Wait, Generator] | None:
        if context.now >= self.end:
            return None
        found = self.inner.next(context)
        return None if found is None else (found[0], Until(self.end, found[1]))


@dataclass(frozen=True, slots=True)
class Phases:
    """One after the other. A phase begins when the one before is exhausted and no process is busy any more."""

    phases: tuple[Generator, ...]
    begun: bool = field(default=True)

    def next(self, context: Context) -> tuple[Asked | Wait, Generator] | None:
        phases, begun = self.phases, self.begun
        while phases:
            if not begun and context.busy:
                return Wait(None), Phases(phases, begun=False)
            found = phases[0].next(context)
            if found is not None:
                return found[0], Phases((found[1], *phases[1:]))
            phases, begun = phases[1:], False
        return None
