"""Frames come out as they went in, however the stream is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raftkv.peer.codec import MalformedFrameError
from raftkv.peer.framing import MAX_FRAME_BYTES, Deframer, pack


@given(st.lists(st.binary(max_size=30), max_size=8), st.data())
def test_frames_survive_any_cut(frames: list[bytes], data: st.DataObject) -> None:
    stream = pack(frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    deframer = Deframer()
    received = [
        frame for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True) for frame in deframer.feed(stream[start:end])
    ]
    assert received == frames


def test_a_frame_too_long_is_refused_by_its_length_alone() -> None:
    with pytest.raises(MalformedFrameError):
        Deframer().feed((MAX_FRAME_BYTES + 1).to_bytes(4, "big"))
