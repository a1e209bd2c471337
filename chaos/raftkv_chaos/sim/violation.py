"""What a run finds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was broken: by what it was found, and what happened."""

    found_by: str
    text: str
    at_s: float = 0.0

    def __str__(self) -> str:
        return f"{self.found_by}: {self.text}"


class ViolationError(Exception):
    """Raised where going on would make no sense."""

    def __init__(self, found_by: str, text: str) -> None:
        super().__init__(f"{found_by}: {text}")
        self.found_by = found_by
        self.text = text
