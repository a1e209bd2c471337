"""Rows that are not what was written: opening them works, or says in a StorageError what is wrong. CVE-2020-15106 and its kind."""

import random
from collections.abc import Iterator

import pytest

from raftkv.apply.machine import StateMachine
from raftkv.errors import StorageError
from raftkv.mvcc.steps import finish
from raftkv.storage import wal
from raftkv.storage.engine import Batch, Table
from raftkv.storage.identity import Identity, read_identity, save_identity
from raftkv.storage.log import LogStore, decode_entry
from raftkv.storage.memory import MemoryEngine
from raftkv.storage.overlay import Overlay
from tests.rpc.messages import damaged
from tests.server.replicas import Cluster, simulate


async def _some_history(cluster: Cluster) -> MemoryEngine:
    node = await cluster.leader()
    for number in range(30):
        await node.put(f"k{number % 7}", f"v{number}")
    node.replica.stop()
    batch = Batch()
    save_identity(batch, Identity(1, 1, "n1"))
    node.engine.write(batch, sync=True)
    return node.engine


def _rows() -> dict[Table, list[tuple[bytes, bytes]]]:
    engine = simulate(_some_history, count=1)
    return {table: list(engine.scan(table)) for table in Table}


ROWS = _rows()


def _engine(rows: dict[Table, list[tuple[bytes, bytes]]]) -> MemoryEngine:
    engine = MemoryEngine()
    engine.write(Batch(rows={table: dict(found) for table, found in rows.items() if found}), sync=True)
    return engine


def _read_everything(engine: MemoryEngine) -> None:
    read_identity(engine)
    log = LogStore.open(engine)
    if log.last_index() >= log.first_index():
        log.entries(log.first_index(), log.last_index() + 1, 1 << 30)
    machine = StateMachine(Overlay(engine))
    finish(machine.load())


def test_rows_as_they_were_written_are_read() -> None:
    _read_everything(_engine(ROWS))


@pytest.mark.parametrize("first", range(0, 400, 100))
def test_a_damaged_row_is_read_or_a_storage_error(first: int) -> None:
    errors = 0
    for seed in range(first, first + 100):
        chance = random.Random(seed)
        table = chance.choice([table for table in Table if ROWS[table]])
        rows = {**ROWS, table: list(ROWS[table])}
        at = chance.randrange(len(rows[table]))
        key, value = rows[table][at]
        rows[table][at] = (damaged(key, chance) or b"k", value) if chance.random() < 0.3 else (key, damaged(value, chance))
        try:
            _read_everything(_engine(rows))
        except StorageError as error:
            errors += "damaged" in str(error) or "missing" in str(error)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {table.name} {rows[table][at]}") from error
    assert errors > 10  # some of it is noticed, or nothing is tested


def _random_rows() -> Iterator[bytes]:
    chance = random.Random(7)
    for _ in range(2000):
        yield chance.randbytes(chance.randrange(40))


def test_random_bytes_are_no_log_entry() -> None:
    for row in _random_rows():
        with pytest.raises(StorageError):
            decode_entry(5, (5).to_bytes(8, "big"), row)


def test_random_bytes_are_no_write_ahead_log() -> None:
    for row in _random_rows():
        damage = wal._damage_at_end(row)
        assert damage is None or isinstance(wal._torn(row, damage), bool)
