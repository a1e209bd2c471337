"""The client's calls as OpenTelemetry spans, which the server's follow: for who hands a tracer in."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.trace import SpanKind, Tracer
from opentelemetry.trace.status import Status, StatusCode

from raftkv.client.channel import Metadata
from raftkv.errors import RequestError
from raftkv.tracing import TraceContext, traceparent
from raftkv.tracing.context import TRACEPARENT


class CallSpans:
    """A span round each call, all its attempts together. Keys and values are not in it."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    @contextmanager
    def around(self, path: str) -> Iterator[Metadata]:
        """The metadata that tell the server whose trace the call belongs to."""
        service, _, method = path[1:].partition("/")
        attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method}
        with self._tracer.start_as_current_span(
            path[1:], kind=SpanKind.CLIENT, attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            made = span.get_span_context()
            context = TraceContext(made.trace_id, made.span_id, sampled=made.trace_flags.sampled)
            try:
                yield ((TRACEPARENT.encode(), traceparent(context).encode()),) if made.is_valid else ()
            except BaseException as error:
                if isinstance(error, RequestError):
                    span.set_attribute("rpc.grpc.status_code", int(error.code))
                span.set_status(Status(StatusCode.ERROR, type(error).__name__))
                raise
            span.set_attribute("rpc.grpc.status_code", 0)
