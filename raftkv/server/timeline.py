"""Where the time of a request goes on this node, told afterwards from a few marks for each turn.

    came --queue--> offered to the leader --propose--> in the log here --sync--> on disk here
                                                                    `---quorum--> known to be committed here --apply--> --answer-->

A turn handles many entries and notes one time for all of them, whoever asks for it later: a request that took long, or one that is
traced. So requests that are neither pay for none of this.
"""

from collections import deque
from typing import NamedTuple

MARKS = 512
"""Turns that are remembered: some seconds, more than a slow request has behind it as a rule."""


class Mark(NamedTuple):
    """Entries that came to some point together."""

    first: int
    last: int
    at: float


class Stage(NamedTuple):
    """A part of a request's way."""

    name: str
    start: float
    end: float


class Timeline:
    """When entries reached the log, the disk, and the quorum, by index; of late, and as this node knows it."""

    __slots__ = ("_appended", "_committed", "_synced")

    def __init__(self) -> None:
        self._appended: deque[Mark] = deque(maxlen=MARKS)
        self._synced: deque[Mark] = deque(maxlen=MARKS)
        self._committed: deque[Mark] = deque(maxlen=MARKS)

    def appended(self, first: int, last: int, at: float) -> None:
        """These entries were given to the disk."""
        self._appended.append(Mark(first, last, at))

    def synced(self, first: int, last: int, at: float) -> None:
        """These are on it."""
        self._synced.append(Mark(first, last, at))

    def committed(self, first: int, last: int, at: float) -> None:
        """A quorum has these."""
        self._committed.append(Mark(first, last, at))

    def stages(self, index: int, applied: float) -> list[Stage]:
        """The way of an entry through this node, as far as it is remembered."""
        appended, committed = _find(self._appended, index), _find(self._committed, index)
        stages: list[Stage] = []
        if appended is not None:
            synced = _find(self._synced, index)
            if synced is not None and synced >= appended:  # its turn on the disk may not have come yet: others were the quorum
                stages.append(Stage("sync", appended, synced))
            if committed is not None and committed >= appended:
                stages.append(Stage("quorum", appended, committed))
        if committed is not None:
            stages.append(Stage("apply", committed, max(committed, applied)))
        return stages


def _find(marks: deque[Mark], index: int) -> float | None:
    """The last time that the index was among those: an entry may be replaced."""
    for mark in reversed(marks):
        if mark.first <= index <= mark.last:
            return mark.at
    return None
