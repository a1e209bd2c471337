"""A disk that fails as disks do, with the in-memory engine's promises otherwise, and the thread that works on it.

What the engine below promises is kept in every failure: batches are atomic, synced ones survive, of the others a prefix does. Rows that
rotted are found out as RocksDB's checksums would find them out, by an error on reading; only entries of the log really change,
because raftkv has checksums of its own there.

Beside the tables the disk keeps account of what is durable, for the invariants: which entries, and which hard state.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from sortedcontainers import SortedDict

from raftkv.errors import StorageError
from raftkv.pb import raft as pb
from raftkv.raft.messages import HardState
from raftkv.storage.engine import Batch, Rows, Table
from raftkv.storage.memory import MemoryEngine, MemoryView
from raftkv.storage.thread import result_of
from raftkv_chaos.sim.machine_time import MachineTime

T = TypeVar("T")

_HARD_STATE, _LOG_START = b"hard_state", b"log_start"
_TERM = slice(4, 12)
"""Where the term stands in a row of LOG (raftkv.storage.log)."""
_LOG_TABLES = frozenset({Table.LOG, Table.META})


class Durable:
    """What of the log would survive the loss of power."""

    def __init__(self) -> None:
        self.terms: dict[int, int] = {}
        """Index -> term."""
        self.start = 0
        self.hard_state = HardState()
        self.last = 0

    def take(self, batch: Batch) -> None:
        """A batch is synced."""
        for table, first, end in batch.truncations:
            if table is Table.LOG:
                self._truncate(int.from_bytes(first), int.from_bytes(end[:8]))
        for key, row in batch.rows.get(Table.LOG, {}).items():
            if row is not None:
                self.last = int.from_bytes(key)
                self.terms[self.last] = int.from_bytes(row[_TERM])
        meta = batch.rows.get(Table.META)
        if meta is not None:
            self._take_facts(meta)

    def _take_facts(self, rows: Rows) -> None:
        if (row := rows.get(_HARD_STATE)) is not None:
            message = pb.HardState.FromString(row)
            self.hard_state = HardState(message.term, message.vote, message.commit)
        if (row := rows.get(_LOG_START)) is not None:
            self.start = pb.LogStart.FromString(row).index
            self.last = max(self.last, self.start)

    def _truncate(self, first: int, end: int) -> None:
        for index in range(first, min(end, self.last + 1)):
            self.terms.pop(index, None)
        if end > self.last:
            self.last = max(first - 1, self.start)

    def holds(self, index: int, term: int) -> bool:
        """Whether an entry is on this disk, or behind what was compacted."""
        return index <= self.start or self.terms.get(index) == term


class SimEngine(MemoryEngine):
    """The engine of a simulated node."""

    def __init__(self) -> None:
        super().__init__()
        self.at: Callable[[str], None] = _nowhere
        """Told of each place at which the node may be made to end; may raise PowerLossError."""
        self.full = False
        self.torn = False
        """Power goes during the next write."""
        self.unreadable: set[tuple[Table, bytes]] = set()
        """Rows that rotted."""
        self.durable = Durable()
        self._unsynced_log: list[Batch] = []

    # --- reading ---------------------------------------------------------------------------------------------------

    def get(self, table: Table, key: bytes) -> bytes | None:
        if self.unreadable and (table, key) in self.unreadable:
            raise StorageError(f"a row of {table.name} is damaged")
        return super().get(table, key)

    def scan(
        self, table: Table, first: bytes = b"", end: bytes | None = None, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        if self.unreadable:
            for damaged, key in self.unreadable:
                if damaged is table and key >= first and (end is None or key < end):
                    raise StorageError(f"a row of {table.name} is damaged")
        return super().scan(table, first, end, reverse=reverse)

    def view(self) -> MemoryView:
        if self.unreadable:
            raise StorageError("a row is damaged")
        return super().view()

    # --- writing ---------------------------------------------------------------------------------------------------

    def write(self, batch: Batch, *, sync: bool) -> None:
        if self.full:
            raise StorageError("no space left on the device")
        before, after = _points(batch)
        for point in before:
            self.at(point)
        if self.torn:
            self.torn = False
            super().write(batch, sync=False)
            self._note(batch, sync=False)
            self.at("")
        super().write(batch, sync=sync)
        self._note(batch, sync=sync)
        for point in after:
            self.at(point)

    def replace_state(self, staged: dict[Table, SortedDict], batch: Batch) -> None:
        if self.full:
            raise StorageError("no space left on the device")
        self.at("raftBeforeApplySnap")
        super().replace_state(staged, batch)
        self._note(batch, sync=True)
        self.unreadable.clear()
        self.at("raftAfterApplySnap")

    def _note(self, batch: Batch, *, sync: bool) -> None:
        if self.unreadable:
            self.unreadable -= {(table, key) for table, rows in batch.rows.items() for key in rows}
        if batch.truncations or not _LOG_TABLES.isdisjoint(batch.rows):
            self._unsynced_log.append(batch)
        if sync and self._unsynced_log:
            for written in self._unsynced_log:
                self.durable.take(written)
            self._unsynced_log = []

    # --- the end, and afterwards -----------------------------------------------------------------------------------

    def successor(self) -> "SimEngine":
        """The engine of the node's next life, where this one was only used to prepare the disk."""
        return self._successor()

    def _successor(self) -> "SimEngine":
        """What was not synced and is there all the same is durable from now on: this is what the node begins with."""
        successor = SimEngine()
        successor._tables, successor._unsynced, successor._size = self._tables, self._unsynced, self._size
        successor.unreadable = self.unreadable
        successor.durable.take(Batch(rows={table: dict(self._tables[table]) for table in (Table.META, Table.LOG)}))
        return successor

    # --- decay -----------------------------------------------------------------------------------------------------

    def flip_a_bit(self, chance: random.Random) -> bool:
        """Something stored rots. False: there is nothing."""
        log = self._tables[Table.LOG]
        if log and chance.random() < 0.6:
            self.corrupt(Table.LOG, chance.choice(log.keys()), chance)
            return True
        tables = [table for table in Table if table is not Table.LOG and self._tables[table]]
        if not tables:
            return False
        table = chance.choice(tables)
        self.unreadable.add((table, chance.choice(self._tables[table].keys())))
        return True

    def misdirect(self, chance: random.Random) -> bool:
        """A write of the log went to the place of another entry."""
        log = self._tables[Table.LOG]
        if len(log) < 2:
            return False
        here, there = chance.sample(list(log.keys()), 2)
        log[here] = log[there]
        return True


