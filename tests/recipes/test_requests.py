"""The requests that recipes are made of."""

import pytest

from raftkv.recipes.requests import ALL_KEYS, prefix_end


@pytest.mark.parametrize(
    ("prefix", "end"),
    [(b"a", b"b"), (b"a\xff", b"b"), (b"a\xff\xff", b"b"), (b"a\xfe", b"a\xff"), (b"\xff", ALL_KEYS), (b"", ALL_KEYS)],
)
def test_the_end_of_a_prefix_is_the_first_key_behind_it(prefix: bytes, end: bytes) -> None:
    assert prefix_end(prefix) == end
