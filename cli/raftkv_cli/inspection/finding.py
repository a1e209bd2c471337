"""Something that an operator should know about, and what to do about it."""

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """How soon."""

    CRITICAL = "critical"
    """Something does not work now, or may be lost."""
    WARNING = "warning"
    """It works, and will not for ever."""
    NOTE = "note"
    """Nothing is wrong with it; one may still want to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One of them."""

    severity: Severity
    check: str
    """Which check found it: a word for scripts, which does not change."""
    subject: str
    """Which member, or `cluster`."""
    problem: str
    advice: str
    """What to do, in the imperative."""
