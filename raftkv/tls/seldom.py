"""Saying the same thing not too often."""

from collections.abc import Callable
from typing import Final

PAUSE_SECONDS: Final = 10.0
MAX_TEXTS: Final = 100


class Seldom:
    """Whether a text may be said (again): each once in PAUSE_SECONDS, and never more different ones than MAX_TEXTS in that time."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._said: dict[str, float] = {}

    def allows(self, text: str) -> bool:
        """True once for each text and pause."""
        now = self._now()
        self._said = {said: at for said, at in self._said.items() if now - at < PAUSE_SECONDS}
        if text in self._said or len(self._said) >= MAX_TEXTS:
            return False
        self._said[text] = now
        return True
