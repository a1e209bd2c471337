import random

import hpack as oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raftkv.http2 import hpack
from raftkv.http2.hpack import Decoder, Field
from raftkv.http2.violation import CompressionError

NAMES = st.sampled_from([":path", ":status", "content-type", "grpc-timeout", "x-a", "x-b", "cookie", "te"])
VALUES = st.one_of(st.sampled_from(["", "200", "application/grpc", "trailers", "é"]), st.text("ab~\x00ÿ", max_size=300))
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=12)


def as_bytes(fields: list[Field]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.tuples(FIELDS, st.booleans(), st.integers(0, 4096)), max_size=12))
def test_blocks_of_another_encoder_decode_to_its_fields(blocks: list[tuple[list[Field], bool, int]]) -> None:
    encoder, decoder = oracle.Encoder(), Decoder()
    for fields, huffman, table_size in blocks:
        encoder.header_table_size = table_size
        assert decoder.decode(encoder.encode(as_bytes(fields), huffman=huffman)) == fields


@settings(max_examples=60, deadline=None, derandomize=True)
@given(FIELDS)
def test_what_is_encoded_is_read_by_another_decoder(fields: list[Field]) -> None:
    decoded = oracle.Decoder().decode(hpack.encode(fields), raw=True)
    assert [(name, value) for name, value in decoded] == as_bytes(fields)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.binary(max_size=40), max_size=4))
def test_any_bytes_decode_or_are_refused_and_the_table_stays_within_its_size(blocks: list[bytes]) -> None:
    decoder = Decoder()
    for block in blocks:
        try:
            decoder.decode(block)
        except CompressionError:
            return
        assert decoder._size == sum(len(name) + len(value) + 32 for name, value in decoder._table)
        assert 0 <= decoder._size <= decoder._max_size <= 4096


def test_mutated_blocks_decode_as_the_oracle_decodes_them() -> None:
    chance = random.Random(7)
    for _ in range(300):
        encoder, ours, theirs = oracle.Encoder(), Decoder(), oracle.Decoder()
        for _ in range(4):
            fields = [(chance.choice(["x-a", ":path", "te"]), chance.choice(["1", "/a", "trailers"])) for _ in range(4)]
            block = bytearray(encoder.encode(fields))
            if chance.random() < 0.5:
                block[chance.randrange(len(block))] = chance.randrange(256)
            try:
                expected = theirs.decode(bytes(block), raw=True)
            except (oracle.HPACKError, IndexError):
                with pytest.raises(CompressionError):
                    ours.decode(bytes(block))
                break
            assert as_bytes(ours.decode(bytes(block))) == [(name, value) for name, value in expected]


# RFC 7541, appendix C.4: requests with Huffman coding, one after the other on a connection.
APPENDIX_C4 = (
    (
        "828684418cf1e3c2e5f23a6ba0ab90f4ff",
        [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com")],
    ),
    (
        "828684be5886a8eb10649cbf",
        [
            (":method", "GET"),
            (":scheme", "http"),
            (":path", "/"),
            (":authority", "www.example.com"),
            ("cache-control", "no-cache"),
        ],
    ),
    (
        "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
        [
            (":method", "GET"),
            (":scheme", "https"),
            (":path", "/index.html"),
            (":authority", "www.example.com"),
            ("custom-key", "custom-value"),
        ],
    ),
)


def test_rfc7541_appendix_c4_decodes_as_printed() -> None:
    decoder = Decoder()
    for block, fields in APPENDIX_C4:
        assert decoder.decode(bytes.fromhex(block)) == fields
    assert decoder._size == 164


@pytest.mark.parametrize(
    ("block", "why"),
    [
        (b"\x80", "6.1: index 0"),
        (b"\xbe", "2.3.3: index 62 of an empty table"),
        (b"\xff\xff\xff\xff\xff\x0f", "5.1: an index that is too large"),
        (b"\xff\x80\x80\x80\x80\x80\x80\x00", "5.1: an integer that is too long"),
        (b"\xff", "5.1: an integer that ends early"),
        (b"\x40", "6.2: a literal without a name"),
        (b"\x40\x03ab", "5.2: a string that ends early"),
        (b"\x7f\x00\x01a", "6.2: a name index beyond the tables"),
        (b"\x82\x20", "4.2: a table size update after a field"),
        (b"\x3f\xe2\x1f", "4.2: a table of 4097 bytes"),
        (b"\x20\x20\x20", "4.2: three updates in a row"),
    ],
)
def test_rfc7541_bad_blocks_are_refused(block: bytes, why: str) -> None:
    with pytest.raises(CompressionError):
        Decoder().decode(block)


def test_rfc7541_4_4_an_entry_above_the_table_size_empties_it() -> None:
    decoder = Decoder()
    decoder.decode(oracle.Encoder().encode([("x-small", "1")]))
    large = "v" * 5000
    block = b"\x40\x07x-large" + bytes.fromhex("7f") + bytes([(5000 - 127) & 0x7F | 0x80, (5000 - 127) >> 7]) + large.encode()
    assert decoder.decode(block) == [("x-large", large)]
    assert decoder._table == []
    assert decoder._size == 0


def test_equal_blocks_without_insertions_leave_the_table_alone() -> None:
    encoder, decoder = oracle.Encoder(), Decoder()
    fields = [(":path", "/a"), ("x-b", "c")]
    decoder.decode(encoder.encode(fields))
    changes = decoder.changes
    decoder.decode(encoder.encode(fields))
    assert decoder.changes == changes
