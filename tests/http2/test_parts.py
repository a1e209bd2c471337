"""The small parts of the server, each by itself."""

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raftkv.errors import Code, MalformedRequestError, MessageTooLargeError
from raftkv.http2 import hpack
from raftkv.http2.framing import GZIP, MessageReader, decompress, framed
from raftkv.http2.guard import PingGuard, TokenBucket
from raftkv.http2.metadata import parse_timeout
from raftkv.http2.status import MAX_TEXT, StatusBlocks, encode_text, trailers
from raftkv.http2.stream_ids import MAX_REMEMBERED, StreamIds
from raftkv.http2.violation import ConnectionProtocolError

# --- messages -------------------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.binary(max_size=40), max_size=6), st.lists(st.integers(0, 300), max_size=8), st.booleans())
def test_messages_come_out_however_the_data_is_cut(messages: list[bytes], cuts: list[int], packed: bool) -> None:  # noqa: FBT001 - hypothesis fills it in
    sent = b"".join(b"\1" + framed(gzip.compress(message))[1:] if packed else framed(message) for message in messages)
    reader = MessageReader(1000, GZIP)
    found, at = [], 0
    for cut in [*sorted(cuts), len(sent)]:
        found += reader.feed(sent[at : max(at, cut)])
        at = max(at, min(cut, len(sent)))
    reader.finish()
    assert found == messages
    assert reader.buffered == 0


def test_a_message_is_refused_by_its_length_before_it_comes() -> None:
    with pytest.raises(MessageTooLargeError, match=r"\(1001 vs\. 1000\)"):
        MessageReader(1000).feed(b"\0\0\0\x03\xe9")


def test_a_stream_may_not_end_inside_a_message() -> None:
    reader = MessageReader(1000)
    reader.feed(b"\0\0\0\0\2x")
    with pytest.raises(MalformedRequestError):
        reader.finish()


@pytest.mark.parametrize("size", [0, 1, 999, 1000])
def test_decompression_up_to_the_limit_is_whole(size: int) -> None:
    assert decompress(gzip.compress(bytes(size)), 1000) == bytes(size)


def test_decompression_stops_at_the_limit() -> None:
    with pytest.raises(MessageTooLargeError):
        decompress(gzip.compress(bytes(1 << 24)), 1000)
    with pytest.raises(MessageTooLargeError):
        decompress(gzip.compress(bytes(600)) * 2, 1000)


# --- words and numbers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1H", 3600.0), ("2M", 120.0), ("99999999S", 99_999_999.0), ("250m", 0.25), ("100u", 1e-4), ("1000n", 1e-6), ("0S", 0.0)],
)
def test_timeouts_have_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert parse_timeout(text) == pytest.approx(seconds)


def test_texts_of_errors_travel_in_percent_signs() -> None:
    assert encode_text("100 % für\n~") == "100 %25 f%C3%BCr%0A~"
    assert len(encode_text("x" * 10_000)) == MAX_TEXT


def test_an_error_is_one_block_made_once() -> None:
    blocks = StatusBlocks((("raftkv-version", "1"),))
    block = blocks.error(Code.NOT_FOUND, "gone")
    assert block is blocks.error(Code.NOT_FOUND, "gone")
    assert hpack.Decoder().decode(block) == [
        (":status", "200"),
        ("content-type", "application/grpc"),
        ("raftkv-version", "1"),
        ("grpc-status", "5"),
        ("grpc-message", "gone"),
    ]
    assert hpack.Decoder().decode(trailers(Code.OK, "")) == [("grpc-status", "0")]


# --- limits ---------------------------------------------------------------------------------------------------------


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    bucket = TokenBucket(burst=3, per_second=2, now=0.0)
    assert [bucket.take(0.0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(0.5) for _ in range(2)] == [True, False]
    assert [bucket.take(1000.0) for _ in range(4)] == [True, True, True, False]


def test_the_third_strike_ends_a_connection() -> None:
    guard = PingGuard(interval=5.0, permit_without_calls=True)
    assert [guard.allow(traffic=False, calls=1, now=now) for now in (0.0, 1.0, 2.0, 3.0)] == [True, True, True, False]


def test_traffic_forgives_all_strikes() -> None:
    guard = PingGuard(interval=5.0, permit_without_calls=True)
    for now in (0.0, 1.0, 2.0):
        guard.allow(traffic=False, calls=1, now=now)
    assert guard.allow(traffic=True, calls=1, now=3.0)
    assert [guard.allow(traffic=False, calls=1, now=now) for now in (4.0, 5.0, 6.0)] == [True, True, False]


def test_stream_ids_tell_late_frames_from_violations() -> None:
    ids = StreamIds()
    ids.open(1)
    ids.open(7)
    assert ids.end_early(1)
    assert not ids.end_early(1)
    ids.check_late(1)
    ids.check_used(7)
    for stream_id in (0, 2, 3, 5, 9):
        with pytest.raises(ConnectionProtocolError, match="not open"):
            ids.check_used(stream_id)
    with pytest.raises(ConnectionProtocolError, match="closed"):
        ids.check_late(7)


def test_what_is_remembered_of_streams_is_limited() -> None:
    ids = StreamIds()
    ids.open((1 << 31) - 1)
    assert len(ids._skipped) == MAX_REMEMBERED
    for stream_id in range(1, 4 * MAX_REMEMBERED, 2):
        ids.end_early(stream_id)
    assert len(ids._ended_early) == MAX_REMEMBERED
