"""`raftkv serve` as an operator meets it: settings from three places, one clear line for what is wrong, a clean end."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from raftkv.pb import health, rpc
from tests.conftest import StartCluster
from tests.harness.calls import Caller, Failure
from tests.harness.cluster import Cluster
from tests.harness.ports import Ports
from tests.harness.processes import Process
from tests.harness.raftkv import RaftkvCluster

SERVE = [sys.executable, "-m", "raftkv_cli.main", "serve"]
STOP_LIMIT_S = 5.0


def run(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A `raftkv serve` that is expected to refuse."""
    return subprocess.run(
        [*SERVE, *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def one_line(result: subprocess.CompletedProcess[str], code: int) -> str:
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    return line


@pytest.fixture
def ports() -> Iterator[tuple[int, int]]:
    with Ports() as taken:
        yield taken.take(), taken.take()


def serves(process: Process, port: int) -> None:
    """Returns when a node at that port has answered a write."""
    with Caller(f"127.0.0.1:{port}") as caller:
        for _ in range(200):
            answer = caller.call(rpc.PutRequest(key=b"k", value=b"v"), timeout_s=5.0)
            if not isinstance(answer, Failure):
                return
            assert not process.ended_within(0.05), process.log_tail()
    raise AssertionError(process.log_tail())


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--no-such-flag"], "No such option"),
        (["--snapshot-count", "many"], "'many' is not a valid integer"),
        (["--election-timeout", "100"], "--election-timeout: 100 ms should be at least 5 times"),
        (["--initial-cluster", "b=http://127.0.0.1:1"], "--initial-cluster: does not name this node, 'default'"),
        (["--listen-client-urls", "http://127.0.0.1"], "--listen-client-urls: 'http://127.0.0.1' must look like"),
        (["--config-file", "missing.toml"], "cannot read missing.toml"),
    ],
    ids=["unknown", "no number", "too short", "not a member", "no port", "no file"],
)
def test_a_wrong_flag_is_one_line_and_exit_2(tmp_path: Path, arguments: list[str], complaint: str) -> None:
    assert complaint in one_line(run(*arguments, cwd=tmp_path), 2)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("name = ", "cannot read bad.toml"),
        ("colour = 'red'", "bad.toml: unknown setting colour"),
        ("name = ['a']", "bad.toml: name must be one value"),
        ("heartbeat-interval = 'fast'", "'fast' is not a valid integer"),
        ("log-level = 'loud'", "--log-level: 'loud' is not one of"),
    ],
    ids=["no toml", "unknown", "a list", "no number", "not a choice"],
)
def test_a_wrong_file_is_one_line_and_exit_2(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "bad.toml").write_text(text)
    assert complaint in one_line(run("--config-file", "bad.toml", cwd=tmp_path), 2)


def test_a_wrong_variable_is_one_line_and_exit_2(tmp_path: Path) -> None:
    assert "--name: 'a,b' must be a word" in one_line(run(cwd=tmp_path, RAFTKV_NAME="a,b"), 2)


def test_settings_come_from_flags_before_variables_before_the_file(tmp_path: Path, ports: tuple[int, int]) -> None:
    client, peer = ports
    (tmp_path / "node.toml").write_text(
        f"name = 'from-file'\nlisten-peer-urls = 'http://127.0.0.1:{peer}'\nlisten_client_urls = 'http://127.0.0.1:1'\n"
    )
    variables = {"RAFTKV_NAME": "from-variable", "RAFTKV_LISTEN_CLIENT_URLS": "http://127.0.0.1:2"}
    flags = ["--config-file", str(tmp_path / "node.toml"), "--listen-client-urls", f"http://127.0.0.1:{client}"]
    flags += ["--data-dir", str(tmp_path / "data")]
    process = Process("node", [*SERVE, *flags], log=tmp_path / "log", environment=variables)
    process.start()
    try:
        serves(process, client)
        with Caller(f"127.0.0.1:{client}") as caller:
            (member,) = caller.ask(rpc.MemberListRequest()).members
        assert (member.name, list(member.peerURLs)) == ("from-variable", [f"http://127.0.0.1:{peer}"])
        assert list(member.clientURLs) == [f"http://127.0.0.1:{client}"]
        assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    finally:
        process.end()


