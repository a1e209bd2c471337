"""Faults that are planted in real clusters, and what the doctor says of them."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from raftkv.mvcc.layout import versions_of
from raftkv.pb import kv, rpc
from raftkv.storage.engine import Batch, Table
from raftkv.storage.rocks import RocksEngine
from tests.cli.conversation import RAFTKV
from tests.conftest import StartCluster
from tests.harness.certificates import Authority
from tests.harness.cluster import Cluster, Node
from tests.harness.etcd import EtcdCluster
from tests.harness.raftkv import RaftkvCluster

FAULTY_SERVER = Path(__file__).with_name("faulty_server.py")
FAULTS = {"node2": "version", "node3": "disk,clock"}


class FaultyCluster(RaftkvCluster):
    """Its members have faults of their own."""

    def _command(self, node: Node) -> list[str]:
        command = super()._command(node)
        if node.name not in FAULTS:
            return command
        return [sys.executable, str(FAULTY_SERVER), FAULTS[node.name], *command[command.index("serve") :]]


def examine(*options: str, endpoints: list[str]) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code, and the findings by check (and by subject, where a check has several)."""
    command = [*RAFTKV, "--endpoints", ",".join(endpoints), *options, "doctor", "-w", "json"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert not done.stderr, done.stderr
    return done.returncode, {finding["check"]: finding for finding in json.loads(done.stdout)}


def put(node: Node, key: bytes, value: bytes = b"") -> None:
    node.caller.ask(rpc.PutRequest(key=key, value=value))


@pytest.mark.parametrize("target", [EtcdCluster, RaftkvCluster], ids=["etcd", "raftkv"])
def test_nothing_is_wrong_with_a_healthy_cluster(target: type[Cluster], start_cluster: StartCluster) -> None:
    cluster = start_cluster(target, size=3)
    code, findings = examine(endpoints=cluster.endpoints[:1])  # the others are found by it
    assert set(findings) <= {"slow-disk", "slow-commit", "slow-network", "busy-loop"}  # this machine may be busy
    assert code == 0 or findings


def test_faults_of_single_members_are_found(start_cluster: StartCluster) -> None:
    cluster = start_cluster(FaultyCluster, size=3, options={"quota-backend-bytes": "200000"})
    leader = cluster.leader()
    for number in range(40):
        key = b"key-%d" % number
        put(leader, key, bytes(4000))
        cluster.wait_until(lambda key=key: has_key(cluster.nodes[2], key), "the slow one has it, too")  # type: ignore[misc]  # a loop variable kept
    for _ in range(5):
        pass_leadership_on(cluster)
    cluster.leader().caller.ask(rpc.MemberAddRequest(peerURLs=["http://127.0.0.1:1"], isLearner=True))
    code, findings = examine(endpoints=cluster.endpoints)
    assert code == 1
    assert "0.0.1 on node2" in findings["versions"]["problem"]
    assert findings["clock-skew"]["subject"] == "node3"
    assert "90" in findings["clock-skew"]["problem"] or "89" in findings["clock-skew"]["problem"]
    assert findings["slow-disk"]["subject"] == "node3"
    assert "leaders" in findings["leader-changes"]["problem"]
    assert "of its quota" in findings["near-quota"]["problem"]
    assert "never started" in findings["not-started"]["problem"]
    for finding in findings.values():
        assert finding["advice"].endswith((".", ")", "disarm")) or "raftkv " in finding["advice"]


def pass_leadership_on(cluster: Cluster) -> None:
    leader = cluster.leader()
    other = next(node for node in cluster.nodes if node is not leader)
    status = other.status()
    assert status is not None
    target = status.header.member_id
    leader.caller.call(rpc.MoveLeaderRequest(targetID=target))
    cluster.wait_until(lambda: cluster.leader() is not leader, "another leads")


def test_faults_of_the_cluster_are_found(start_cluster: StartCluster) -> None:
    cluster = start_cluster(RaftkvCluster, size=3, options={"experimental-initial-corrupt-check": "false"})
    put(cluster.leader(), b"key", b"value")
    for node in cluster.nodes:
        cluster.wait_until(lambda node=node: has_key(node), "all have it")  # type: ignore[misc]  # a loop variable kept
    victim, killed, left = cluster.nodes
    victim.process.terminate()
    corrupt(victim.data)
    victim.start()
    cluster.wait_ready([victim])
    alarm = rpc.AlarmRequest(action=rpc.AlarmRequest.ACTIVATE, memberID=1, alarm=rpc.NOSPACE)
    left.caller.ask(alarm)
    _, findings = examine(endpoints=cluster.endpoints)
    assert findings["divergent"]["subject"] == "node1"
    assert findings["alarm"]["problem"].startswith("NOSPACE")
    killed.kill()
    code, findings = examine("--dial-timeout", "500ms", "--command-timeout", "2s", endpoints=cluster.endpoints)
    assert code == 1
    assert findings["unreachable"]["subject"] == "node2"
    assert findings["quorum-margin"]["severity"] == "warning"
    victim.kill()
    _, findings = examine("--dial-timeout", "500ms", "--command-timeout", "2s", endpoints=cluster.endpoints)
    assert findings["quorum-lost"]["severity"] == "critical"


def has_key(node: Node, key: bytes = b"key") -> bool:
    answer = node.caller.call(rpc.RangeRequest(key=key, serializable=True))
    return bool(answer.kvs)


def corrupt(directory: Path) -> None:
    """Another value in the history of a key, past all that compares."""
    engine = RocksEngine(directory)
    try:
        (row, value), *_ = engine.scan(Table.HISTORY, versions_of(b"key"))
        changed = kv.KeyValue.FromString(value)
        changed.value = b"eulav"
        batch = Batch()
        batch.put(Table.HISTORY, row, changed.SerializeToString())
        engine.write(batch, sync=True)
    finally:
        engine.close()


def test_a_certificate_that_ends_soon_is_found(start_cluster: StartCluster, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "pki")
    pair = authority.issue("server", valid=timedelta(days=5))
    cluster = start_cluster(SecureCluster, options={"cert-file": str(pair.cert), "key-file": str(pair.key)})
    code, findings = examine("--cacert", str(authority.cert), endpoints=[f"https://{cluster.endpoints[0]}"])
    assert code == 1
    assert findings["certificate"]["severity"] == "critical"
    assert "ends in 5.0 days" in findings["certificate"]["problem"]
    assert findings["single-voter"]["severity"] == "note"


class SecureCluster(RaftkvCluster):
    """Clients are served with TLS; it is ready when it listens, for the harness speaks plain text."""

    def _command(self, node: Node) -> list[str]:
        return [argument.replace(f"http://{node.endpoint}", f"https://{node.endpoint}") for argument in super()._command(node)]

    def wait_ready(self, nodes: Any = None, *, timeout_s: float = 30.0) -> None:
        node = self.nodes[0]
        self.wait_until(lambda: "serving" in node.process.log_tail(), "it serves", timeout_s=timeout_s)
