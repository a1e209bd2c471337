"""Traces: where a request spends its time, from the client through the log to the answer (docs/tracing.md).

    context    what travels with a request: W3C's traceparent, and the few bytes of it that stand in the log
    recorder   who is told of spans; nobody, unless an operator asked for it
    opening    a recorder, if an operator wants one
    otlp       OpenTelemetry's SDK behind that, which sends them to a collector; an optional dependency

Nothing here is asked for a request that is not recorded, but for one look at whether there is a recorder.
"""

from raftkv.tracing.context import TraceContext, current, pack, parse_traceparent, traceparent, unpack
from raftkv.tracing.opening import open_recorder
from raftkv.tracing.recorder import OpenSpan, Recorder, Sampling

__all__ = [
    "OpenSpan",
    "Recorder",
    "Sampling",
    "TraceContext",
    "current",
    "open_recorder",
    "pack",
    "parse_traceparent",
    "traceparent",
    "unpack",
]
