"""Counts of calls and bytes, as the transport's hooks tell them.

A call costs two dictionary look-ups and three additions. The samples have the names and labels of go-grpc-prometheus.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from raftkv.errors import Code
from raftkv.metrics.samples import buckets
from raftkv.rpc.method import Kind, Method
from raftkv.server.measured import Histogram

HANDLING_BOUNDS_S: Final[tuple[float, ...]] = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_TYPES: Final[Mapping[Kind, str]] = {
    Kind.UNARY: "unary",
    Kind.CLIENT_STREAM: "client_stream",
    Kind.SERVER_STREAM: "server_stream",
    Kind.BIDI: "bidi_stream",
}
CODE_NAMES: Final[Mapping[Code, str]] = {
    Code.OK: "OK",
    Code.CANCELLED: "Canceled",
    **{code: code.name.title().replace("_", "") for code in Code if code not in {Code.OK, Code.CANCELLED}},
}
"""As Go spells them."""
_LABELS: Final = ("grpc_type", "grpc_service", "grpc_method")


class _Row:
    """One method's counts."""

    __slots__ = ("handled", "labels", "seconds", "started")

    def __init__(self, method: Method) -> None:
        service, _, name = method.path[1:].partition("/")
        self.labels = [_TYPES[method.kind], service, name]
        self.started = 0
        self.handled = [0] * len(Code)
        """By code."""
        self.seconds = Histogram(HANDLING_BOUNDS_S)


class CallCounts:
    """What the clients of a node did. `started`, `handled`, `received` and `sent` are for http2's Hooks."""

    def __init__(self, methods: Iterable[Method]) -> None:
        self._rows = {method.path: _Row(method) for method in methods}
        self._received = 0
        self._sent = 0

    # --- hooks ------------------------------------------------------------------------------------------------------

    def started(self, method: Method) -> None:
        """A call has begun."""
        self._rows[method.path].started += 1

    def handled(self, method: Method, code: Code, seconds: float) -> None:
        """It has ended."""
        row = self._rows[method.path]
        row.handled[code] += 1
        row.seconds.observe(seconds)

    def received(self, size: int) -> None:
        """Bytes from a client."""
        self._received += size

    def sent(self, size: int) -> None:
        """Bytes to a client."""
        self._sent += size

    # --- samples ----------------------------------------------------------------------------------------------------

    def samples(self) -> Iterator[Metric]:
        """Methods that were never called have a zero, so that started minus handled can always be computed."""
        started = CounterMetricFamily("grpc_server_started_total", "Calls begun.", labels=_LABELS)
        handled = CounterMetricFamily("grpc_server_handled_total", "Calls ended, by status.", labels=(*_LABELS, "grpc_code"))
        seconds = HistogramMetricFamily("grpc_server_handling_seconds", "How long calls took.", labels=_LABELS)
        for row in self._rows.values():
            started.add_metric(row.labels, row.started)
            for code in Code:
                if row.handled[code] or code is Code.OK:
                    handled.add_metric([*row.labels, CODE_NAMES[code]], row.handled[code])
            if row.started:
                seconds.add_metric(row.labels, buckets(row.seconds), row.seconds.total)
        yield from (started, handled, seconds)
        yield CounterMetricFamily("etcd_network_client_grpc_received_bytes_total", "Bytes from clients.", self._received)
        yield CounterMetricFamily("etcd_network_client_grpc_sent_bytes_total", "Bytes to clients.", self._sent)
