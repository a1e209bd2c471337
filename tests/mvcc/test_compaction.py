import pytest

from raftkv.errors import CompactedError, FutureRevisionError
from raftkv.mvcc import Store, compaction, finish
from raftkv.mvcc.layout import key_of, revision_of
from raftkv.pb.rpc import CompactionRequest
from raftkv.storage.engine import Batch, Table
from raftkv.storage.memory import MemoryEngine
from raftkv.storage.overlay import Overlay
from tests.mvcc.making import compact, delete, get, new_store, put, run, txn


def history(state: Overlay) -> list[tuple[bytes, int]]:
    """(key, main revision) of every kept version; checks that the two tables agree about them."""
    versions = [(key_of(row), revision_of(row)) for row, _ in state.scan(Table.HISTORY)]
    changes = [(change[1:], revision_of(row)) for row, change in state.scan(Table.REVISIONS)]
    assert sorted(versions) == sorted(changes)
    return [(key, main) for key, (main, _) in versions]


@pytest.fixture
def state() -> Overlay:
    return Overlay(MemoryEngine())


@pytest.fixture
def store(state: Overlay) -> Store:
    """a at 2, 3 and 6; b at 4, deleted at 5; c at 7, deleted at 8, and again at 9."""
    store = new_store(state)
    for request in (
        put(b"a", b"1"),
        put(b"a", b"2"),
        put(b"b"),
        delete(b"b"),
        put(b"a", b"3"),
        put(b"c"),
        delete(b"c"),
        put(b"c"),
    ):
        run(store, request)
    return store


ALL = [(b"a", 2), (b"a", 3), (b"a", 6), (b"b", 4), (b"b", 5), (b"c", 7), (b"c", 8), (b"c", 9)]


@pytest.mark.parametrize(
    ("revision", "kept"),
    [
        (0, ALL),
        (1, ALL),
        (2, ALL),
        (3, [pair for pair in ALL if pair != (b"a", 2)]),
        (4, [(b"a", 3), (b"a", 6), (b"b", 4), (b"b", 5), (b"c", 7), (b"c", 8), (b"c", 9)]),
        (5, [(b"a", 3), (b"a", 6), (b"b", 5), (b"c", 7), (b"c", 8), (b"c", 9)]),
        (6, [(b"a", 6), (b"c", 7), (b"c", 8), (b"c", 9)]),
        (7, [(b"a", 6), (b"c", 7), (b"c", 8), (b"c", 9)]),
        (8, [(b"a", 6), (b"c", 8), (b"c", 9)]),
        (9, [(b"a", 6), (b"c", 9)]),
    ],
)
@pytest.mark.parametrize("first", [0, 4, 5, 8])
def test_what_compaction_keeps(state: Overlay, store: Store, first: int, revision: int, kept: list[tuple[bytes, int]]) -> None:
    if first < revision:
        compact(store, first)
    compact(store, revision)
    assert history(state) == kept


def test_deletion_at_the_compacted_revision_can_still_be_watched(store: Store) -> None:
    compact(store, 5)
    events = [event for batch in store.changes(5, 5) for event in batch]
    assert [(event.key, event.encoded) for event in events] == [(b"b", None)]


def test_every_change_at_the_compacted_revision_can_still_be_watched(state: Overlay) -> None:
    store = new_store(state)
    run(store, txn(txn(put(b"a", b"1")), txn(delete(b"a"))))
    compact(store, 2)
    events = [event for batch in store.changes(2, 2) for event in batch]
    assert [(event.key, event.encoded is None) for event in events] == [(b"a", False), (b"a", True)]
    run(store, put(b"b"))
    compact(store, 3)
    assert history(state) == [(b"b", 3)]


def test_compaction_takes_effect_before_rows_are_removed(state: Overlay, store: Store) -> None:
    response = run(store, CompactionRequest(revision=6))
    assert response.header.revision == 9
    assert history(state) == ALL
    assert (store.compact_revision, store.scrub_pending, store.scrubbed_revision) == (6, True, -1)
    with pytest.raises(CompactedError):
        run(store, get(b"a", revision=5))
    with pytest.raises(CompactedError):
        store.changes(5, 9)
    finish(store.scrub())
    assert (store.scrub_pending, store.scrubbed_revision) == (False, 6)


def test_which_revisions_may_be_compacted(store: Store) -> None:
    with pytest.raises(CompactedError):
        run(store, CompactionRequest(revision=-1))
    run(store, CompactionRequest(revision=0))
    with pytest.raises(CompactedError):
        run(store, CompactionRequest(revision=0))
    with pytest.raises(FutureRevisionError):
        run(store, CompactionRequest(revision=10))
    run(store, CompactionRequest(revision=9))
    assert store.revision == 9


