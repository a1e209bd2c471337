"""What is made of facts, without a cluster; and top, member watch and log dump, with one."""

import json
import os
import pty
import subprocess
from contextlib import suppress
from math import inf
from pathlib import Path

import pytest

from raftkv.pb import rpc
from raftkv_cli.doctor import diagnose
from raftkv_cli.inspection.facts import ClusterFacts, MemberFacts
from raftkv_cli.inspection.rates import Rates
from raftkv_cli.inspection.scrape import Scrape
from raftkv_cli.member_watch import differences
from tests.cli.conversation import RAFTKV, CommandLine
from tests.conftest import StartCluster
from tests.harness.raftkv import RaftkvCluster

PAGE = """
# HELP etcd_server_leader_changes_seen_total Leaders seen.
# TYPE etcd_server_leader_changes_seen_total counter
etcd_server_leader_changes_seen_total 3.0
took_bucket{To="a",le="0.1"} 90.0
took_bucket{To="a",le="1.0"} 99.0
took_bucket{To="a",le="+Inf"} 100.0
took_count{To="a"} 100.0
raftkv_version{version="1.2.3"} 1.0
grpc_server_handled_total{grpc_code="OK",grpc_method="Put"} 5.0
grpc_server_handled_total{grpc_code="OK",grpc_method="Range"} 6.0
"""


def member(number: int, *, leader: int = 1, applied: int = 10, learner: bool = False, **facts: object) -> MemberFacts:
    status = rpc.StatusResponse(leader=leader, raftTerm=2, raftIndex=10, raftAppliedIndex=applied, isLearner=learner)
    status.header.member_id = number
    listed = rpc.Member(ID=number, name=f"n{number}", clientURLs=[f"http://n{number}:2379"], isLearner=learner)
    known: dict[str, object] = {"name": f"n{number}", "endpoint": f"n{number}:2379", "member": listed, "status": status}
    return MemberFacts(**{**known, **facts})  # type: ignore[arg-type]  # fields by name


def found(*members: MemberFacts) -> dict[str, str]:
    return {finding.check: finding.subject for finding in diagnose(ClusterFacts(members=members, now_s=1e9))}


def test_a_page_of_metrics_can_be_asked() -> None:
    page = Scrape.parse(PAGE)
    assert page.value("etcd_server_leader_changes_seen_total") == 3
    assert page.value("missing", default=7.0) == 7
    assert page.value("grpc_server_handled_total", grpc_code="OK") == 11
    assert page.label("raftkv_version", "version") == "1.2.3"
    assert [page.quantile("took", share) for share in (0.5, 0.95, 0.999)] == [0.1, 1.0, inf]
    assert page.quantile("missing", 0.99) == 0


def test_three_that_agree_are_fine() -> None:
    assert found(member(1), member(2), member(3)) == {}


def test_members_that_name_different_leaders_are_found() -> None:
    assert found(member(1), member(2, leader=2), member(3))["no-leader"] == "cluster"
    assert found(member(1, leader=0), member(2, leader=0), member(3, leader=0))["no-leader"] == "cluster"


def test_a_member_far_behind_is_found() -> None:
    far = member(3, applied=0)
    leader = member(1)
    assert leader.status is not None
    leader.status.raftIndex = 5000
    assert found(leader, member(2, applied=4999), far) == {"lagging": "n3"}


def test_a_learner_that_was_left_is_found_and_is_no_voter() -> None:
    assert found(member(1), member(2), member(3), member(4, learner=True)) == {"learner": "n4"}


def test_an_even_number_of_voters_is_noted() -> None:
    assert found(member(1), member(2)) == {"even-voters": "cluster"}


@pytest.mark.parametrize(("days", "severity"), [(-1, "critical"), (6, "critical"), (29, "warning"), (31, None)])
def test_certificates_are_told_in_time(days: int, severity: str | None) -> None:
    facts = ClusterFacts(members=[member(1, certificate_ends=1e9 + days * 86400.0), member(2), member(3)], now_s=1e9)
    assert [finding.severity.value for finding in diagnose(facts)] == ([severity] if severity else [])