def _nowhere(_point: str) -> None:
    """Nobody is to end."""


def _points(batch: Batch) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The places that a write is: before it, and after it."""
    saves = Table.LOG in batch.rows or _HARD_STATE in batch.rows.get(Table.META, ())
    before, after = ("raftBeforeSave", "raftAfterSave") if saves else ("beforeCommit", "afterCommit")
    if _LOG_START in batch.rows.get(Table.META, ()):
        return (before, "raftBeforeWALRelease"), (after, "raftAfterWALRelease")
    history = batch.rows.get(Table.HISTORY)
    if history and None in history.values():
        return (before, "compactBeforeCommitBatch"), (after, "compactAfterCommitBatch")
    return (before,), (after,)


class SimStorage:
    """The storage thread: one job at a time, each of which takes the disk a while."""

    def __init__(self, loop: asyncio.AbstractEventLoop, time: MachineTime, dice: random.Random, latency_s: float) -> None:
        self._loop = loop
        self._time = time
        self._dice = dice
        self._latency_s = latency_s
        self._jobs: deque[tuple[Callable[[], Any], Callable[[Any], None]]] = deque()
        self._dead = False
        self._at_work = False
        self.delay_s = 0.0
        """By so much slower is the disk for now."""

    def submit(self, job: Callable[[], T], done: Callable[[T | BaseException], None]) -> None:
        if self._dead:
            raise asyncio.CancelledError
        self._jobs.append((job, done))
        if len(self._jobs) == 1:
            self._work()

    def submit_aside(self, job: Callable[[], T], done: Callable[[T | BaseException], None]) -> None:
        self.submit(job, done)

    def full(self) -> bool:
        return len(self._jobs) >= 1024

    async def stop(self) -> None:
        """The simulator kills."""

    def kill(self, *, finish: int = 0) -> None:
        """The process ends. `finish`: so many of the jobs that wait the disk did, though nobody heard of it."""
        self._dead = True
        if not self._at_work:
            for job, _ in list(self._jobs)[:finish]:
                result_of(job)
        self._jobs.clear()

    def _work(self) -> None:
        took = self._latency_s * self._dice.random() + self.delay_s
        self._loop.call_later(took, self._finish)

    def _finish(self) -> None:
        if self._dead:
            return
        job, done = self._jobs[0]
        self._at_work = True
        result = result_of(job)
        self._at_work = False
        if not self._jobs:  # the node ended within the job
            return
        self._jobs.popleft()
        self._time.call_soon(done, result)
        if self._jobs:
            self._work()
