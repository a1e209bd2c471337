"""W3C Trace Context, and which requests are recorded."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raftkv.tracing import Sampling, TraceContext, pack, parse_traceparent, traceparent, unpack

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = TraceContext(int(TRACE, 16), int(SPAN, 16))


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.booleans())
def test_what_is_said_can_be_read(trace_id: int, span_id: int, sampled: bool) -> None:  # noqa: FBT001 (hypothesis hands it in)
    context = TraceContext(trace_id, span_id, sampled)
    assert parse_traceparent(traceparent(context)) == context
    assert unpack(pack(context)) == context._replace(sampled=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"00-{TRACE}-{SPAN}-01", PARENT),
        (f"00-{TRACE}-{SPAN}-00", PARENT._replace(sampled=False)),
        (f"00-{TRACE}-{SPAN}-ff", PARENT),
        (f"cc-{TRACE}-{SPAN}-01-what-comes", PARENT),
        (f"00-{TRACE}-{SPAN}-01-what-comes", None),
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"00-{TRACE.upper()}-{SPAN}-01", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE}-{SPAN}", None),
        (f"00-{TRACE}-{SPAN}-01 ", None),
        ("", None),
    ],
)
def test_what_makes_no_sense_is_passed_over(text: str, expected: TraceContext | None) -> None:
    assert parse_traceparent(text) == expected


def test_nothing_else_is_unpacked() -> None:
    assert unpack(b"") is None
    assert unpack(b"x" * 25) is None


def test_the_caller_decides_where_it_says_so() -> None:
    always, never = Sampling(1.0, Random(1)), Sampling(0.0, Random(1))
    assert never.decide({"traceparent": f"00-{TRACE}-{SPAN}-01"}) == (True, PARENT)
    assert always.decide({"traceparent": f"00-{TRACE}-{SPAN}-00"}) == (False, PARENT._replace(sampled=False))
    assert always.decide({"traceparent": "nonsense"}) == (True, None)
    assert never.decide({}) == (False, None)


def test_a_part_of_the_others_is_recorded() -> None:
    sampling = Sampling(0.1, Random(7))
    assert 60 < sum(sampling.decide({})[0] for _ in range(1000)) < 140
