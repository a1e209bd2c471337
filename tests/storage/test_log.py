"""The Raft log on an engine: what is shown, what survives, and what is refused."""

import random
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raftkv.errors import CompactedLogError, StorageError, UnavailableLogError
from raftkv.raft.log import LogReader
from raftkv.raft.messages import Entry, EntryKind, HardState, Membership, Snapshot
from raftkv.storage.engine import Batch, Engine, Table
from raftkv.storage.log import LogStore, decode_entry, encode_entry
from raftkv.storage.memory import MemoryEngine

Reopen = Callable[[Engine], Engine]
UNLIMITED = 1 << 30


def entry(index: int, term: int = 1, data: bytes | None = None) -> Entry:
    return Entry(index, term, EntryKind.NORMAL, data if data is not None else b"data %d" % index)


def entries(first: int, end: int, term: int = 1) -> list[Entry]:
    return [entry(index, term) for index in range(first, end)]


def save(engine: Engine, log: LogStore, new: list[Entry], hard_state: HardState | None = None) -> None:
    batch = Batch()
    log.save(batch, hard_state or HardState(term=new[-1].term), new)
    engine.write(batch, sync=True)
    log.saved()


def compact(engine: Engine, log: LogStore, index: int) -> None:
    batch = Batch()
    log.compact(batch, index)
    engine.write(batch, sync=False)


def key(index: int) -> bytes:
    return index.to_bytes(8, "big")


def overwrite(engine: Engine, index: int, row: bytes | None) -> None:
    batch = Batch()
    if row is None:
        batch.delete(Table.LOG, key(index))
    else:
        batch.put(Table.LOG, key(index), row)
    engine.write(batch, sync=True)


def all_entries(log: LogStore) -> list[Entry]:
    return log.entries(log.first_index(), log.last_index() + 1, UNLIMITED)


def now_and_restarted(log: LogStore, engine: Engine, reopen: Reopen) -> Iterator[LogStore]:
    """The log as it stands, then as the next process finds it."""
    yield log
    yield LogStore.open(reopen(engine))


@pytest.fixture
def log(engine: Engine) -> LogStore:
    return LogStore.open(engine)


def test_log_store_is_the_log_reader_that_raft_asks_for(log: LogStore) -> None:
    reader: LogReader = log
    assert reader.first_index() == 1


def test_new_log_is_empty_and_starts_at_zero(log: LogStore) -> None:
    assert (log.first_index(), log.last_index(), log.start) == (1, 0, (0, 0))
    assert log.term(0) == 0
    assert log.hard_state == HardState()


def test_saved_entries_and_hard_state_survive_a_restart(engine: Engine, log: LogStore, reopen: Reopen) -> None:
    new = [*entries(1, 4), entry(4, 2, b""), Entry(5, 2, EntryKind.MEMBERSHIP, b"\x00\xff" * 1000)]
    save(engine, log, new, HardState(term=2, vote=7, commit=3))
    for store in now_and_restarted(log, engine, reopen):
        assert all_entries(store) == new
        assert [store.term(index) for index in range(6)] == [0, 1, 1, 1, 2, 2]
        assert store.hard_state == HardState(term=2, vote=7, commit=3)
        assert isinstance(all_entries(store)[4].kind, EntryKind)


def test_nothing_is_shown_before_it_is_on_disk(engine: Engine, log: LogStore) -> None:
    batch = Batch()
    log.save(batch, HardState(term=1, vote=1), entries(1, 3))
    assert log.last_index() == 0
    assert log.hard_state == HardState()
    with pytest.raises(UnavailableLogError):
        log.term(1)
    engine.write(batch, sync=True)
    log.saved()
    assert log.last_index() == 2
    assert log.hard_state == HardState(term=1, vote=1)


def test_conflicting_tail_is_hidden_at_once_and_replaced(engine: Engine, log: LogStore, reopen: Reopen) -> None:
    save(engine, log, entries(1, 10))
    batch = Batch()
    log.save(batch, HardState(term=2), [entry(4, 2), entry(5, 2)])
    assert log.last_index() == 3
    assert all_entries(log) == entries(1, 4)
    engine.write(batch, sync=True)
    log.saved()
    for store in now_and_restarted(log, engine, reopen):
        assert [each.term for each in store.entries(1, 6, UNLIMITED)] == [1, 1, 1, 2, 2]
        assert store.last_index() == 5


