"""Recorders whose spans a test looks at."""

import asyncio
from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from raftkv.tracing.otlp import OtlpRecorder


class Spans:
    """All spans of a cluster, by the nodes that made them."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()

    def recorder(self, node_id: int) -> OtlpRecorder:
        now = asyncio.get_running_loop().time
        processor = SimpleSpanProcessor(self._exporter)
        return OtlpRecorder(processor, service="test", node=f"{node_id:x}", now=now, unix_time=lambda: now() + 1e9)

    def finished(self) -> Sequence[ReadableSpan]:
        return self._exporter.get_finished_spans()

    def tree(self) -> dict[str, str]:
        """The parent of each span, as `name@member`."""
        names = {span.context.span_id: _name(span) for span in self.finished() if span.context is not None}
        return {
            _name(span): names.get(span.parent.span_id, f"{span.parent.span_id:x}") if span.parent is not None else ""
            for span in self.finished()
        }


def _name(span: ReadableSpan) -> str:
    attributes = span.attributes or {}
    member = attributes.get("raftkv.member")
    return f"{span.name}@{member}" if member else span.name
