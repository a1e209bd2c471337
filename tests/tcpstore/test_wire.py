import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raftkv.tcpstore.wire import Decoder, ProtocolError, Query, Request, encode

DATA = st.binary(max_size=20)
PAIRS = st.lists(st.tuples(DATA, DATA), max_size=3)
KEYS = st.lists(DATA, max_size=3).map(tuple)
REQUESTS = st.one_of(
    st.builds(
        lambda query, number: Request(query, number=number),
        st.sampled_from([Query.VALIDATE, Query.PING]),
        st.integers(0, 2**32 - 1),
    ),
    st.builds(
        lambda query, key, value: Request(query, (key,), (value,)),
        st.sampled_from([Query.SET, Query.APPEND, Query.QUEUE_PUSH]),
        DATA,
        DATA,
    ),
    st.builds(lambda key, old, new: Request(Query.COMPARE_SET, (key,), (old, new)), DATA, DATA, DATA),
    st.builds(lambda key, number: Request(Query.ADD, (key,), (), number), DATA, st.integers(-(2**63), 2**63 - 1)),
    st.builds(
        lambda query, key: Request(query, (key,)),
        st.sampled_from([Query.GET, Query.DELETE_KEY, Query.QUEUE_POP, Query.QUEUE_LEN]),
        DATA,
    ),
    st.tuples(st.sampled_from([Query.CHECK, Query.WAIT, Query.MULTI_GET]), KEYS).map(lambda parts: Request(*parts)),
    st.builds(
        lambda pairs: Request(Query.MULTI_SET, tuple(key for key, _ in pairs), tuple(value for _, value in pairs)), PAIRS
    ),
    st.sampled_from([Query.GETNUMKEYS, Query.CANCEL_WAIT, Query.LIST_KEYS]).map(Request),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(REQUESTS, max_size=6), st.integers(1, 30))
def test_requests_come_out_as_they_went_in_however_they_are_cut(requests: list[Request], size: int) -> None:
    stream = b"".join(map(encode, requests))
    decoder, decoded = Decoder(), []
    for start in range(0, len(stream), size):
        decoder.feed(stream[start : start + size])
        while (request := decoder.next()) is not None:
            decoded.append(request)
    assert decoded == requests


def test_requests_look_as_torch_sends_them() -> None:
    assert encode(Request(Query.VALIDATE, number=0x3C85F7CE)).hex() == "00cef7853c"
    assert encode(Request(Query.SET, (b"/a",), (b"1",))).hex() == "01" + "0200000000000000" + "2f61" + "0100000000000000" + "31"
    assert encode(Request(Query.ADD, (b"",), (), -1)).hex() == "04" + "0000000000000000" + "ffffffffffffffff"


@pytest.mark.parametrize(
    "stream",
    [bytes((18,)), bytes((Query.SET,)) + (2**40).to_bytes(8, "little"), bytes((Query.WAIT,)) + (2**30).to_bytes(8, "little")],
    ids=["no such query", "key too long", "too many keys"],
)
def test_what_no_client_sends_is_refused(stream: bytes) -> None:
    decoder = Decoder()
    decoder.feed(stream)
    with pytest.raises(ProtocolError):
        decoder.next()
