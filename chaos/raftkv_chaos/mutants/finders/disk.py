"""A log whose rows are damaged: it must be refused, whatever the damage, for to go on would take back promises."""

import random

from raftkv.errors import StorageError
from raftkv.raft.messages import Entry, EntryKind, HardState
from raftkv.storage.engine import Batch, Table
from raftkv.storage.log import LogStore
from raftkv.storage.memory import MemoryEngine


def find(seed: int) -> None:
    """One log, one damage."""
    rng = random.Random(seed)  # noqa: S311 (to be repeated)
    engine, entries = _written(rng)
    damage = rng.choice((_flip, _misplace, _lose))
    damage(engine, rng)
    try:
        log = LogStore.open(engine)
    except StorageError:
        return
    read = log.entries(1, log.last_index() + 1, 1 << 30)
    raise AssertionError(
        f"after {damage.__name__[1:]} the log opens with {len(read)} of {len(entries)} entries, as if all was well"
    )


def _written(rng: random.Random) -> tuple[MemoryEngine, list[Entry]]:
    engine = MemoryEngine()
    log = LogStore.open(engine)
    term, entries = 1, []
    for index in range(1, rng.randint(4, 30)):
        term += rng.random() < 0.1
        entries.append(Entry(index, term, EntryKind.NORMAL, rng.randbytes(rng.choice((0, 8, 8, 40)))))
    batch = Batch()
    log.save(batch, HardState(term, 0, rng.randint(0, 2)), entries)
    engine.write(batch, sync=True)
    return engine, entries


def _flip(engine: MemoryEngine, rng: random.Random) -> None:
    rows = [key for key, _ in engine.scan(Table.LOG)]
    engine.corrupt(Table.LOG, rng.choice(rows), rng)


def _misplace(engine: MemoryEngine, rng: random.Random) -> None:
    """A row was written where another belongs, of the same term and not the same."""
    rows = dict(engine.scan(Table.LOG))
    pairs = [(a, b) for a in rows for b in rows if a != b and rows[a] != rows[b] and rows[a][4:12] == rows[b][4:12]]
    if not pairs:
        _flip(engine, rng)
        return
    source, target = rng.choice(pairs)
    batch = Batch()
    batch.put(Table.LOG, target, rows[source])
    engine.write(batch, sync=True)


def _lose(engine: MemoryEngine, rng: random.Random) -> None:
    """A row in the middle is gone."""
    rows = [key for key, _ in engine.scan(Table.LOG)]
    batch = Batch()
    batch.delete(Table.LOG, rng.choice(rows[2:-1] or rows[:1]))
    engine.write(batch, sync=True)