def test_a_second_process_on_one_directory_is_refused(start_cluster: StartCluster, ports: tuple[int, int]) -> None:
    cluster = start_cluster(RaftkvCluster)
    client, peer = ports
    flags = ["--data-dir", str(cluster.nodes[0].data)]
    flags += ["--listen-client-urls", f"http://127.0.0.1:{client}", "--listen-peer-urls", f"http://127.0.0.1:{peer}"]
    assert "is in use by another process" in one_line(run(*flags, cwd=cluster.directory), 1)


def test_an_address_that_is_taken_names_its_flag(start_cluster: StartCluster, ports: tuple[int, int]) -> None:
    cluster = start_cluster(RaftkvCluster)
    flags = ["--listen-client-urls", cluster.nodes[0].client_url, "--listen-peer-urls", f"http://127.0.0.1:{ports[1]}"]
    line = one_line(run(*flags, cwd=cluster.directory), 2)
    assert f"--listen-client-urls: cannot listen on {cluster.nodes[0].endpoint}" in line


def test_a_new_data_directory_cannot_join_without_being_told_how(tmp_path: Path) -> None:
    assert "there is nobody to join" in one_line(run("--initial-cluster-state", "existing", cwd=tmp_path), 2)


def test_a_node_keeps_its_data_over_restarts(start_cluster: StartCluster) -> None:
    cluster = start_cluster(RaftkvCluster)
    (node,) = cluster.nodes
    for i in range(10):
        node.caller.ask(rpc.PutRequest(key=b"k%d" % i, value=b"v"))
    for end in (node.process.terminate, node.kill):
        end()
        node.start()
        cluster.wait_ready()
    assert node.caller.ask(rpc.RangeRequest(key=b"k", range_end=b"l", count_only=True)).count == 10


def test_sigterm_hands_leadership_over_and_ends_cleanly(start_cluster: StartCluster) -> None:
    cluster = start_cluster(RaftkvCluster, size=3)
    leader = cluster.leader()
    other = next(node for node in cluster.nodes if node is not leader)
    other.caller.ask(rpc.PutRequest(key=b"before", value=b"v"))
    began = time.perf_counter()
    assert leader.process.terminate() == 0
    assert time.perf_counter() - began < STOP_LIMIT_S
    new = cluster.leader()
    assert new is not leader
    status = other.status()
    assert status is not None
    assert status.raftTerm == 3, "one transfer, no further election"
    other.caller.ask(rpc.PutRequest(key=b"after", value=b"v"))


def test_sigterm_ends_a_node_without_a_quorum_in_time(start_cluster: StartCluster) -> None:
    cluster = start_cluster(RaftkvCluster, size=3)
    survivor, *others = cluster.nodes
    for node in others:
        node.kill()
    waiting = survivor.caller.future(rpc.PutRequest(key=b"k", value=b"v"))
    began = time.perf_counter()
    assert survivor.process.terminate() == 0
    assert time.perf_counter() - began < STOP_LIMIT_S
    assert isinstance(waiting.exception(timeout=5), Exception)


def test_every_node_serves_every_request(start_cluster: StartCluster) -> None:
    cluster = start_cluster(RaftkvCluster, size=3)
    for number, node in enumerate(cluster.nodes):
        key = b"k%d" % number
        revision = node.caller.ask(rpc.PutRequest(key=key, value=b"v")).header.revision
        for reader in cluster.nodes:
            assert reader.caller.ask(rpc.RangeRequest(key=key)).kvs[0].mod_revision == revision
            stale = {"raftkv-max-staleness-ms": "60000"}
            assert reader.caller.ask(rpc.RangeRequest(key=key), metadata=stale).kvs[0].mod_revision == revision


