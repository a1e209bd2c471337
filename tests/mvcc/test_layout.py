from hypothesis import given
from hypothesis import strategies as st

from raftkv.mvcc.layout import Progress, bounds, escape, key_of, pack_revision, revision_of, versions_of

KEYS = st.lists(st.sampled_from([b"\0", b"\1", b"a", b"\xfe", b"\xff"]), min_size=1, max_size=4).map(b"".join)
REVISIONS = st.tuples(st.integers(0, 300), st.integers(0, 300))


@given(one=KEYS, other=KEYS, first=REVISIONS, second=REVISIONS)
def test_history_rows_sort_by_key_and_then_by_revision(
    one: bytes, other: bytes, first: tuple[int, int], second: tuple[int, int]
) -> None:
    rows = versions_of(one) + pack_revision(*first), versions_of(other) + pack_revision(*second)
    assert (rows[0] < rows[1]) == ((one, first) < (other, second))


@given(key=KEYS, revision=REVISIONS)
def test_history_row_reads_back(key: bytes, revision: tuple[int, int]) -> None:
    row = versions_of(key) + pack_revision(*revision)
    assert (key_of(row), revision_of(row)) == (key, revision)


@given(key=KEYS, bound=KEYS, revision=REVISIONS)
def test_escaped_bound_divides_history_as_it_divides_keys(key: bytes, bound: bytes, revision: tuple[int, int]) -> None:
    assert (versions_of(key) + pack_revision(*revision) < escape(bound)) == (key < bound)


def test_range_end_has_three_meanings() -> None:
    assert bounds(b"a", b"") == (b"a", b"a\0")
    assert bounds(b"a", b"\0") == (b"a", None)
    assert bounds(b"a", b"b") == (b"a", b"b")


def test_progress_reads_back() -> None:
    progress = Progress(7, -1, 5, -1, 1 << 40, 3)
    assert Progress.decode(progress.encode()) == progress
