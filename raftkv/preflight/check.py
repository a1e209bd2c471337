"""What checks have in common: a name, a time limit, and a look at the machine that may block, on a thread of its own."""

from dataclasses import dataclass
from typing import Protocol

DEFAULT_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    check: str
    passed: bool
    text: str
    """In a line: why it did not pass, or what was seen."""
    seconds: float = 0.0
    output: str = ""
    """What a command printed, the end of it."""


class Check(Protocol):
    """One thing that can be wrong with a node."""

    @property
    def name(self) -> str:
        """As people write it."""
        ...

    @property
    def timeout_s(self) -> float:
        """How long it may take; who takes longer has not passed."""
        ...

    def look(self) -> Finding:
        """Looks, on a thread that may block. Whatever goes wrong is a finding; only mistakes of ours are raised."""
        ...
