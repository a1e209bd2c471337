"""A replica of the state alone: a disk, rows on their way there, and the state machine."""

import random
from collections.abc import Sequence
from typing import Any

from raftkv.apply.machine import StateMachine
from raftkv.mvcc import finish, ranges, sight, steps
from raftkv.raft.messages import Entry
from raftkv.storage.engine import Batch
from raftkv.storage.memory import MemoryEngine
from raftkv.storage.overlay import Overlay


def small_slices(*, tiny: bool) -> None:
    """How much work is done in one go: a few rows, or what is usual."""
    rows = 2 if tiny else 500
    sight.SLICE_ROWS = steps.SLICE_ROWS = rows  # type: ignore[attr-defined] # each module has the number it was given
    sight.FIRST_BATCH = min(16, rows)
    ranges.POINT_READS = min(4, rows // 2)


class Twin:
    """One replica."""

    def __init__(self) -> None:
        self.engine = MemoryEngine()
        self._load()

    def _load(self) -> None:
        self.overlay = Overlay(self.engine)
        self.machine = StateMachine(self.overlay)
        finish(self.machine.load())
        self._sealed: Batch | None = None
        self._scrub = self.machine.store.scrub()

    def apply(self, entry: Entry) -> Any:
        """Applies an entry to its end."""
        return self.applied(finish(self.machine.apply(entry)))

    def applied(self, outcome: Any) -> Any:
        """An entry was applied: a pass ends."""
        self.machine.record_progress()
        return outcome

    # --- the disk ---------------------------------------------------------------------------------------------------------

    def seal(self) -> None:
        """A batch leaves for the disk."""
        if self._sealed is None:
            self._sealed = Batch(rows=self.overlay.seal())

    def flush(self, *, sync: bool = False) -> None:
        """What left for the disk is there."""
        if self._sealed is not None:
            self.engine.write(self._sealed, sync=sync)
            self.overlay.written()
            self._sealed = None

    def restart(self) -> None:
        """The process ends in peace and begins anew; what it counts is as it was."""
        before = self.counts()
        self.machine.record_progress()
        self.flush(sync=True)
        self.seal()
        self.flush(sync=True)
        self.engine = self.engine.reopen()
        self._load()
        assert self.counts() == before, f"a restart makes {self.counts()} of {before}"

    def crash(self, rng: random.Random, log: Sequence[Entry]) -> Sequence[Entry]:
        """The machine loses power; answers the entries that are to be applied again."""
        size = self.machine.store.revision
        if rng.random() < 0.5:
            self.flush()
        self.engine = self.engine.crash(rng)
        self._load()
        assert self.machine.store.revision <= size, "a crash makes revisions"
        return log[self.machine.applied_index :]

    def counts(self) -> tuple[int, ...]:
        """What is counted of it, and where it is."""
        store = self.machine.store
        return self.machine.applied_index, store.revision, store.compact_revision, store.size_in_use, store.key_count

    # --- tidying up -------------------------------------------------------------------------------------------------------

    def scrub(self, count: int) -> None:
        """Some steps of the scrub."""
        for _ in range(count):
            if next(self._scrub, "done") == "done":
                self._scrub = self.machine.store.scrub()

    def scrub_all(self) -> None:
        """All of it."""
        finish(self._scrub)
        finish(self.machine.store.scrub())

    def hash_all(self) -> int:
        """The checksum of every row."""
        return finish(self.machine.store.hash_all())
