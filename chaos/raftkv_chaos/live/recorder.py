"""The histories of a run: one file for each thing that is checked, all on one clock.

`store` has every request to the key-value store; the others say what a workload meant by its requests, in the words of
its checker. All are raftkv-jepsen's format, so `raftkv-jepsen check` can look at each of them again.
"""

from pathlib import Path
from typing import Any

from raftkv.clock import Clock
from raftkv_jepsen.history import Event, EventType, HistoryWriter, Process

STORE = "store"
LEASE = "lease"


class Recorder:
    """Writes events as they happen. Times are seconds since the recorder was made."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._clock = clock
        self._begun = clock.now()
        self._writers: dict[str, HistoryWriter] = {}
        self._term = 0

    def now(self) -> float:
        """Seconds since the beginning."""
        return self._clock.now() - self._begun

    def path(self, history: str) -> Path:
        """The file of a history."""
        return self._folder / f"{history}.jsonl"

    @property
    def histories(self) -> list[str]:
        """The histories that have begun."""
        return list(self._writers)

    def note(
        self,
        history: str,
        kind: EventType,
        process: Process,
        f: str,
        value: Any = None,
        *,
        key: Any = None,
        error: str | None = None,
    ) -> float:
        """Writes one event, and answers its time."""
        time = round(self.now(), 6)
        writer = self._writers.get(history)
        if writer is None:
            writer = self._writers[history] = HistoryWriter(self.path(history))
        writer.write(Event(kind, process, f, value, key, time, error))
        return time

    def fault(self, name: str, value: str) -> float:
        """A fault begins or ends, in every history there is."""
        time = self.now()
        for history in self._writers:
            time = self.note(history, "fault", "nemesis", name, value)
        return time

    def saw_term(self, term: int) -> None:
        """An answer told Raft's term: a new one means that somebody was elected, which gives leases their time again."""
        if term > self._term:
            self._term = term
            if LEASE in self._writers:
                self.note(LEASE, "receive", "elections", "election", {"term": term})

    def close(self) -> None:
        """Waits until the disk has everything."""
        for writer in self._writers.values():
            writer.close()