def test_size_in_use_is_that_of_the_kept_versions(store: Store) -> None:
    compact(store, 9)
    again = new_store()
    run(again, put(b"c"))
    run(again, put(b"a", b"3"))
    # The versions differ in their revision numbers only, which are all a byte long.
    assert store.size_in_use == again.size_in_use


def test_compaction_does_not_change_the_revision_across_a_restart(state: Overlay, store: Store) -> None:
    compact(store, 9)
    store.record()
    again = new_store(state)
    assert (again.revision, again.compact_revision, again.scrubbed_revision) == (9, 9, 9)
    assert again.size_in_use == store.size_in_use


def busy_store(state: Overlay) -> Store:
    """Changes that begin, end and cross at every step: many keys, deletions, several changes in one revision."""
    store = new_store(state)
    for number in range(60):
        key = b"%d" % (number % 7)
        run(store, put(key, b"%d" % number) if number % 4 else delete(key, b"6"))
        run(store, txn(txn(put(b"x", key)), txn(delete(b"x" if number % 3 else b"y"))))
    return store


@pytest.mark.parametrize("lookups", [1, 2, 5])
def test_crash_at_any_step_is_made_good_by_the_next_start(monkeypatch: pytest.MonkeyPatch, lookups: int) -> None:
    monkeypatch.setattr(compaction, "STEP_LOOKUPS", lookups)
    expected_state = Overlay(MemoryEngine())
    expected = busy_store(expected_state)
    compact(expected, 70)
    crash_at = 0
    while True:
        engine = MemoryEngine()
        survived = _scrub_and_crash(engine, crash_at)
        again_state = Overlay(engine)
        again = new_store(again_state)
        assert again.revision == expected.revision
        finish(again.scrub())
        assert history(again_state) == history(expected_state)
        assert again.size_in_use == expected.size_in_use
        if survived:
            break
        crash_at += 1
    assert crash_at > 5


def _scrub_and_crash(engine: MemoryEngine, steps: int) -> bool:
    """Compacts and dies after so many steps, each written to disk; true if the scrub was done before."""
    state = Overlay(engine)
    store = busy_store(state)
    run(store, CompactionRequest(revision=70))
    scrub = store.scrub()
    for _ in range(steps):
        if next(scrub, "done") == "done":
            return True
        _write(engine, state)
    store.record()
    _write(engine, state)
    return False


def _write(engine: MemoryEngine, state: Overlay) -> None:
    engine.write(Batch(rows=state.seal()), sync=True)
    state.written()


@pytest.mark.parametrize("steps", range(12))
def test_compaction_moves_on_while_rows_are_being_removed(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    monkeypatch.setattr(compaction, "STEP_LOOKUPS", 3)
    expected_state, state = Overlay(MemoryEngine()), Overlay(MemoryEngine())
    compact(busy_store(expected_state), 90)
    store = busy_store(state)
    run(store, CompactionRequest(revision=30))
    scrub = store.scrub()
    for _ in range(steps):
        next(scrub, None)
    run(store, CompactionRequest(revision=90))
    finish(scrub)
    finish(store.scrub())
    assert history(state) == history(expected_state)


@pytest.mark.parametrize("steps", range(8))
def test_compaction_moves_on_while_the_walk_is_inside_a_revision(
    monkeypatch: pytest.MonkeyPatch, state: Overlay, steps: int
) -> None:
    monkeypatch.setattr(compaction, "STEP_LOOKUPS", 3)
    store = new_store(state)
    for number in range(10):
        run(store, put(b"%d" % number))
    run(store, delete(b"\0", b"\0"))
    run(store, put(b"x"))
    run(store, CompactionRequest(revision=store.revision - 1))
    scrub = store.scrub()
    for _ in range(steps):
        next(scrub, None)
    run(store, CompactionRequest(revision=store.revision))
    finish(store.scrub())
    assert history(state) == [(b"x", store.revision)]


def test_second_compaction_costs_by_the_changes_since_the_first(state: Overlay) -> None:
    store = new_store(state)
    for number in range(3000):
        run(store, put(b"%d" % number))
    compact(store, store.revision)
    for _ in range(10):
        run(store, put(b"1"))
    run(store, CompactionRequest(revision=store.revision))
    assert len(list(store.scrub())) <= 2
    assert len(history(state)) == 3000
