"""What only the engine in memory can do: lose power, and fail when told to."""

import random

import pytest

from raftkv.errors import StorageError
from raftkv.storage.engine import Batch, Table
from raftkv.storage.memory import MemoryEngine


def write(engine: MemoryEngine, key: bytes, value: bytes | None = b"v", *, sync: bool = False) -> None:
    batch = Batch()
    if value is None:
        batch.delete(Table.LIVE, key)
    else:
        batch.put(Table.LIVE, key, value)
    engine.write(batch, sync=sync)


def rows(engine: MemoryEngine) -> dict[bytes, bytes]:
    return dict(engine.scan(Table.LIVE))


def test_crash_forgets_what_was_not_synced() -> None:
    engine = MemoryEngine()
    write(engine, b"a", b"1")
    write(engine, b"b", b"1", sync=True)
    write(engine, b"a", b"2")
    write(engine, b"b", None)
    write(engine, b"c", b"2")
    batch = Batch()
    batch.truncate(Table.LIVE, b"a", b"z")
    engine.write(batch, sync=False)
    engine = engine.crash()
    assert rows(engine) == {b"a": b"1", b"b": b"1"}
    assert engine.size() == 4


def test_crash_keeps_a_prefix_that_chance_decides() -> None:
    outcomes = set()
    for seed in range(40):
        engine = MemoryEngine()
        for number in range(5):
            write(engine, b"%d" % number, sync=number == 1)
        kept = len(rows(engine.crash(random.Random(seed))))
        outcomes.add(kept)
    assert outcomes == {2, 3, 4, 5}


def test_crashed_engine_serves_nobody_any_more() -> None:
    engine = MemoryEngine()
    view, staging = engine.view(), engine.stage()
    staging.add(Table.LIVE, [(b"k", b"v")])
    successor = engine.crash()
    with pytest.raises(StorageError):
        write(engine, b"k")
    with pytest.raises(StorageError):
        staging.commit(Batch())
    with pytest.raises(StorageError):
        view.get(Table.LIVE, b"k")
    assert rows(successor) == {}


def test_second_crash_still_forgets_what_the_first_kept_unsynced() -> None:
    engine = MemoryEngine()
    write(engine, b"a", sync=True)
    write(engine, b"b")
    engine = engine.reopen()
    assert rows(engine) == {b"a": b"v", b"b": b"v"}
    assert rows(engine.crash()) == {b"a": b"v"}


def test_committed_snapshot_survives_a_crash() -> None:
    engine = MemoryEngine()
    write(engine, b"old")
    staging = engine.stage()
    staging.add(Table.LIVE, [(b"new", b"v")])
    staging.commit(Batch())
    write(engine, b"newer")
    engine = engine.crash()
    assert rows(engine) == {b"new": b"v"}
    assert engine.size() == 4


def test_failed_write_stores_nothing_and_is_the_last() -> None:
    engine = MemoryEngine()
    engine.faults.writes_before_failure = 1
    write(engine, b"a")
    with pytest.raises(StorageError, match="injected write failure"):
        write(engine, b"b", sync=True)
    with pytest.raises(StorageError, match="no writes after a failed one"):
        write(engine, b"c")
    assert rows(engine.crash(random.Random(1))).keys() <= {b"a"}


def test_failed_sync_leaves_the_batch_to_chance() -> None:
    found = set()
    for seed in range(20):
        engine = MemoryEngine()
        engine.faults.syncs_before_failure = 1
        write(engine, b"a", sync=True)
        write(engine, b"b")
        with pytest.raises(StorageError, match="injected sync failure"):
            write(engine, b"c", sync=True)
        with pytest.raises(StorageError, match="no writes after a failed one"):
            write(engine, b"d")
        found.add(frozenset(rows(engine.crash(random.Random(seed)))))
    assert found == {frozenset({b"a"}), frozenset({b"a", b"b"}), frozenset({b"a", b"b", b"c"})}


def test_failed_commit_leaves_the_old_state() -> None:
    engine = MemoryEngine()
    write(engine, b"old", sync=True)
    staging = engine.stage()
    staging.add(Table.LIVE, [(b"new", b"v")])
    engine.faults.writes_before_failure = 0
    with pytest.raises(StorageError, match="injected"):
        staging.commit(Batch())
    assert rows(engine.crash()) == {b"old": b"v"}


def test_corruption_changes_one_bit() -> None:
    engine = MemoryEngine()
    write(engine, b"k", b"\x00\x00")
    engine.corrupt(Table.LIVE, b"k", random.Random(1))
    value = engine.get(Table.LIVE, b"k")
    assert value is not None
    assert int.from_bytes(value, "big").bit_count() == 1


@pytest.mark.parametrize("seed", range(4))
def test_a_snapshot_whose_sync_fails_leaves_nothing_of_its_batch(seed: int) -> None:
    engine = MemoryEngine()
    engine.write(Batch({Table.LIVE: {b"k": b"old"}, Table.META: {b"start": b"1"}}), sync=True)
    staging = engine.stage()
    staging.add(Table.LIVE, [(b"k", b"new")])
    engine.faults.syncs_before_failure = 0
    with pytest.raises(StorageError):
        staging.commit(Batch({Table.META: {b"start": b"33"}}))
    found = engine.crash(random.Random(seed))
    assert (found.get(Table.LIVE, b"k"), found.get(Table.META, b"start")) == (b"old", b"1")
