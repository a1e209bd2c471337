"""What a checker answers."""

from dataclasses import dataclass, field
from enum import StrEnum

from raftkv_jepsen.history import Operation


class Validity(StrEnum):
    """`unknown` where the search was cut off: never mistaken for `ok`."""

    OK = "ok"
    VIOLATION = "violation"
    UNKNOWN = "unknown"

    @property
    def exit_code(self) -> int:
        """0 ok, 1 violation, 2 unknown."""
        return {Validity.OK: 0, Validity.VIOLATION: 1, Validity.UNKNOWN: 2}[self]


def worst(validities: "list[Validity]") -> Validity:
    """A violation anywhere is a violation; without one, anything unknown leaves the whole unknown."""
    if Validity.VIOLATION in validities:
        return Validity.VIOLATION
    return Validity.UNKNOWN if Validity.UNKNOWN in validities else Validity.OK


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken promise: its name, what happened, and the operations it shows in."""

    name: str
    text: str
    operations: tuple[Operation, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"


@dataclass(slots=True)
class Verdict:
    """The answer of a checker. `counts` says how much was there to check: a run without traffic proves nothing."""

    validity: Validity
    findings: list[Finding] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    steps: int = 0
    prefix: list[Operation] = field(default_factory=list)
    """The longest linearizable prefix, in an order that explains it, where the checker looks for one."""
    impossible: Operation | None = None
    """The first operation whose answer no order explains."""


def judged(findings: list[Finding], counts: dict[str, int], rates: dict[str, float] | None = None) -> Verdict:
    """The verdict of a checker that knows for sure: a violation where it found something."""
    return Verdict(Validity.VIOLATION if findings else Validity.OK, findings, counts, rates or {})
