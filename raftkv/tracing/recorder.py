"""Who is told of spans, and of which requests."""

from collections.abc import Mapping
from random import Random
from typing import Protocol

from raftkv.tracing.context import TRACEPARENT, TraceContext, parse_traceparent

Attributes = Mapping[str, str | int]


class OpenSpan(Protocol):
    """A span that has begun."""

    context: TraceContext
    """What its children refer to."""

    def end(self, error: BaseException | None = None, attributes: Attributes | None = None) -> None:
        """It is over; once."""
        ...


class Recorder(Protocol):
    """Takes spans, on the event loop, and returns at once. Times are the clock's that it was made with."""

    def begin(self, name: str, parent: TraceContext | None, *, attributes: Attributes | None = None) -> OpenSpan:
        """A span of a call that is served, which begins now; without a parent, a trace of its own."""
        ...

    def record(self, name: str, parent: TraceContext, start: float, end: float, attributes: Attributes | None = None) -> None:
        """A span that is over already."""
        ...

    def close(self) -> None:
        """Hands on what is left, and ends. May block for some seconds."""
        ...


class Sampling:
    """Which requests are recorded: those whose caller's span is, and of callers without one a part, by lot."""

    def __init__(self, ratio: float, rng: Random) -> None:
        """`ratio`: of requests without a traceparent, from 0 to 1."""
        self._ratio = ratio
        self._rng = rng

    def decide(self, metadata: Mapping[str, str | bytes]) -> tuple[bool, TraceContext | None]:
        """Whether a request is recorded, and as whose child."""
        said = metadata.get(TRACEPARENT)
        if said is not None:
            parent = parse_traceparent(str(said))
            if parent is not None:
                return parent.sampled, parent
        return self._ratio > 0.0 and self._rng.random() < self._ratio, None
