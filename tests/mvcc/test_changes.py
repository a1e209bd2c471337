import pytest

from raftkv.errors import CompactedError
from raftkv.mvcc import Event, Store, finish
from raftkv.pb.rpc import CompactionRequest
from tests.mvcc.making import compact, delete, new_store, put, run, txn, written


def changes(store: Store, first: int, last: int, *, previous: bool = False) -> list[Event]:
    return [event for batch in store.changes(first, last, previous=previous) for event in batch]


def test_changes_are_the_events_that_were_returned() -> None:
    store = new_store()
    events: list[Event] = []
    for request in (put(b"a", b"1"), put(b"b"), put(b"a", b"2")):
        events += store.put(request).events
    events += written(store.txn(txn(put(b"c"), delete(b"a", b"b"), txn(put(b"d"))))).events
    events += written(store.delete_range(delete(b"\0", b"\0"))).events
    assert changes(store, 1, store.revision, previous=True) == events
    assert [event.revision for event in changes(store, 3, 5)] == [3, 4, 5, 5, 5]
    assert changes(store, 3, 3)[0].previous is None


def test_changes_end_at_the_present() -> None:
    store = new_store()
    run(store, put(b"a"))
    assert [event.revision for event in changes(store, 2, 1000)] == [2]
    assert changes(store, 3, 1000) == []


@pytest.mark.parametrize("rows_removed", [False, True])
def test_previous_is_absent_when_it_is_compacted(*, rows_removed: bool) -> None:
    store = new_store()
    for value in (b"1", b"2", b"3"):
        run(store, put(b"a", value))
    run(store, CompactionRequest(revision=3))
    if rows_removed:
        finish(store.scrub())
    second, third = changes(store, 3, 4, previous=True)
    assert second.prev_kv is None
    assert third.prev_kv is not None
    assert third.prev_kv.value == b"2"


def test_previous_of_a_key_changed_twice_is_from_before_the_revision() -> None:
    store = new_store()
    run(store, put(b"a", b"1"))
    done = written(store.txn(txn(txn(put(b"a", b"2")), txn(delete(b"a")))))
    from_history = changes(store, 3, 3, previous=True)
    assert from_history == list(done.events)
    assert [event.prev_kv.value for event in from_history if event.prev_kv is not None] == [b"1", b"1"]


def test_compacted_start_is_refused_at_once() -> None:
    store = new_store()
    for value in (b"1", b"2", b"3"):
        run(store, put(b"a", value))
    compact(store, 3)
    with pytest.raises(CompactedError):
        store.changes(2, 4)


def test_changes_are_not_disturbed_by_compaction() -> None:
    store = new_store()
    for number in range(2000):
        run(store, put(b"a", b"%d" % number))
    batches = store.changes(2, store.revision)
    seen = len(next(batches))
    compact(store, store.revision)
    seen += sum(len(batch) for batch in batches)
    assert seen == 2000


def test_batches_are_bounded() -> None:
    store = new_store()
    for number in range(3000):
        run(store, put(b"%d" % number))
    sizes = [len(batch) for batch in store.changes(2, store.revision)]
    assert sum(sizes) == 3000
    assert max(sizes) <= 500


def test_a_creation_has_nothing_before_it_live_or_from_history() -> None:
    """A key that is deleted and put again in one request was created by it (as in etcd: IsCreateEvent)."""
    store = new_store()
    run(store, put(b"a", b"1"))
    done = written(store.txn(txn(txn(delete(b"a")), put(b"a", b"2"))))
    assert [event.previous is None for event in done.events] == [False, True]
    assert changes(store, 3, 3, previous=True) == list(done.events)
