"""How far a new member is: from what is known of it, and with a real one."""

import subprocess
from typing import Any

import click
import pytest
from structlog.testing import capture_logs

from raftkv.clock import ManualClock
from raftkv.pb import rpc
from raftkv.server.transfer import Transfer
from raftkv_cli.inspection.facts import ClusterFacts, MemberFacts
from raftkv_cli.inspection.scrape import Scrape
from raftkv_cli.joining import Standing, standing
from tests.cli.conversation import RAFTKV
from tests.conftest import StartCluster
from tests.harness.processes import Process
from tests.harness.raftkv import RaftkvCluster


def facts(*, applied: int = 0, started: bool = True, received: int = 0, about: int = 0) -> ClusterFacts:
    old = MemberFacts(name="a", member=rpc.Member(ID=1), status=rpc.StatusResponse(raftAppliedIndex=100))
    page = f"raftkv_snapshot_received_bytes {received}\nraftkv_snapshot_about_bytes {about}\n"
    status = rpc.StatusResponse(raftAppliedIndex=applied) if started else None
    new = MemberFacts(name="b", member=rpc.Member(ID=2), status=status, metrics=Scrape.parse(page))
    return ClusterFacts(members=[old, new], now_s=0.0)


@pytest.mark.parametrize(
    ("cluster", "expected"),
    [
        (facts(started=False), Standing("waiting for the member to be started", 0, 1)),
        (facts(received=30, about=90), Standing("receiving a snapshot (bytes)", 30, 90)),
        (facts(applied=60), Standing("catching up (entries)", 60, 100)),
        (facts(applied=100), Standing("joined", 100, 100, joined=True)),
        (ClusterFacts(members=[], now_s=0.0), Standing("waiting for somebody to answer", 0, 1)),
    ],
    ids=lambda value: value.what if isinstance(value, Standing) else "",
)
def test_each_step_of_the_way_is_told(cluster: ClusterFacts, expected: Standing) -> None:
    assert standing(cluster, 2, 100) == expected


def test_who_was_removed_never_joins() -> None:
    with pytest.raises(click.ClickException, match="removed"):
        standing(facts(), 3, 100)


def test_a_snapshot_on_its_way_is_told_every_few_seconds() -> None:
    clock = ManualClock()
    with capture_logs() as logs:
        transfer = Transfer("receiving snapshot", "snapshot installed", 7, about_bytes=1000, now=clock.now)
        for _ in range(12):
            clock.advance(1.0)
            transfer.advance(100)
        assert transfer.finish() == 12.0
    assert [(line["event"], line.get("percent")) for line in logs] == [
        ("receiving snapshot", 50),
        ("receiving snapshot", 99),
        ("snapshot installed", None),
    ]


def test_who_adds_a_member_can_wait_until_it_has_joined(start_cluster: StartCluster) -> None:
    cluster: Any = start_cluster(RaftkvCluster)
    for number in range(20):
        cluster.nodes[0].caller.ask(rpc.PutRequest(key=b"k%d" % number, value=b"v" * 1000))
    node = cluster._node(2, cluster.directory)
    arguments = ("member", "add", node.name, f"--peer-urls={node.peer_url}", "--learner", "--wait")
    with subprocess.Popen(
        [*RAFTKV, *arguments, f"--endpoints={cluster.endpoints[0]}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as waiting:
        assert waiting.stdout is not None
        assert "added to cluster" in waiting.stdout.readline()
        cluster.nodes = [*cluster.nodes, node]
        command = [argument for argument in cluster._command(node) if not argument.startswith("--initial-cluster-state")]
        node.process = Process(node.name, [*command, "--initial-cluster-state=existing"], log=node.log)
        node.start()
        _, said = waiting.communicate(timeout=30)
    assert waiting.returncode == 0, said
    assert "has joined: it has everything up to index" in said
    log = node.log.read_text()
    assert "receiving snapshot" in log
    assert "snapshot installed" in log
    assert "snapshot sent" in cluster.nodes[0].log.read_text()
