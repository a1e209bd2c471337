from typing import Any

import pytest

from raftkv.errors import CompactedError, FutureRevisionError
from raftkv.mvcc import Store
from raftkv.pb.rpc import RangeRequest
from tests.mvcc.making import compact, delete, get, keys, new_store, put, run

KEY, VERSION, CREATE, MOD, VALUE = (
    RangeRequest.KEY,
    RangeRequest.VERSION,
    RangeRequest.CREATE,
    RangeRequest.MOD,
    RangeRequest.VALUE,
)
ASCEND, DESCEND = RangeRequest.ASCEND, RangeRequest.DESCEND


@pytest.fixture
def store() -> Store:
    """Keys a..e made at revisions 2..6 with values 9..5, then a changed at 7."""
    store = new_store()
    for number, key in enumerate((b"a", b"b", b"c", b"d", b"e")):
        run(store, put(key, b"%d" % (9 - number)))
    run(store, put(b"a", b"0"))
    return store


@pytest.mark.parametrize(
    ("key", "end", "expected"),
    [
        (b"c", b"", b"c"),
        (b"x", b"", b""),
        (b"b", b"d", b"bc"),
        (b"b", b"\0", b"bcde"),
        (b"\0", b"\0", b"abcde"),
        (b"d", b"b", b""),
        (b"b", b"b", b""),
    ],
    ids=str,
)
def test_range_end_chooses_keys(store: Store, key: bytes, end: bytes, expected: bytes) -> None:
    response = run(store, get(key, end))
    assert b"".join(keys(response)) == expected
    assert (response.count, response.more, response.header.revision) == (len(expected), False, 7)


def test_prefix_that_ends_in_ff_has_its_own_end() -> None:
    store = new_store()
    for key in (b"a\xff", b"a\xff\xff", b"a\xffz", b"b", b"\xff", b"\xff\xff"):
        run(store, put(key))
    assert keys(run(store, get(b"a\xff", b"b"))) == [b"a\xff", b"a\xffz", b"a\xff\xff"]
    assert keys(run(store, get(b"\xff", b"\0"))) == [b"\xff", b"\xff\xff"]


def test_key_and_its_extensions_are_different_keys() -> None:
    store = new_store()
    for key in (b"a", b"a\0", b"a\0\0", b"ab"):
        run(store, put(key, key))
    for key in (b"a", b"a\0", b"a\0\0", b"ab"):
        assert run(store, get(key)).kvs[0].value == key
        assert run(store, get(key, revision=5)).kvs[0].value == key


@pytest.mark.parametrize(
    ("options", "expected", "more"),
    [
        ({}, "abcde", False),
        ({"limit": 5}, "abcde", False),
        ({"limit": 2}, "ab", True),
        ({"limit": -1}, "abcde", False),
        ({"limit": 2, "sort_order": DESCEND}, "ed", True),
        ({"sort_order": DESCEND}, "edcba", False),
        ({"sort_target": MOD}, "bcdea", False),
        ({"sort_target": MOD, "sort_order": DESCEND}, "aedcb", False),
        ({"sort_target": MOD, "sort_order": ASCEND, "limit": 2}, "bc", True),
        ({"sort_target": MOD, "limit": 2}, "bc", True),
        ({"sort_target": VALUE}, "aedcb", False),
        ({"sort_target": VALUE, "limit": 2}, "ac", True),
        ({"sort_target": VALUE, "sort_order": ASCEND, "limit": 2}, "ae", True),
        ({"sort_target": VERSION, "sort_order": DESCEND}, "abcde", False),
        ({"sort_target": CREATE, "sort_order": DESCEND, "limit": 1}, "e", True),
        ({"min_mod_revision": 5}, "ade", False),
        ({"max_mod_revision": 5}, "bcd", False),
        ({"min_create_revision": 5}, "de", False),
        ({"max_create_revision": 3}, "ab", False),
        ({"max_mod_revision": -4}, "", False),
        ({"min_mod_revision": 4, "limit": 1}, "a", True),
        ({"min_mod_revision": 4, "limit": 4}, "acde", False),
        ({"min_mod_revision": 4, "sort_target": VALUE, "limit": 2}, "ae", True),
    ],
    ids=str,
)
def test_order_limit_and_filters(store: Store, options: Any, expected: str, *, more: bool) -> None:
    response = run(store, get(b"a", b"z", **options))
    assert b"".join(keys(response)).decode() == expected
    assert response.more == more
    assert response.count == 5
    run(store, put(b"a", b"later"))
    run(store, delete(b"b", b"d"))
    at_old_revision = run(store, get(b"a", b"z", revision=7, **options))
    assert (at_old_revision.kvs, at_old_revision.more, at_old_revision.count) == (response.kvs, response.more, 5)


def test_filters_count_for_a_single_key(store: Store) -> None:
    response = run(store, get(b"a", min_mod_revision=8))
    assert (keys(response), response.count) == ([], 1)


def test_keys_only_leaves_the_rest(store: Store) -> None:
    response = run(store, get(b"a", b"c", keys_only=True, sort_target=VALUE))
    assert [(kv.key, kv.value, kv.mod_revision) for kv in response.kvs] == [(b"a", b"", 7), (b"b", b"", 3)]
    assert run(store, get(b"a", keys_only=True)).kvs[0].value == b""


def test_count_only_has_no_rows_and_knows_no_limit(store: Store) -> None:
    for options in ({}, {"limit": 2}, {"revision": 4}):
        response = run(store, get(b"a", b"z", count_only=True, **options))
        assert (len(response.kvs), response.more) == (0, False)
        assert response.count == (3 if "revision" in options else 5)


def test_old_revision_shows_what_was(store: Store) -> None:
    run(store, delete(b"b", b"d"))
    run(store, put(b"b", b"new"))
    response = run(store, get(b"a", b"z", revision=7))
    assert (b"".join(keys(response)), response.count, response.header.revision) == (b"abcde", 5, 9)
    assert b"".join(keys(run(store, get(b"a", b"z", revision=8)))) == b"ade"
    assert b"".join(keys(run(store, get(b"a", b"z", revision=3, sort_order=DESCEND)))) == b"ba"
    assert run(store, get(b"a", revision=6)).kvs[0].value == b"9"
    assert run(store, get(b"c", revision=3)).count == 0


def test_limit_at_an_old_revision_still_counts_all(store: Store) -> None:
    run(store, delete(b"b", b"d"))
    response = run(store, get(b"a", b"z", revision=6, limit=2))
    assert (keys(response), response.count, response.more) == ([b"a", b"b"], 5, True)


def test_revision_bounds(store: Store) -> None:
    with pytest.raises(FutureRevisionError, match="required revision is a future revision"):
        run(store, get(b"a", revision=8))
    compact(store, 5)
    with pytest.raises(CompactedError, match="required revision has been compacted"):
        run(store, get(b"a", b"z", revision=4))
    assert run(store, get(b"a", revision=5)).kvs[0].value == b"9"
    assert run(store, get(b"a", revision=-3)).kvs[0].value == b"0"
