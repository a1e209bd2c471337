import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raftkv.mvcc import index as index_module
from raftkv.mvcc.index import KeyIndex

KEYS = st.binary(max_size=3)
ENDS = st.none() | KEYS
CHANGES = st.lists(st.tuples(st.just("add"), KEYS, ENDS) | st.tuples(st.just("clear"), KEYS, ENDS), max_size=60)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "CHUNK", 3)


def change(index: KeyIndex, plain: set[bytes], step: tuple[str, bytes, bytes | None]) -> None:
    name, first, end = step
    if name == "clear":
        index.clear(first, end)
        plain -= within(plain, first, end)
    elif first not in plain:
        index.add(first)
        plain.add(first)


def within(plain: set[bytes], first: bytes, end: bytes | None) -> set[bytes]:
    return {key for key in plain if key >= first and (end is None or key < end)}


def check(index: KeyIndex) -> None:
    assert all(index._chunks)
    assert index._lasts == [chunk[-1] for chunk in index._chunks]
    assert len(index._own) == len(index._chunks)


def assert_equal(index: KeyIndex, plain: set[bytes]) -> None:
    check(index)
    assert list(index.keys(b"", None)) == sorted(plain)
    assert len(index) == len(plain)


@settings(max_examples=150)
@given(loaded=st.sets(KEYS), changes=CHANGES, asked=st.lists(st.tuples(KEYS, ENDS), max_size=5))
def test_index_answers_as_a_plain_set_does(
    loaded: set[bytes], changes: list[tuple[str, bytes, bytes | None]], asked: list[tuple[bytes, bytes | None]]
) -> None:
    index, plain = KeyIndex(), set(loaded)
    index.extend(sorted(loaded))
    for step in changes:
        change(index, plain, step)
        check(index)
    assert_equal(index, plain)
    for first, end in asked:
        expected = sorted(within(plain, first, end))
        assert index.count(first, end) == len(expected)
        assert list(index.keys(first, end)) == expected
        assert list(index.keys(first, end, reverse=True)) == expected[::-1]
        assert (first in index) == (first in plain)


@settings(max_examples=100)
@given(loaded=st.sets(KEYS), changes=CHANGES, later=CHANGES)
def test_frozen_twins_do_not_reach_each_other(
    loaded: set[bytes], changes: list[tuple[str, bytes, bytes | None]], later: list[tuple[str, bytes, bytes | None]]
) -> None:
    index, plain = KeyIndex(), set(loaded)
    index.extend(sorted(loaded))
    twin, twin_plain = index.frozen(), set(plain)
    for step in changes:
        change(index, plain, step)
        assert_equal(twin, twin_plain)
    for step in later:
        change(twin, twin_plain, step)
        assert_equal(index, plain)
    assert_equal(twin, twin_plain)