def test_hard_state_alone_can_be_saved(engine: Engine, log: LogStore) -> None:
    save(engine, log, entries(1, 3))
    batch = Batch()
    log.save(batch, HardState(term=1, commit=2), [])
    engine.write(batch, sync=False)
    log.saved()
    assert LogStore.open(engine).hard_state == HardState(term=1, commit=2)


def test_entries_stop_at_the_byte_limit_but_give_at_least_one(engine: Engine, log: LogStore) -> None:
    save(engine, log, [entry(index, data=bytes(10)) for index in range(1, 6)])
    assert [len(log.entries(1, 6, limit)) for limit in (0, 9, 10, 19, 20, 49, 50, 99)] == [1, 1, 1, 1, 2, 4, 5, 5]
    assert log.entries(3, 5, UNLIMITED) == [entry(3, data=bytes(10)), entry(4, data=bytes(10))]


def test_questions_outside_the_log_say_which_side(engine: Engine, log: LogStore) -> None:
    save(engine, log, entries(1, 10))
    compact(engine, log, 4)
    assert log.term(4) == 1
    with pytest.raises(CompactedLogError):
        log.term(3)
    with pytest.raises(CompactedLogError):
        log.entries(4, 6, UNLIMITED)
    with pytest.raises(UnavailableLogError):
        log.term(10)
    with pytest.raises(UnavailableLogError):
        log.entries(9, 11, UNLIMITED)


def test_gap_is_refused(log: LogStore) -> None:
    with pytest.raises(AssertionError):
        log.save(Batch(), None, [entry(2)])


def test_compaction_removes_the_prefix_from_the_disk(engine: Engine, log: LogStore, reopen: Reopen) -> None:
    save(engine, log, [*entries(1, 5), *entries(5, 10, term=3)])
    compact(engine, log, 6)
    compact(engine, log, 2)
    assert [row for row, _ in engine.scan(Table.LOG)] == [key(index) for index in (7, 8, 9)]
    for store in now_and_restarted(log, engine, reopen):
        assert store.start == (6, 3)
        assert all_entries(store) == entries(7, 10, term=3)


def test_log_compacted_to_its_end_goes_on(engine: Engine, log: LogStore) -> None:
    save(engine, log, entries(1, 4))
    compact(engine, log, 3)
    assert (log.first_index(), log.last_index()) == (4, 3)
    save(engine, log, entries(4, 6))
    assert all_entries(LogStore.open(engine)) == entries(4, 6)


def test_compaction_and_append_share_a_batch(engine: Engine, log: LogStore) -> None:
    save(engine, log, entries(1, 4))
    batch = Batch()
    log.save(batch, None, entries(4, 6))
    log.compact(batch, 3)
    engine.write(batch, sync=True)
    log.saved()
    assert all_entries(LogStore.open(engine)) == all_entries(log) == entries(4, 6)


def test_reset_starts_behind_the_snapshot(engine: Engine, log: LogStore, reopen: Reopen) -> None:
    save(engine, log, entries(1, 10))
    batch = Batch()
    log.reset(batch, Snapshot(100, 5, Membership((1,))))
    log.save(batch, HardState(term=6, commit=100), entries(101, 103, term=6))
    assert (log.first_index(), log.last_index(), log.term(100)) == (101, 100, 5)
    engine.stage().commit(batch)
    log.saved()
    for store in now_and_restarted(log, engine, reopen):
        assert store.start == (100, 5)
        assert all_entries(store) == entries(101, 103, term=6)


def test_reset_drops_entries_of_its_own_batch(engine: Engine, log: LogStore) -> None:
    batch = Batch()
    log.save(batch, HardState(term=1), entries(1, 10))
    log.reset(batch, Snapshot(5, 1, Membership((1,))))
    engine.stage().commit(batch)
    log.saved()
    assert list(engine.scan(Table.LOG)) == []
    assert LogStore.open(engine).last_index() == 5


