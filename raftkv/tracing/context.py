"""What travels with a request that is traced (W3C Trace Context, level 1).

    traceparent    00-<trace id, 32 digits>-<parent id, 16 digits>-<flags, 2 digits>    lower-case hexadecimal
    in the log     trace id u128, parent id u64: only of requests that are recorded

`tracestate` is other systems' own and is not handed on: nothing of it would be right for the spans made here.
"""

import re
from contextvars import ContextVar
from typing import Final, NamedTuple

TRACEPARENT: Final = "traceparent"
_FORM: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED: Final = 1
_TRACE_BYTES, _SPAN_BYTES = 16, 8


class TraceContext(NamedTuple):
    """A span, as others refer to it."""

    trace_id: int
    span_id: int
    sampled: bool = True
    """Whether whoever made it records it, and wants all that follow from it recorded."""

    @property
    def trace_hex(self) -> str:
        """The trace id as logs and screens show it."""
        return f"{self.trace_id:032x}"


current: ContextVar[TraceContext | None] = ContextVar("raftkv.trace", default=None)
"""The span on whose behalf this code runs, where it is recorded."""


def parse_traceparent(text: str) -> TraceContext | None:
    """What a caller says; None: it makes no sense, and is to be passed over (section 3.2.2)."""
    match = _FORM.fullmatch(text)
    if match is None or match[1] == "ff" or (match[1] == "00" and match[5]):
        return None
    trace_id, span_id = int(match[2], 16), int(match[3], 16)
    if not trace_id or not span_id:
        return None
    return TraceContext(trace_id, span_id, bool(int(match[4], 16) & _SAMPLED))


def traceparent(context: TraceContext) -> str:
    """What is said to whom is called."""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.sampled):02x}"


def pack(context: TraceContext) -> bytes:
    """A recorded span, for the log."""
    return context.trace_id.to_bytes(_TRACE_BYTES, "big") + context.span_id.to_bytes(_SPAN_BYTES, "big")


def unpack(data: bytes) -> TraceContext | None:
    """What `pack` made; None where it was not made by it."""
    if len(data) != _TRACE_BYTES + _SPAN_BYTES:
        return None
    return TraceContext(int.from_bytes(data[:_TRACE_BYTES], "big"), int.from_bytes(data[_TRACE_BYTES:], "big"))
