"""HTTP/1.1 beside gRPC on the client port of a real node."""

import json

from raftkv.clock import SystemClock
from raftkv.pb import rpc
from tests.conftest import StartCluster
from tests.gateway.plain import Plain
from tests.harness.cluster import Cluster
from tests.harness.raftkv import RaftkvCluster

STOP_S = 3.0
"""A stop may take 5 s; without calls to wait for, it must not take the time that is there to wait for them."""


def test_what_json_writes_grpc_reads_and_the_other_way_round(raftkv_node: Cluster) -> None:
    node = raftkv_node.nodes[0]
    with Plain(node.endpoint) as plain:
        assert plain.post("/v3/kv/put", b'{"key":"YQ==","value":"AP8="}').status == 200
        assert node.caller.ask(rpc.RangeRequest(key=b"a")).kvs[0].value == b"\x00\xff"
        node.caller.ask(rpc.PutRequest(key=b"b", value=b"B"))
        assert plain.post("/v3/kv/range", b'{"key":"Yg=="}').json["kvs"][0]["value"] == "Qg=="


def test_a_write_with_a_request_id_is_applied_once(raftkv_node: Cluster) -> None:
    with Plain(raftkv_node.endpoints[0]) as plain:
        headers = {"raftkv-request-id": "ab12-1"}
        answers = [plain.post("/v3/kv/put", b'{"key":"YQ=="}', headers).json for _ in range(3)]
        assert answers[0] == answers[1] == answers[2]
        assert plain.post("/v3/kv/range", b'{"key":"YQ=="}').json["kvs"][0]["version"] == "1"
        refused = plain.post("/v3/kv/put", b'{"key":"YQ=="}', {"raftkv-request-id": "nonsense"})
        assert (refused.status, refused.json["message"]) == (400, "raftkv: invalid request id")


def test_a_range_may_be_answered_from_a_state_of_bounded_staleness(raftkv_node: Cluster) -> None:
    with Plain(raftkv_node.endpoints[0]) as plain:
        assert plain.post("/v3/kv/range", b'{"key":"YQ=="}', {"raftkv-max-staleness-ms": "60000"}).status == 200
        refused = plain.post("/v3/kv/range", b'{"key":"YQ=="}', {"raftkv-max-staleness-ms": "soon"})
        assert (refused.status, refused.json["message"]) == (400, "raftkv: invalid max staleness")


def test_transactions_that_nest_too_deep_are_refused_and_harm_nobody(raftkv_node: Cluster) -> None:
    with Plain(raftkv_node.endpoints[0]) as plain:
        for levels in (40, 48, 49, 50, 400):
            body = b'{"success":[{"request_txn":' * levels + b"{}" + b"}]}" * levels
            assert plain.post("/v3/kv/txn", body).status == 400
        assert plain.post("/v3/kv/put", b'{"key":"YQ=="}').status == 200


def test_a_node_without_a_quorum_says_so(start_cluster: StartCluster) -> None:
    cluster = start_cluster(RaftkvCluster, size=2)
    survivor, other = cluster.nodes
    with Plain(survivor.endpoint) as plain:
        assert plain.ask("GET", "/health").status == 200
        assert plain.ask("GET", "/readyz").body == "ok\n"
        other.kill()
        cluster.wait_until(lambda: plain.ask("GET", "/health").status == 503, "the node is unhealthy")
        assert json.loads(plain.ask("GET", "/health").body) == {"health": "false", "reason": "RAFT NO LEADER"}
        assert plain.ask("GET", "/health?serializable=true").status == 200
        assert plain.ask("GET", "/livez").body == "ok\n"


def test_idle_http_connections_do_not_hold_up_a_stop(raftkv_node: Cluster) -> None:
    node, clock = raftkv_node.nodes[0], SystemClock()
    with Plain(node.endpoint) as plain:
        assert plain.ask("GET", "/health").status == 200
        began = clock.now()
        assert node.process.terminate() == 0
        assert clock.now() - began < STOP_S
