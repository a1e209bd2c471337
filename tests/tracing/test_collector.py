"""Traces and logs of a real node: to a collector over OTLP, with the client's span above them, and nothing secret anywhere."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from raftkv.client import BlockingClient
from raftkv.errors import AuthFailedError
from tests.conftest import StartCluster
from tests.harness.cluster import Cluster
from tests.harness.raftkv import RaftkvCluster

SECRETS = ("s3cret-value", "s3cret-password", "s3cret-key")
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """OTLP's receiving end."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.services: set[str] = set()
        self.received = threading.Event()

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 (the service's name)
        for resource in request.resource_spans:
            attributes = {item.key: item.value.string_value for item in resource.resource.attributes}
            self.services.add(attributes["service.name"])
            for scope in resource.scope_spans:
                self.spans += scope.spans
        self.received.set()
        return trace_service_pb2.ExportTraceServiceResponse()


@pytest.fixture
def collector() -> Iterator[tuple[Collector, str]]:
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
    receiver = Collector()
    add: Any = trace_service_pb2_grpc.add_TraceServiceServicer_to_server  # generated without types
    add(receiver, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield receiver, f"127.0.0.1:{port}"
    server.stop(0).wait()


def logged(cluster: Cluster) -> list[dict[str, Any]]:
    return [json.loads(line) for line in cluster.logs(1000).splitlines() if line.startswith("{")]


def test_a_request_is_traced_from_the_client_to_the_disk(start_cluster: StartCluster, collector: tuple[Collector, str]) -> None:
    receiver, endpoint = collector
    options = {
        "experimental-distributed-tracing-address": endpoint,
        "experimental-distributed-tracing-service-name": "kv",
        "experimental-enable-distributed-tracing": "true",
        "warning-unary-request-duration": "0.001ms",
        "log-format": "json",
        "log-level": "debug",
        "bcrypt-cost": "4",
    }
    cluster = start_cluster(RaftkvCluster, options=options)
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with BlockingClient(cluster.endpoints, tracer=provider.get_tracer("test")) as client:
        client.put("s3cret-key", "s3cret-value")
        client.get("s3cret-key")
    in_the_gateway(cluster)
    with_passwords(cluster)
    assert cluster.nodes[0].process.terminate() == 0
    called = {span.name: span for span in exporter.get_finished_spans()}
    put = called["etcdserverpb.KV/Put"].context
    assert put is not None
    served = [span for span in receiver.spans if int.from_bytes(span.trace_id, "big") == put.trace_id]
    names = {span.span_id: span.name for span in served}
    above = {span.name: names.get(span.parent_span_id, "the client") for span in served}
    call = "etcdserverpb.KV/Put"
    stages = ("queue", "propose", "sync", "quorum", "apply", "answer")
    assert above == {call: "the client", **dict.fromkeys(stages, call)}
    assert {int.from_bytes(span.parent_span_id, "big") for span in served if span.name == call} == {put.span_id}
    assert any(span.trace_id.hex() == TRACE for span in receiver.spans), "the gateway takes traceparent over"
    assert receiver.services == {"kv"}
    check_logs(cluster, f"{put.trace_id:032x}")
    assert not [secret for secret in SECRETS if any(secret.encode() in span.SerializeToString() for span in receiver.spans)]


def in_the_gateway(cluster: Cluster) -> None:
    headers = {"Traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    data = json.dumps({"key": "czNjcmV0LWtleQ=="}).encode()
    request = urllib.request.Request(f"{cluster.nodes[0].client_url}/v3/kv/range", data=data, headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200


def with_passwords(cluster: Cluster) -> None:
    with BlockingClient(cluster.endpoints) as client:
        client.role_add("root")
        client.user_add("root", "s3cret-password")
        client.user_grant_role("root", "root")
        client.auth_enable()
    with BlockingClient(cluster.endpoints, user="root", password="s3cret-password") as client:
        client.put("s3cret-key", "s3cret-value")
    with (
        BlockingClient(cluster.endpoints, user="root", password="s3cret-password-not") as client,
        pytest.raises(AuthFailedError),
    ):
        client.get("s3cret-key")
    headers = {"Authorization": "s3cret-value"}
    request = urllib.request.Request(f"{cluster.nodes[0].client_url}/v3/kv/range", data=b"{}", headers=headers)
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(request, timeout=10)


def check_logs(cluster: Cluster, trace_id: str) -> None:
    slow = [line for line in logged(cluster) if line["event"] == "slow request"]
    (put,) = [line for line in slow if line.get("trace_id") == trace_id and line["request"] == "put"]
    stages = {"queue_ms", "propose_ms", "sync_ms", "quorum_ms", "apply_ms", "answer_ms"}
    assert stages <= put.keys()
    assert put["took_ms"] > 0
    text = cluster.logs(1000)
    assert len(text) > 500
    assert not [secret for secret in SECRETS if secret in text]
    assert "czNjcmV0" not in text


def test_log_lines_go_where_they_are_wanted_and_a_collector_that_is_gone_stops_nothing(
    start_cluster: StartCluster, tmp_path: Any
) -> None:
    options = {
        "log-outputs": f"stderr,{tmp_path}/node.log",
        "log-format": "console",
        "tracing-endpoint": "http://127.0.0.1:9",
        "tracing-sample-ratio": "1",
    }
    cluster = start_cluster(RaftkvCluster, options=options)
    with BlockingClient(cluster.endpoints) as client:
        client.put("k", "v")
    assert cluster.nodes[0].process.terminate() == 0
    written = (tmp_path / "node.log").read_text()
    assert "serving" in written
    assert "stopped" in written
    assert written.strip() in cluster.logs(1000)