def test_rates_are_growth_in_a_second() -> None:
    page = Scrape.parse("count_total 10.0\n"), Scrape.parse("count_total 30.0\n"), Scrape.parse("count_total 1.0\n")
    first, second, third = (ClusterFacts(members=[member(1, metrics=one)], now_s=10.0 * at) for at, one in enumerate(page))
    rates = Rates(first)
    assert rates.rate(first.members[0], "count_total") == 0
    rates.see(second)
    assert rates.rate(second.members[0], "count_total") == 2
    rates.see(third)  # it was restarted
    assert rates.rate(third.members[0], "count_total") == 0


def test_what_changes_among_the_members_is_said() -> None:
    before = ClusterFacts(members=[member(1), member(2), member(3)])
    after = ClusterFacts(members=[member(1, status=None, error="gone"), member(2, leader=2), member(4, leader=2, learner=True)])
    assert sorted(differences(before, after)) == ["n1 does not answer", "n2 leads in term 2", "n3 removed", "n4 added, learns"]


def test_top_shows_a_picture_also_without_a_terminal(start_cluster: StartCluster) -> None:
    cluster = start_cluster(RaftkvCluster, size=3)
    cluster.nodes[0].caller.ask(rpc.PutRequest(key=b"k"))
    cluster.nodes[2].kill()
    cluster.leader()
    command = [*RAFTKV, "--endpoints", cluster.endpoints[0], "top", "--once", "--interval", "200ms"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "2/3 members" in done.stdout
    assert done.stdout.count("follower") == 1
    assert "away" in done.stdout
    assert "\x1b" not in done.stdout


def test_member_watch_says_who_falls_silent(start_cluster: StartCluster) -> None:
    cluster = start_cluster(RaftkvCluster, size=3)
    follower = next(node for node in cluster.nodes if node is not cluster.leader())
    arguments = ("member", "watch", "--interval", "100ms", "--changes", "1", "--dial-timeout", "300ms")
    with CommandLine(RAFTKV, cluster.endpoints, *arguments) as watching:
        watching.read_until(b"node1", b"node2", b"node3")
        follower.kill()
        code, output, complaints = watching.end()
    assert (code, complaints) == (0, b"")
    assert f"{follower.name} does not answer".encode() in output


def test_the_log_of_a_stopped_node_can_be_read(start_cluster: StartCluster) -> None:
    cluster = start_cluster(RaftkvCluster)
    (node,) = cluster.nodes
    node.caller.ask(rpc.PutRequest(key=b"key", value=b"value"), metadata={"raftkv-request-id": "0aff-7"})
    node.caller.ask(rpc.AuthUserAddRequest(name="alice", password="opensesame"))
    node.process.terminate()
    dump = [*RAFTKV, "log", "dump", str(node.data)]
    done = subprocess.run([*dump, "-w", "json"], capture_output=True, text=True, check=True)
    head, *entries = [json.loads(line) for line in done.stdout.splitlines()]
    assert head["name"] == "node1"
    assert head["last_index"] == entries[-1]["index"] >= head["applied"] > 0
    put = next(entry for entry in entries if entry.get("command") == "put")
    assert put["body"] == {"key": "a2V5", "value": "dmFsdWU="}
    assert put["request_id"] == "0aff-7"
    assert any(entry.get("command") == "user_add" for entry in entries)
    assert "opensesame" not in done.stdout
    lines = subprocess.run([*dump, "--first", str(put["index"]), "--limit", "1"], capture_output=True, text=True, check=True)
    assert f"{put['index']} term {put['term']} normal put by" in lines.stdout
    assert len(lines.stdout.splitlines()) == 2


@pytest.mark.parametrize("terminal", [True, False])
def test_long_work_shows_a_bar_at_a_terminal_only(*, terminal: bool, start_cluster: StartCluster, tmp_path: Path) -> None:
    cluster = start_cluster(RaftkvCluster)
    ours, theirs = pty.openpty() if terminal else os.pipe()
    command = [*RAFTKV, "--endpoints", cluster.endpoints[0], "snapshot", "save", str(tmp_path / "file")]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, env=environment, check=True)
    os.close(theirs)
    with suppress(OSError):  # Linux: a terminal whose other side is closed cannot be read to its end
        assert (b"received" in os.read(ours, 4096)) is terminal
    os.close(ours)
    assert b"Snapshot saved" in done.stdout


def test_what_is_no_data_directory_is_refused(tmp_path: object) -> None:
    done = subprocess.run([*RAFTKV, "log", "dump", str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no data directory" in done.stderr
