from typing import Any

import pytest

from raftkv.errors import KeyNotFoundError, LeaseNotFoundError, RequestError
from raftkv.mvcc import Event, Store
from raftkv.pb.kv import KeyValue
from raftkv.pb.rpc import DeleteRangeResponse
from tests.mvcc.making import delete, fields, get, new_store, put, run, values, written


def test_empty_store_has_revision_one() -> None:
    store = new_store()
    assert store.revision == 1
    assert store.compact_revision == -1
    assert run(store, get(b"a")).header.revision == 1


def test_first_put_makes_revision_two() -> None:
    store = new_store()
    assert run(store, put(b"a", b"1")).header.revision == 2
    assert fields(run(store, get(b"a")).kvs[0]) == (2, 2, 1, b"1")


def test_put_again_raises_version_and_mod_revision() -> None:
    store = new_store()
    run(store, put(b"a", b"1"))
    run(store, put(b"b", b"1"))
    run(store, put(b"a", b"2"))
    assert fields(run(store, get(b"a")).kvs[0]) == (2, 4, 2, b"2")


def test_put_after_delete_begins_anew() -> None:
    store = new_store()
    for request in (put(b"a", b"1"), put(b"a", b"2"), delete(b"a"), put(b"a", b"3")):
        run(store, request)
    assert fields(run(store, get(b"a")).kvs[0]) == (5, 5, 1, b"3")


def test_put_of_equal_value_is_a_change() -> None:
    store = new_store()
    run(store, put(b"a", b"1"))
    assert run(store, put(b"a", b"1")).header.revision == 3


def test_put_answers_with_previous_only_if_asked() -> None:
    store = new_store()
    assert not run(store, put(b"a", b"1", prev_kv=True)).HasField("prev_kv")
    assert fields(run(store, put(b"a", b"2", prev_kv=True)).prev_kv) == (2, 2, 1, b"1")
    assert not run(store, put(b"a", b"3")).HasField("prev_kv")


def test_ignore_value_keeps_the_value() -> None:
    store = new_store()
    run(store, put(b"a", b"1"))
    run(store, put(b"a", ignore_value=True))
    assert fields(run(store, get(b"a")).kvs[0]) == (2, 3, 2, b"1")


def test_lease_is_set_kept_and_detached() -> None:
    store = new_store(lease_exists=lambda lease: lease == 7)
    run(store, put(b"a", b"1", lease=7))
    run(store, put(b"a", b"2", ignore_lease=True))
    assert run(store, get(b"a")).kvs[0].lease == 7
    run(store, put(b"a", b"3"))
    assert run(store, get(b"a")).kvs[0].lease == 0


@pytest.mark.parametrize(
    ("request_", "error", "text"),
    [
        (put(b"x", ignore_value=True), KeyNotFoundError, "etcdserver: key not found"),
        (put(b"x", ignore_lease=True), KeyNotFoundError, "etcdserver: key not found"),
        (put(b"a", lease=9), LeaseNotFoundError, "etcdserver: requested lease not found"),
        (put(b"x", lease=9, ignore_value=True), LeaseNotFoundError, "etcdserver: requested lease not found"),
    ],
    ids=["ignore_value without a key", "ignore_lease without a key", "no such lease", "the lease comes first"],
)
def test_refused_put_changes_nothing(request_: Any, error: type[RequestError], text: str) -> None:
    store = new_store()
    run(store, put(b"a", b"1"))
    with pytest.raises(error) as raised:
        store.put(request_)
    assert str(raised.value) == text
    assert store.revision == 2
    assert values(run(store, get(b"a", b"\0"))) == {b"a": b"1"}


def test_delete_of_nothing_is_no_change() -> None:
    store = new_store()
    run(store, put(b"b", b"1"))
    for request in (delete(b"a"), delete(b"c", b"\0"), delete(b"z", b"a")):
        done = written(store.delete_range(request))
        assert (done.response.header.revision, done.events) == (2, [])
    assert store.revision == 2


def test_delete_of_a_range_is_one_revision() -> None:
    store = new_store()
    for key in (b"a", b"b", b"c"):
        run(store, put(key, key))
    done = written(store.delete_range(delete(b"a", b"c", prev_kv=True)))
    assert isinstance(done.response, DeleteRangeResponse)
    assert (done.response.deleted, done.response.header.revision) == (2, 5)
    assert [kv.key for kv in done.response.prev_kvs] == [b"a", b"b"]
    assert [(event.key, event.revision) for event in done.events] == [(b"a", 5), (b"b", 5)]
    assert values(run(store, get(b"\0", b"\0"))) == {b"c": b"c"}
    assert store.key_count == 1


def two_events(store: Store) -> list[Event]:
    return [*store.put(put(b"a", b"1")).events, *written(store.delete_range(delete(b"a"))).events]


def test_events_carry_the_key_value_and_the_one_before() -> None:
    created, deleted = two_events(new_store())
    assert created.kv == KeyValue(key=b"a", create_revision=2, mod_revision=2, version=1, value=b"1")
    assert created.prev_kv is None
    assert deleted.kv == KeyValue(key=b"a", mod_revision=3)
    assert deleted.prev_kv == created.kv


def test_size_in_use_grows_with_every_version() -> None:
    store = new_store()
    assert store.size_in_use == 0
    run(store, put(b"a", b"x" * 100))
    one = store.size_in_use
    assert one > 100
    run(store, delete(b"a"))
    assert store.size_in_use > one
