"""The clever against the plain."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from raftkv.watch.interest import Index, Interest
from raftkv.watch.intervals import Intervals

KEYS = st.binary(max_size=3)
RANGES = st.tuples(KEYS, st.one_of(st.none(), KEYS))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(RANGES, st.booleans()), max_size=40), st.lists(KEYS, max_size=10))
def test_finds_what_a_list_would_find(changes: list[tuple[tuple[bytes, bytes | None], bool]], keys: list[bytes]) -> None:
    intervals: Intervals[int] = Intervals(random.Random(1))
    plain: list[tuple[bytes, bytes | None, int]] = []
    for number, ((first, end), remove) in enumerate(changes):
        if remove and plain:
            intervals.remove(*plain.pop(number % len(plain)))
        else:
            intervals.add(first, end, number)
            plain.append((first, end, number))
    assert len(intervals) == len({(first, end) for first, end, _ in plain})
    for key in keys:
        found: list[int] = []
        intervals.find(key, found)
        assert sorted(found) == sorted(n for first, end, n in plain if first <= key and (end is None or key < end))


def test_a_key_is_found_among_many_ranges_without_looking_at_them_all() -> None:
    intervals: Intervals[int] = Intervals(random.Random(1))
    for number in range(10_000):
        intervals.add(b"%05d/" % number, b"%05d0" % number, number)
    found: list[int] = []
    intervals.find(b"04711/x", found)
    assert found == [4711]
    assert _depth(intervals._root) < 60


def test_index_knows_keys_prefixes_and_everything() -> None:
    index: Index[str] = Index(random.Random(1))
    interests = {
        "key": Interest(b"a/b", b""),
        "prefix": Interest(b"a/", b"a0"),
        "rest": Interest(b"a/b", b"\0"),
        "all": Interest(b"\0", b"\0"),
        "other": Interest(b"a/c", b""),
    }
    for name, interest in interests.items():
        index.add(interest, name)
    assert sorted(index.match(b"a/b")) == ["all", "key", "prefix", "rest"]
    assert sorted(index.match(b"a/a")) == ["all", "prefix"]
    for name, interest in interests.items():
        index.remove(interest, name)
    assert not index.match(b"a/b")


def _depth(node: object) -> int:
    return 0 if node is None else 1 + max(_depth(node.left), _depth(node.right))  # type: ignore[attr-defined]  # a node
