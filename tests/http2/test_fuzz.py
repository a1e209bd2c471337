import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raftkv.http2 import frames
from tests.http2 import fuzz
from tests.http2.wire import Wire


@pytest.mark.parametrize("first", range(0, 400, 100))
def test_frame_sequences_break_no_invariant(first: int) -> None:
    for seed in range(first, first + 100):
        fuzz.run(seed)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.binary(max_size=60), max_size=8), st.booleans())
def test_any_bytes_break_no_invariant(parts: list[bytes], greeted: bool) -> None:  # noqa: FBT001 - hypothesis fills it in
    wire = Wire(greet=greeted)
    for part in parts:
        wire.send(part)
    assert len(wire.connection._rest) <= frames.DEFAULT_MAX_FRAME + frames.HEADER_SIZE
