import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raftkv.client.request import as_bytes, delete_request, key_range, prefix_end, put_request, range_request
from raftkv.pb import rpc


def test_text_is_utf8_and_bytes_stay_bytes() -> None:
    assert as_bytes("ä") == b"\xc3\xa4"
    assert as_bytes(b"\xff") == b"\xff"


@pytest.mark.parametrize("wrong", [1, None, 1.5, ["x"]])
def test_other_types_are_no_keys_nor_values(wrong: object) -> None:
    with pytest.raises(TypeError, match="str or bytes"):
        as_bytes(wrong)  # type: ignore[arg-type]  # what untyped callers do


@pytest.mark.parametrize(
    ("prefix", "end"),
    [(b"a", b"b"), (b"a\xff", b"b"), (b"a\xff\xff", b"b"), (b"\xff", b"\x00"), (b"", b"\x00"), (b"a\x00", b"a\x01")],
)
def test_prefix_ends_at_the_next_key_that_is_not_in_it(prefix: bytes, end: bytes) -> None:
    assert prefix_end(prefix) == end


@settings(max_examples=100)
@given(prefix=st.binary(min_size=1, max_size=4), key=st.binary(min_size=1, max_size=6))
def test_range_of_a_prefix_holds_the_keys_that_start_with_it_and_no_others(prefix: bytes, key: bytes) -> None:
    first, end = key_range(prefix, prefix=True)
    assert (first <= key and (end == b"\x00" or key < end)) == key.startswith(prefix)


def test_one_key_has_no_end() -> None:
    assert key_range("k") == (b"k", b"")
    assert key_range("k", "m") == (b"k", b"m")


def test_empty_prefix_and_empty_first_key_mean_all_keys() -> None:
    assert key_range("", prefix=True) == (b"\x00", b"\x00")
    assert key_range("", from_key=True) == (b"\x00", b"\x00")
    assert key_range("k", from_key=True) == (b"k", b"\x00")


def test_two_kinds_of_range_at_once_are_refused() -> None:
    with pytest.raises(ValueError, match="exclude each other"):
        key_range("k", prefix=True, from_key=True)
    with pytest.raises(ValueError, match="exclude each other"):
        key_range("k", "m", prefix=True)


def test_sorting_without_an_order_ascends() -> None:
    assert range_request("k", prefix=True, sort_by="mod").sort_order == rpc.RangeRequest.ASCEND
    assert range_request("k", prefix=True).sort_order == rpc.RangeRequest.NONE


def test_unknown_order_or_target_is_refused_before_it_is_sent() -> None:
    with pytest.raises(ValueError, match="order is one of"):
        range_request("k", order="down")  # type: ignore[arg-type]  # what untyped callers do
    with pytest.raises(ValueError, match="sort_by one of"):
        range_request("k", sort_by="size")  # type: ignore[arg-type]  # what untyped callers do


def test_every_option_reaches_its_field() -> None:
    assert range_request(
        "a", "b", limit=1, revision=2, order="descend", sort_by="value", serializable=True, keys_only=True, count_only=True,
        min_mod_revision=3, max_mod_revision=4, min_create_revision=5, max_create_revision=6,
    ) == rpc.RangeRequest(
        key=b"a", range_end=b"b", limit=1, revision=2, sort_order=rpc.RangeRequest.DESCEND, sort_target=rpc.RangeRequest.VALUE,
        serializable=True, keys_only=True, count_only=True,
        min_mod_revision=3, max_mod_revision=4, min_create_revision=5, max_create_revision=6,
    )  # fmt: skip
    assert put_request("k", "v", lease=7, prev_kv=True, ignore_value=True, ignore_lease=True) == rpc.PutRequest(
        key=b"k", value=b"v", lease=7, prev_kv=True, ignore_value=True, ignore_lease=True
    )
    assert delete_request("k", prefix=True, prev_kv=True) == rpc.DeleteRangeRequest(key=b"k", range_end=b"l", prev_kv=True)