# --- damage ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("position", range(0, 21, 2))
def test_flipped_bit_is_refused_by_reads_and_by_open(engine: Engine, log: LogStore, position: int) -> None:
    save(engine, log, entries(1, 10))
    row = bytearray(encode_entry(entry(5)))
    row[position % len(row)] ^= 0x10
    overwrite(engine, 5, bytes(row))
    with pytest.raises(StorageError, match="log entry 5 is damaged"):
        log.entries(3, 8, UNLIMITED)
    with pytest.raises(StorageError, match="log entry 5 is damaged"):
        LogStore.open(engine)
    assert log.entries(6, 8, UNLIMITED) == entries(6, 8)


def test_row_in_the_wrong_place_is_refused(engine: Engine, log: LogStore) -> None:
    save(engine, log, entries(1, 10))
    overwrite(engine, 5, encode_entry(entry(6)))
    with pytest.raises(StorageError, match="log entry 5 is damaged"):
        LogStore.open(engine)


def test_missing_entry_is_refused(engine: Engine, log: LogStore) -> None:
    save(engine, log, entries(1, 10), HardState(term=1, commit=9))
    overwrite(engine, 5, None)
    with pytest.raises(StorageError, match="log entry 5 is missing"):
        log.entries(3, 8, UNLIMITED)
    with pytest.raises(StorageError, match="log entry 5 is missing"):
        log.entries(3, 6, UNLIMITED)
    with pytest.raises(StorageError, match="log entry 5 is missing"):
        LogStore.open(engine)


def test_committed_entry_missing_at_the_end_is_refused(engine: Engine, log: LogStore) -> None:
    save(engine, log, entries(1, 10), HardState(term=1, commit=9))
    overwrite(engine, 9, None)
    with pytest.raises(StorageError, match="the log ends at entry 8, but 9 was committed"):
        LogStore.open(engine)


def test_empty_row_is_refused(engine: Engine, log: LogStore) -> None:
    save(engine, log, entries(1, 3))
    overwrite(engine, 2, b"")
    with pytest.raises(StorageError, match="log entry 2 is damaged"):
        LogStore.open(engine)


def test_falling_term_is_refused(engine: Engine, log: LogStore) -> None:
    save(engine, log, entries(1, 5, term=3))
    overwrite(engine, 3, encode_entry(entry(3, term=2)))
    with pytest.raises(StorageError, match="log entry 3 has term 2, below 3"):
        LogStore.open(engine)


def test_term_beyond_the_hard_state_is_refused(engine: Engine, log: LogStore) -> None:
    save(engine, log, entries(1, 5, term=3), HardState(term=2))
    with pytest.raises(StorageError, match="the log has term 3, but the node's term is 2"):
        LogStore.open(engine)


@pytest.mark.parametrize("row", [b"hard_state", b"log_start"])
def test_damaged_facts_are_refused(engine: Engine, row: bytes) -> None:
    batch = Batch()
    batch.put(Table.META, row, b"\xff\xff")
    engine.write(batch, sync=True)
    with pytest.raises(StorageError, match="damaged"):
        LogStore.open(engine)


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.sampled_from(EntryKind), st.binary(max_size=50))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_entry_is_what_it_was_after_its_row(index: int, term: int, kind: EntryKind, data: bytes) -> None:
    whole = Entry(index, term, kind, data)
    assert decode_entry(index, key(index), encode_entry(whole)) == whole


def test_crash_at_any_point_leaves_a_log_that_was_promised() -> None:
    """Random saves, compactions and crashes: what was synced is there, and what is there was saved."""
    chance = random.Random(5)
    for _ in range(30):
        engine = MemoryEngine()
        log = LogStore.open(engine)
        promised: list[Entry] = []
        term = 1
        for _ in range(40):
            term += chance.random() < 0.2
            first = chance.randint(max(log.last_index() - 2, log.first_index()), log.last_index() + 1)
            new = entries(first, first + chance.randint(1, 4), term)
            batch = Batch()
            log.save(batch, HardState(term=term), new)
            if chance.random() < 0.2:
                engine = engine.crash()
                log = LogStore.open(engine)
            else:
                engine.write(batch, sync=True)
                log.saved()
                promised = [*(old for old in promised if old.index < first), *new]
                if chance.random() < 0.3:
                    compact(engine, log, chance.randint(log.start[0], log.last_index()))
            assert all_entries(log) == [old for old in promised if old.index >= log.first_index()]
