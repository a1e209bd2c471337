import pytest
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hpack.huffman_table import decode_huffman
from hypothesis import given, settings
from hypothesis import strategies as st

from raftkv.http2 import huffman
from raftkv.http2.violation import CompressionError


def test_the_code_is_the_one_of_appendix_b() -> None:
    assert list(huffman.CODE_LENGTHS) == list(REQUEST_CODES_LENGTH)
    assert list(REQUEST_CODES) == huffman._CODES


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.binary(max_size=64))
def test_what_is_encoded_decodes_to_itself(octets: bytes) -> None:
    coded = huffman.encode(octets)
    assert huffman.decode(coded) == octets
    assert decode_huffman(coded) == octets


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=24))
def test_any_bytes_decode_as_the_oracle_decodes_them_or_are_refused(data: bytes) -> None:
    try:
        octets = huffman.decode(data)
    except CompressionError:
        return
    assert decode_huffman(data) == octets
    assert huffman.encode(octets) == data


def test_every_octet_has_a_code_of_its_own() -> None:
    octets = bytes(range(256))
    assert huffman.decode(huffman.encode(octets)) == octets


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\xff\xff\xff\xff", "the end-of-string symbol itself"),
        (huffman.encode(b"a") + b"\xff", "a whole byte of padding"),
        (b"\x18", "padding of zeros: 00011 is a, then 000"),
    ],
)
def test_rfc7541_5_2_bad_endings_are_refused(data: bytes, why: str) -> None:
    with pytest.raises(CompressionError):
        huffman.decode(data)
