from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raftkv.errors import InvalidArgumentError
from raftkv.mvcc import finish
from raftkv.pb import rpc
from raftkv.pb.kv import KeyValue
from raftkv.rpc.method import Call
from raftkv.ui.keys import MAX_READ_BYTES, KeysView, children, kept_versions
from raftkv.ui.lines import holding, line_of
from raftkv.ui.question import Gate, Parameters, encoded, prefix_end
from tests.mvcc.making import delete, new_store, put


class Local:
    """As much of a replica as looks at its own state."""

    def __init__(self) -> None:
        self.store = new_store()

    async def read_local(self, work: Any) -> Any:
        return work()


def view(local: Local) -> KeysView:
    gate = SimpleNamespace(check_range=lambda *_: None)
    return KeysView(cast("Any", local), cast("Gate", gate))


async def listed(local: Local, **query: str) -> tuple[list[tuple[str, int]], bool]:
    answer = await view(local).children(Call("/ui"), Parameters(query))
    rows = [(row["key"], row["count"] if row["folder"] else -1) for row in answer["rows"]]
    return rows, answer["more"]


def b64(key: bytes) -> str:
    return encoded(key)


async def test_a_page_has_folders_with_their_counts_and_keys() -> None:
    local = Local()
    for key in (b"a", b"a/", b"a/1", b"a/2/x", b"b", b"c/\xff", b"\x00"):
        local.store.put(put(key))
    rows, more = await listed(local)
    assert rows == [(b64(b"\x00"), -1), (b64(b"a"), -1), (b64(b"a/"), 3), (b64(b"b"), -1), (b64(b"c/"), 1)]
    assert not more
    inner, _ = await listed(local, prefix=b64(b"a/"))
    assert inner == [(b64(b"a/"), -1), (b64(b"a/1"), -1), (b64(b"a/2/"), 1)]


async def test_pages_go_on_after_the_last_row_whether_folder_or_key() -> None:
    local = Local()
    for key in (b"a/1", b"a/2", b"b", b"b/1", b"c"):
        local.store.put(put(key))
    found, after = [], ""
    for _ in range(10):
        rows, more = await listed(local, limit="1", after=after)
        found += rows
        after = rows[-1][0].replace("+", "-").replace("/", "_")
        if not more:
            break
    assert found == [(b64(b"a/"), 2), (b64(b"b"), -1), (b64(b"b/"), 1), (b64(b"c"), -1)]


async def test_a_page_ends_where_values_are_large() -> None:
    local = Local()
    for number in range(5):
        local.store.put(put(b"%d" % number, bytes(MAX_READ_BYTES // 2)))
    rows, more = await listed(local)
    assert (len(rows), more) == (3, True)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.binary(min_size=1, max_size=4).map(lambda key: key.replace(b"\x01", b"/")), max_size=30), st.binary(max_size=1)
)
def test_children_are_those_that_a_look_at_all_keys_finds(keys: list[bytes], prefix: bytes) -> None:
    store = new_store()
    for key in set(keys):
        store.put(put(key))
    end = prefix_end(prefix)
    found = [child for child, _ in children(store.sight(), prefix, b"", None if end == b"\0" else end)]
    expected = {key[: key.find(b"/", len(prefix)) + 1] or key for key in keys if key.startswith(prefix)}
    assert found == sorted(expected)


async def test_a_history_has_every_version_until_it_was_compacted() -> None:
    local = Local()
    local.store.put(put(b"k", b"1"))  # revision 2
    local.store.put(put(b"k", b"2"))
    finish(local.store.delete_range(delete(b"k")))
    local.store.put(put(b"k\0", b"another"))
    local.store.put(put(b"k", b"3"))
    query = {"key": b64(b"k")}
    answer = await view(local).history(Call("/ui"), Parameters(query))
    assert [(one["revision"], one["deleted"], one.get("version")) for one in answer["versions"]] == [
        (6, False, 1),
        (4, True, None),
        (3, False, 2),
        (2, False, 1),
    ]
    older = await view(local).history(Call("/ui"), Parameters({**query, "before": "4", "limit": "1"}))
    assert ([one["revision"] for one in older["versions"]], older["more"]) == ([3], True)
    local.store.compact(rpc.CompactionRequest(revision=3))
    compacted = await view(local).history(Call("/ui"), Parameters(query))
    assert ([one["revision"] for one in compacted["versions"]], compacted["compacted"]) == ([6, 4, 3], 3)


def test_of_what_was_compacted_a_deletion_is_not_told() -> None:
    store = new_store()
    store.put(put(b"k"))
    finish(store.delete_range(delete(b"k")))
    assert list(kept_versions(store.sight(), b"k", 100, 3)) == []


def test_the_end_of_a_prefix() -> None:
    assert prefix_end(b"a") == b"b"
    assert prefix_end(b"a\xff\xff") == b"b"
    assert prefix_end(b"\xff") == b"\0"
    assert prefix_end(b"") == b"\0"


def test_parameters_that_cannot_be_are_refused() -> None:
    parameters = Parameters({"key": "%%", "offset": "-1", "limit": "99999", "many": "1" * 30})
    for wrong in (
        lambda: parameters.data("key"),
        lambda: parameters.number("offset", 0, most=9),
        lambda: parameters.number("many", 0, most=9),
    ):
        with pytest.raises(InvalidArgumentError):
            wrong()
    assert parameters.limit() == 200
    assert Parameters({"key": "_-8"}).data("key") == b"\xff\xef"


# --- lines --------------------------------------------------------------------------------------------------------------


def test_lines_are_known_by_the_leases_in_their_keys() -> None:
    assert line_of(b"jobs/lock/ab12", 0xAB12) == (b"jobs/lock/", "lock")
    assert line_of(b"lock/ab12-2", 0xAB12) == (b"lock/", "lock")
    assert line_of(b"data/read/ab12", 0xAB12) == (b"data/", "read-write lock")
    assert line_of(b"gate/held/ab12", 0xAB12) == (b"gate/", "semaphore")
    assert line_of(b"read/ab12", 0xAB12) == (b"read/", "lock")  # a lock of that name
    assert line_of(b"jobs/members/node-7", 0xAB12) is None
    assert line_of(b"ab12", 0xAB12) is None


def entry(key: bytes) -> KeyValue:
    return KeyValue(key=key)


def test_who_holds_depends_on_the_kind_and_the_order() -> None:
    line = [entry(b"l/1"), entry(b"l/2")]
    assert holding("lock", b"l/", line) == {b"l/1"}
    readers = [entry(b"l/read/1"), entry(b"l/read/2"), entry(b"l/write/3"), entry(b"l/read/4")]
    assert holding("read-write lock", b"l/", readers) == {b"l/read/1", b"l/read/2"}
    assert holding("read-write lock", b"l/", readers[2:]) == {b"l/write/3"}
    assert holding("semaphore", b"l/", [entry(b"l/line/1"), entry(b"l/held/2")]) == {b"l/held/2"}
    assert holding("queue", b"l/", [entry(b"l/line/1")]) == set()
    assert holding("lock", b"l/", []) == set()
