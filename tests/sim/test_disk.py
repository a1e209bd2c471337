"""Simulated disks: what is durable, what rots, and where nodes may be made to end."""

import random

import pytest

from raftkv.errors import StorageError
from raftkv.raft.messages import Entry, EntryKind, HardState
from raftkv.storage.engine import Batch, Table
from raftkv.storage.log import LogStore, begin_log
from raftkv_chaos.sim.disk import SimEngine
from raftkv_chaos.sim.machine_time import PowerLossError


def log_of(count: int) -> SimEngine:
    """Entries 2 to count + 1 behind the founding one, the last one not synced."""
    engine = SimEngine()
    batch = Batch()
    begin_log(batch, index=1, term=1)
    engine.write(batch, sync=True)
    log = LogStore.open(engine)
    for index in range(2, count + 2):
        batch = Batch()
        log.save(batch, HardState(3, 2, 1), [Entry(index, 3, EntryKind.NORMAL, b"x")])
        engine.write(batch, sync=index < count + 1)
        log.saved()
    return engine


def start(engine: SimEngine) -> None:
    """Reads what a node reads at its start."""
    LogStore.open(engine)
    engine.view()


def test_only_what_was_synced_is_durable() -> None:
    engine = log_of(3)
    assert engine.durable.terms == {2: 3, 3: 3}
    assert engine.durable.hard_state == HardState(3, 2, 1)
    assert engine.durable.holds(1, 1)
    assert not engine.durable.holds(4, 3)


def test_what_survived_is_durable_in_the_next_life() -> None:
    kept = log_of(3).reopen()
    assert isinstance(kept, SimEngine)
    assert kept.durable.terms == {2: 3, 3: 3, 4: 3}
    lost = log_of(3).crash()
    assert isinstance(lost, SimEngine)
    assert lost.durable.last == 3


def test_a_node_can_end_on_either_side_of_a_write() -> None:
    for point, written in (("raftBeforeSave", None), ("raftAfterSave", b"row")):
        engine = SimEngine()

        def end(reached: str, point: str = point) -> None:
            if reached == point:
                raise PowerLossError

        engine.at = end
        batch = Batch()
        batch.put(Table.LOG, bytes(8), b"row")
        batch.put(Table.LIVE, b"k", b"row")
        with pytest.raises(PowerLossError):
            engine.write(batch, sync=True)
        assert engine.get(Table.LIVE, b"k") == written


@pytest.mark.parametrize("decay", [SimEngine.flip_a_bit, SimEngine.misdirect])
def test_a_rotten_log_is_found_out_at_the_next_start(decay: object) -> None:
    for seed in range(20):
        engine = log_of(8)
        assert decay(engine, random.Random(seed))  # type: ignore[operator] # one of two methods
        with pytest.raises(StorageError):
            start(engine)


def test_a_full_disk_takes_nothing() -> None:
    engine = SimEngine()
    engine.full = True
    with pytest.raises(StorageError, match="no space"):
        engine.write(Batch(), sync=False)
