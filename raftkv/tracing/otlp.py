"""Spans to a collector, by OpenTelemetry's SDK and its OTLP exporter: the extra `raftkv[tracing]`.

Spans are queued here and sent by a thread of the SDK, a bounded number of them: what is more is dropped, never waited for.
"""

import logging
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import structlog
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags, Tracer, set_span_in_context
from opentelemetry.trace.status import Status, StatusCode

from raftkv.errors import ConfigError, RequestError
from raftkv.tracing.context import TraceContext
from raftkv.tracing.recorder import Attributes

log = structlog.get_logger(__name__)

SEND_TIMEOUT_S: Final = 2
CODE: Final = "rpc.grpc.status_code"


class OtlpRecorder:
    """A recorder on OpenTelemetry's SDK."""

    def __init__(
        self,
        processor: SpanProcessor,
        *,
        service: str,
        node: str,
        now: Callable[[], float],
        unix_time: Callable[[], float],
        **sdk: Any,
    ) -> None:
        """`processor`: what is done with spans; `node`: the member's id; `now`: the clock of all times here. `sdk`: further
        arguments of its TracerProvider.
        """
        resource = Resource.create({"service.name": service, "service.instance.id": node})
        self._provider = TracerProvider(sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False, **sdk)
        self._provider.add_span_processor(processor)
        self._tracer: Tracer = self._provider.get_tracer("raftkv")
        self._now = now
        self._unix_time = unix_time

    def begin(self, name: str, parent: TraceContext | None, *, attributes: Attributes | None = None) -> "_OpenSpan":
        span = self._start(name, parent, self._now(), SpanKind.SERVER, attributes)
        return _OpenSpan(span, lambda: self._nanoseconds(self._now()))

    def record(self, name: str, parent: TraceContext, start: float, end: float, attributes: Attributes | None = None) -> None:
        span = self._start(name, parent, start, SpanKind.INTERNAL, attributes)
        span.end(self._nanoseconds(end))

    def close(self) -> None:
        """Sends what is left, for a moment, and ends. Blocks."""
        self._provider.force_flush(1000 * SEND_TIMEOUT_S)
        self._provider.shutdown()

    def _start(
        self, name: str, parent: TraceContext | None, start: float, kind: SpanKind, attributes: Attributes | None
    ) -> Span:
        context = None if parent is None else set_span_in_context(NonRecordingSpan(_span_context(parent)))
        return self._tracer.start_span(
            name,
            context=context,
            kind=kind,
            attributes=None if attributes is None else dict(attributes),
            start_time=self._nanoseconds(start),
        )

    def _nanoseconds(self, moment: float) -> int:
        """A time of the clock as one of the calendar."""
        return int((self._unix_time() - self._now() + moment) * 1e9)


class _OpenSpan:
    """See recorder.OpenSpan."""

    __slots__ = ("_now", "_span", "context")

    def __init__(self, span: Span, now: Callable[[], int]) -> None:
        self._span = span
        self._now = now
        made = span.get_span_context()
        self.context = TraceContext(made.trace_id, made.span_id)

    def end(self, error: BaseException | None = None, attributes: Attributes | None = None) -> None:
        span = self._span
        if attributes:
            span.set_attributes(dict(attributes))
        if isinstance(error, RequestError):
            span.set_attribute(CODE, int(error.code))
            span.set_status(Status(StatusCode.ERROR, error.code.name))
        elif error is not None:
            span.set_status(Status(StatusCode.ERROR, type(error).__name__))
        else:
            span.set_attribute(CODE, 0)
        span.end(self._now())


def to_collector(
    endpoint: str, *, service: str, node: str, now: Callable[[], float], unix_time: Callable[[], float]
) -> OtlpRecorder:
    """A recorder that sends spans to a collector's OTLP port over gRPC: `host:port`, `http://host:port` or `https://host:port`."""
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 (grpcio takes a while)

    parts = urlsplit(endpoint if "://" in endpoint else f"http://{endpoint}")
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ConfigError(f"--tracing-endpoint: {endpoint!r} must look like host:4317 or https://host:4317")
    _hear_the_sdk()
    exporter = OTLPSpanExporter(endpoint=parts.netloc, insecure=parts.scheme == "http", timeout=SEND_TIMEOUT_S)
    return OtlpRecorder(BatchSpanProcessor(exporter), service=service, node=node, now=now, unix_time=unix_time)


class _ToOurLog(logging.Handler):
    """What the SDK says, as lines of our own log."""

    def emit(self, record: logging.LogRecord) -> None:
        log.warning("tracing", text=record.getMessage())


def _hear_the_sdk() -> None:
    logger = logging.getLogger("opentelemetry")
    logger.propagate = False
    logger.handlers = [_ToOurLog(logging.WARNING)]


def _span_context(context: TraceContext) -> SpanContext:
    return SpanContext(context.trace_id, context.span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
