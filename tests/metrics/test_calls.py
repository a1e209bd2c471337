import asyncio
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from raftkv.errors import Code
from raftkv.metrics.calls import CODE_NAMES, CallCounts
from raftkv.metrics.loop_lag import LAG_BOUNDS_S, LoopLag
from raftkv.metrics.samples import buckets
from raftkv.pb import rpc
from raftkv.rpc.method import Kind, Method
from raftkv.server.measured import Histogram
from raftkv_chaos.sim.loop import run


async def _never(request: Any, call: Any) -> Any:
    raise AssertionError("not called here")


PUT = Method("/etcdserverpb.KV/Put", Kind.UNARY, rpc.PutRequest, rpc.PutResponse, _never)
WATCH = Method("/etcdserverpb.Watch/Watch", Kind.BIDI, rpc.WatchRequest, rpc.WatchResponse, _never)


class _Samples(Collector):
    def __init__(self, counts: CallCounts) -> None:
        self._counts = counts

    def collect(self) -> Any:
        return self._counts.samples()


def shown(counts: CallCounts) -> dict[str, float]:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Samples(counts))
    text = generate_latest(registry).decode()
    return {
        f"{sample.name}{','.join(sorted(sample.labels.values()))}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_method_that_was_never_called_has_its_zeros() -> None:
    samples = shown(CallCounts([PUT, WATCH]))
    assert samples["grpc_server_started_totalWatch,bidi_stream,etcdserverpb.Watch"] == 0
    assert samples["grpc_server_handled_totalOK,Watch,bidi_stream,etcdserverpb.Watch"] == 0
    assert not any(name.endswith("_created") for name in samples)


def test_calls_are_counted_by_method_and_code() -> None:
    counts = CallCounts([PUT, WATCH])
    for code in (Code.OK, Code.OK, Code.UNAVAILABLE):
        counts.started(PUT)
        counts.handled(PUT, code, 0.02)
    counts.started(WATCH)
    samples = shown(counts)
    assert samples["grpc_server_started_totalPut,etcdserverpb.KV,unary"] == 3
    assert samples["grpc_server_handled_totalOK,Put,etcdserverpb.KV,unary"] == 2
    assert samples["grpc_server_handled_totalPut,Unavailable,etcdserverpb.KV,unary"] == 1
    assert samples["grpc_server_handling_seconds_countPut,etcdserverpb.KV,unary"] == 3
    assert samples["grpc_server_handling_seconds_bucket0.025,Put,etcdserverpb.KV,unary"] == 3
    assert samples["grpc_server_handling_seconds_bucket0.01,Put,etcdserverpb.KV,unary"] == 0


def test_bytes_are_counted() -> None:
    counts = CallCounts([])
    counts.received(3)
    counts.sent(4)
    counts.sent(5)
    samples = shown(counts)
    assert samples["etcd_network_client_grpc_received_bytes_total"] == 3
    assert samples["etcd_network_client_grpc_sent_bytes_total"] == 9


def test_codes_are_spelled_as_in_go() -> None:
    assert CODE_NAMES[Code.OK] == "OK"
    assert CODE_NAMES[Code.CANCELLED] == "Canceled"
    assert CODE_NAMES[Code.DEADLINE_EXCEEDED] == "DeadlineExceeded"
    assert CODE_NAMES[Code.DATA_LOSS] == "DataLoss"
    assert set(CODE_NAMES) == set(Code)


def test_a_bucket_includes_its_upper_bound() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 2.0, 9.0):
        histogram.observe(value)
    assert buckets(histogram) == [("1.0", 2), ("2.0", 4), ("+Inf", 5)]
    assert histogram.total == 14.0


def test_loop_lag_notes_how_late_the_loop_is() -> None:
    async def measure() -> list[int]:
        lag = LoopLag()
        lag.start()
        await asyncio.sleep(1.05)
        lag.stop()
        await asyncio.sleep(1.0)
        return lag.seconds.counts

    counts = run(measure())  # virtual time is never late
    assert counts[0] == 10
    assert sum(counts) == 10
    assert len(counts) == len(LAG_BOUNDS_S) + 1