def test_metadata_that_makes_no_sense_is_refused(raftkv_node: Cluster) -> None:
    caller = raftkv_node.nodes[0].caller
    bad_id = caller.call(rpc.PutRequest(key=b"k"), metadata={"raftkv-request-id": "x"})
    assert bad_id == Failure(3, "raftkv: invalid request id")  # type: ignore[arg-type] # Code is an int
    bad_age = caller.call(rpc.RangeRequest(key=b"k"), metadata={"raftkv-max-staleness-ms": "soon"})
    assert bad_age == Failure(3, "raftkv: invalid max staleness")  # type: ignore[arg-type] # as above


def test_who_needs_a_leader_hears_at_once_that_there_is_none(start_cluster: StartCluster) -> None:
    cluster = start_cluster(RaftkvCluster, size=3)
    survivor, *others = cluster.nodes
    for node in others:
        node.kill()
    cluster.wait_until(lambda: (survivor.status() or rpc.StatusResponse(leader=1)).leader == 0, "the leader is missed")
    answer = survivor.caller.call(rpc.PutRequest(key=b"k"), metadata={"hasleader": "true"}, timeout_s=2.0)
    assert answer == Failure(14, "etcdserver: no leader")  # type: ignore[arg-type] # Code is an int
    status = survivor.status()
    assert status is not None
    assert "etcdserver: no leader" in status.errors


def test_health_is_served_as_grpc_defines_it(raftkv_node: Cluster) -> None:
    caller = raftkv_node.nodes[0].caller
    assert caller.ask(health.HealthCheckRequest()).status == health.HealthCheckResponse.SERVING
    unknown = caller.call(health.HealthCheckRequest(service="x"))
    assert unknown == Failure(5, "unknown service")  # type: ignore[arg-type] # Code is an int


def test_the_quota_refuses_puts_until_the_alarm_is_disarmed(start_cluster: StartCluster) -> None:
    cluster = start_cluster(RaftkvCluster, size=3, options={"quota-backend-bytes": "200000"})
    caller = cluster.nodes[0].caller
    full = Failure(8, "etcdserver: mvcc: database space exceeded")  # type: ignore[arg-type] # Code is an int
    value = b"x" * 10_000
    answers = [caller.call(rpc.PutRequest(key=b"k%d" % i, value=value)) for i in range(30)]
    assert full in answers
    others = [node.caller for node in cluster.nodes]
    cluster.wait_until(lambda: all(len(c.ask(rpc.StatusRequest()).errors) == 1 for c in others), "the alarm is everywhere")
    assert all(c.call(rpc.PutRequest(key=b"small")) == full for c in others)
    caller.ask(rpc.RangeRequest(key=b"k0"))
    revision = caller.ask(rpc.DeleteRangeRequest(key=b"k", range_end=b"l")).header.revision
    caller.ask(rpc.CompactionRequest(revision=revision, physical=True))
    for alarm in caller.ask(rpc.AlarmRequest()).alarms:
        disarm = rpc.AlarmRequest(action=rpc.AlarmRequest.DEACTIVATE, memberID=alarm.memberID, alarm=alarm.alarm)
        caller.ask(disarm)
    caller.ask(rpc.PutRequest(key=b"small"))


def test_a_range_over_many_keys_comes_whole_and_disturbs_nobody(raftkv_node: Cluster) -> None:
    caller = raftkv_node.nodes[0].caller
    for first in range(0, 20_000, 100):
        puts = [
            rpc.RequestOp(request_put=rpc.PutRequest(key=b"k%08d" % i, value=bytes(100))) for i in range(first, first + 100)
        ]
        caller.ask(rpc.TxnRequest(success=puts))
    everything = rpc.RangeRequest(key=b"k", range_end=b"l")
    under_way = [caller.future(everything, timeout_s=60.0) for _ in range(4)]
    caller.ask(rpc.PutRequest(key=b"other", value=b"v"))
    for future in under_way:
        response = rpc.RangeResponse.FromString(future.result(timeout=60))
        assert response.count == 20_000
        assert [kv.key for kv in response.kvs] == [b"k%08d" % i for i in range(20_000)]
        assert response.header.member_id != 0
        assert response.header.revision == 201
