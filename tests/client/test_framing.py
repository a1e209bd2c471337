from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raftkv.client.framing import GoAwayFilter, MessageError, MessageReader, frame_message


def frame(kind: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes([kind, 0]) + (1).to_bytes(4) + payload


GOAWAY = frame(7, (5).to_bytes(4) + (11).to_bytes(4) + b"too_many_pings")


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(places)]


@settings(max_examples=100)
@given(messages=st.lists(st.binary(max_size=30), max_size=5), cuts=st.lists(st.integers(min_value=0), max_size=5))
def test_messages_come_out_as_they_went_in_however_they_are_cut(messages: list[bytes], cuts: list[int]) -> None:
    reader = MessageReader(30)
    data = b"".join(frame_message(message) for message in messages)
    assert [message for piece in pieces(data, cuts) for message in reader.feed(piece)] == messages
    assert reader.empty


def test_message_above_the_limit_is_refused_at_its_head() -> None:
    with pytest.raises(MessageError, match="11 bytes is longer than max_message_bytes=10"):
        MessageReader(10).feed(frame_message(b"x" * 11)[:5])


def test_compressed_message_is_refused() -> None:
    with pytest.raises(MessageError, match="compressed"):
        MessageReader(10).feed(b"\x01" + frame_message(b"x")[1:])


@settings(max_examples=200)
@given(
    before=st.lists(st.binary(max_size=20), max_size=3),
    after=st.lists(st.binary(max_size=20), max_size=3),
    cuts=st.lists(st.integers(min_value=0), max_size=8),
)
def test_goaway_is_taken_out_and_all_else_passes_however_it_is_cut(
    before: list[bytes], after: list[bytes], cuts: list[int]
) -> None:
    first, last = (b"".join(frame(0, payload) for payload in part) for part in (before, after))
    goaway_filter = GoAwayFilter()
    fed = [goaway_filter.feed(piece) for piece in pieces(first + GOAWAY + last, cuts)]
    assert b"".join(passed for passed, _ in fed) == first + last
    assert [goaway for _, found in fed for goaway in found] == [(5, 11, b"too_many_pings")]


def test_frame_too_long_to_be_a_goaway_passes_for_h2_to_complain() -> None:
    data = frame(7, bytes(16_384))
    assert GoAwayFilter().feed(data) == (data, [])
