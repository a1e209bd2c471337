"""Where the time of a request goes, on a cluster of three: spans, and lines of the log."""

import asyncio
from collections.abc import Callable
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from structlog.testing import capture_logs

from raftkv.apply.command import PUT, body
from raftkv.errors import RequestError
from raftkv.pb import rpc
from raftkv.raft.messages import NO_NODE
from raftkv.rpc.method import Call, Kind, Method
from raftkv.rpc.traced import traced
from raftkv.server.timeline import Stage, Timeline
from raftkv.tracing import Sampling, TraceContext, current, traceparent
from tests.server.replicas import Cluster, Node, simulate, until
from tests.tracing.spans import Spans

PARENT = TraceContext(0xABC, 0xDEF)


def put_method(node: Node, spans: Spans, ratio: float = 0.0) -> Callable[[Any, Call], Any]:
    def put(_request: rpc.PutRequest, call: Call) -> Any:
        return node.replica.propose(body(PUT, call.body))

    method = Method("/etcdserverpb.KV/Put", Kind.UNARY, rpc.PutRequest, rpc.PutResponse, put)
    recorder = node.replica.times.recorder
    assert recorder is not None
    handler: Callable[[Any, Call], Any] = traced(method, recorder, Sampling(ratio, Random(1))).handler
    return handler


def call_of(context: TraceContext | None = PARENT) -> Call:
    request = rpc.PutRequest(key=b"k", value=b"secret")
    metadata = {} if context is None else {"traceparent": traceparent(context)}
    return Call("/etcdserverpb.KV/Put", metadata, body=request.SerializeToString())


def record(cluster: Cluster) -> Spans:
    spans = Spans()
    for node in cluster.nodes.values():
        node.replica.times.recorder = spans.recorder(node.node_id)
    return spans


def test_the_tree_of_a_forwarded_write() -> None:
    async def scenario(cluster: Cluster) -> None:
        leader, asked = await cluster.leader(), await cluster.follower()
        other = next(node for node in cluster.nodes.values() if node not in {leader, asked})
        spans = record(cluster)
        await put_method(asked, spans)(rpc.PutRequest(), call_of())
        await cluster.agree()
        await until(lambda: f"apply@{other.node_id}" in spans.tree())
        call = "etcdserverpb.KV/Put"
        here = {f"{stage}@{asked.node_id}": call for stage in ("queue", "propose", "sync", "quorum", "apply", "answer")}
        there = {f"{stage}@{node.node_id}": call for node in (leader, other) for stage in ("sync", "quorum", "apply")}
        assert spans.tree() == {call: "def", **here, **there}
        assert {span.context.trace_id for span in spans.finished() if span.context is not None} == {0xABC}
        check_order({span.name: span for span in spans.finished() if f"@{asked.node_id}" in _named(span)})

    simulate(scenario)


def _named(span: Any) -> str:
    return f"@{(span.attributes or {}).get('raftkv.member')}"


def check_order(stages: dict[str, Any]) -> None:
    """On the node that was asked, each stage begins where the one before it ended, or later."""
    way = [stages[name] for name in ("queue", "propose", "quorum", "apply", "answer")]
    for before, after in pairwise(way):
        assert before.start_time <= before.end_time <= after.start_time <= after.end_time


def test_what_is_not_recorded_leaves_no_trace_in_the_log_or_elsewhere() -> None:
    async def scenario(cluster: Cluster) -> None:
        asked = await cluster.follower()
        spans = record(cluster)
        put = put_method(asked, spans)
        await put(rpc.PutRequest(), call_of(None))
        await put(rpc.PutRequest(), call_of(PARENT._replace(sampled=False)))
        await cluster.agree()
        assert not spans.finished()

    simulate(scenario)


def test_a_read_is_recorded_with_its_wait_and_its_look() -> None:
    async def scenario(cluster: Cluster) -> None:
        asked = await cluster.follower()
        spans = record(cluster)
        token = current.set(PARENT)
        reply = asked.replica.read(lambda: asked.look("k"))
        current.reset(token)
        await reply
        member = f"@{asked.node_id}"
        assert spans.tree() == {"read index" + member: "def", "look" + member: "def"}

    simulate(scenario)


def test_a_failed_call_ends_its_span_with_its_code_and_not_its_text() -> None:
    async def scenario(cluster: Cluster) -> None:
        asked = await cluster.follower()
        spans = record(cluster)
        recorder = asked.replica.times.recorder
        assert recorder is not None

        async def fail(_request: Any, _call: Call) -> Any:
            raise RequestError("the password is secret")

        method = Method("/a.B/C", Kind.UNARY, rpc.PutRequest, rpc.PutResponse, fail)
        handler: Any = traced(method, recorder, Sampling(1.0, Random(1))).handler
        with pytest.raises(RequestError):
            await handler(rpc.PutRequest(), call_of(None))
        (span,) = spans.finished()
        assert span.attributes is not None
        assert span.attributes["rpc.grpc.status_code"] == 2
        assert "secret" not in span.to_json()

    simulate(scenario)


def test_a_slow_write_is_told_with_its_stages() -> None:
    async def scenario(cluster: Cluster) -> None:
        leader, asked = await cluster.leader(), await cluster.follower()
        record(cluster)
        for node in cluster.nodes.values():
            node.replica.times.slow_s = 0.05
        await asked.put("k", "quick")
        with capture_logs() as logs:
            cluster.network.cut(leader.node_id, asked.node_id)
            reply = put_method(asked, Spans())(rpc.PutRequest(), call_of())
            await asyncio.sleep(0.2)
            cluster.network.heal()
            await reply
        (line,) = [line for line in logs if line["event"] == "slow request"]
        assert line["request"] == "put"
        assert line["took_ms"] > 50
        assert line["trace_id"] == f"{0xABC:032x}"
        assert {"queue_ms", "propose_ms", "quorum_ms", "apply_ms", "answer_ms"} <= line.keys()
        assert "secret" not in str(line)

    simulate(scenario)


def test_who_waits_for_the_first_leader_is_not_told_to_be_slow() -> None:
    with capture_logs() as logs:

        async def scenario(cluster: Cluster) -> None:
            first = next(iter(cluster.nodes.values()))
            reply = first.put("k", "v")
            assert first.replica.leader == NO_NODE
            await reply
            assert first.replica.times.slow == 0

        simulate(scenario)
    assert [line for line in logs if line["event"] == "slow request"] == []


def test_when_everything_is_slow_some_are_told_and_the_others_counted() -> None:
    async def scenario(cluster: Cluster) -> None:
        leader = await cluster.leader()
        times = leader.replica.times
        with capture_logs() as logs:
            times.slow_s = -1.0
            replies = [leader.put(f"k{number}", "v") for number in range(50)]
            for reply in replies:
                await reply
        told = [line for line in logs if line["event"] == "slow request"]
        assert 1 <= len(told) <= 20
        assert times.slow >= 50

    simulate(scenario)


def test_an_entry_that_was_replaced_counts_from_its_last_time() -> None:
    timeline = Timeline()
    timeline.appended(5, 9, 1.0)
    timeline.appended(7, 7, 2.0)
    timeline.synced(7, 7, 3.0)
    timeline.committed(5, 7, 4.0)
    assert timeline.stages(7, 5.0) == [Stage("sync", 2.0, 3.0), Stage("quorum", 2.0, 4.0), Stage("apply", 4.0, 5.0)]
    assert timeline.stages(6, 5.0) == [Stage("quorum", 1.0, 4.0), Stage("apply", 4.0, 5.0)]
    assert timeline.stages(99, 5.0) == []
