"""Members of real processes: they join, are replaced, are refused, and one goes on alone; nothing acknowledged is lost."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from google.protobuf.message import Message

from raftkv.pb import rpc
from tests.harness.calls import Failure
from tests.harness.cluster import Node
from tests.harness.processes import Process
from tests.harness.raftkv import RaftkvCluster

EXIT_S = 15.0


class Growing(RaftkvCluster):
    """A cluster to which nodes are added while it runs."""

    def start(self) -> None:
        super().start()
        self.started = {node.name for node in self.nodes}

    def join(self, number: int, *, learner: bool = False) -> Node:
        """Adds a member and starts it, and waits until it serves."""
        node = self._node(number, self.directory)
        self.ask(rpc.MemberAddRequest(peerURLs=[node.peer_url], isLearner=learner))
        members = [other for other in self.nodes if other.name in self.names()]
        self.nodes = [*members, node]
        command = [argument for argument in self._command(node) if not argument.startswith("--initial-cluster-state")]
        node.process = Process(node.name, [*command, "--initial-cluster-state=existing"], log=node.log)
        node.start()
        self.started.add(node.name)
        self.wait_until(lambda: self._has_all(node), f"{node.name} has caught up", watched=node)
        return node

    def remove(self, node: Node) -> None:
        (member,) = [member.ID for member in self.members() if member.name == node.name]
        self.ask(rpc.MemberRemoveRequest(ID=member))

    def members(self) -> Sequence[rpc.Member]:
        answer = self.ask(rpc.MemberListRequest(linearizable=True))
        assert isinstance(answer, rpc.MemberListResponse)
        return answer.members

    def names(self) -> set[str]:
        return {member.name for member in self.members()}

    def ask(self, request: Message) -> Message:
        """Asks whoever answers."""
        answer: Message | Failure | None = None
        for _ in range(20):
            for node in (node for node in self.nodes if node.process.running):
                answer = node.caller.call(request, timeout_s=10.0)
                if isinstance(answer, Message):
                    return answer
        raise AssertionError(answer)

    def _has_all(self, node: Node) -> bool:
        mine, theirs = node.status(), self.leader().status()
        return mine is not None and theirs is not None and mine.raftAppliedIndex >= theirs.raftAppliedIndex - 50


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Growing]:
    options = {"snapshot-count": "200", "snapshot-catchup-entries": "100"}
    with Growing(tmp_path, size=3, options=options) as running:
        yield running


class Writer(threading.Thread):
    """Writes counted keys as long as it may, and remembers what was acknowledged."""

    def __init__(self, cluster: Growing) -> None:
        super().__init__(daemon=True)
        self._cluster = cluster
        self.written: set[bytes] = set()
        self.stopped = threading.Event()

    def run(self) -> None:
        count = 0
        while not self.stopped.is_set():
            nodes = [node for node in self._cluster.nodes if node.name in self._cluster.started and node.process.running]
            key = b"key%d" % count
            count += 1
            answer = nodes[count % len(nodes)].caller.call(rpc.PutRequest(key=key, value=b"v" * 100), timeout_s=3.0, wait=False)
            if not isinstance(answer, Failure):
                self.written.add(key)


def test_members_come_and_go_under_load_and_nothing_is_lost(cluster: Growing) -> None:
    writer = Writer(cluster)
    writer.start()
    cluster.wait_until(lambda: len(writer.written) > 400, "there is something to catch up with")
    cluster.join(4)
    learner = cluster.join(5, learner=True)
    (member,) = [member.ID for member in cluster.members() if member.isLearner]
    cluster.ask(rpc.MemberPromoteRequest(ID=member))
    dead = cluster.leader()
    dead.kill()
    cluster.remove(dead)
    dead.start()
    assert dead.process.wait_for_end(EXIT_S) == 1
    assert "was permanently removed from the cluster" in dead.process.log_tail()
    leaving = next(node for node in cluster.nodes if node not in {dead, learner})
    cluster.remove(leaving)
    assert leaving.process.wait_for_end(EXIT_S) == 1
    assert "was permanently removed from the cluster" in leaving.process.log_tail()
    writer.stopped.set()
    writer.join()
    assert len(cluster.members()) == 3
    answer = learner.caller.ask(rpc.RangeRequest(key=b"key", range_end=b"kez", keys_only=True))
    assert writer.written <= {kv.key for kv in answer.kvs}


def test_one_goes_on_alone_after_the_loss_of_the_others(cluster: Growing) -> None:
    survivor, *lost = cluster.nodes
    for number in range(20):
        survivor.caller.ask(rpc.PutRequest(key=b"key%d" % number, value=b"v"))
    for node in cluster.nodes:
        node.kill()
    alone = Process("alone", [*survivor.process.command, "--force-new-cluster"], log=survivor.log)
    survivor.process = alone
    survivor.start()
    cluster.wait_ready([survivor])
    assert [member.name for member in survivor.caller.ask(rpc.MemberListRequest()).members] == [survivor.name]
    assert survivor.caller.ask(rpc.RangeRequest(key=b"key", range_end=b"kez", count_only=True)).count == 20
    survivor.caller.ask(rpc.PutRequest(key=b"more", value=b"v"))
    lost[0].start()
    assert lost[0].process.wait_for_end(EXIT_S) == 1
    assert "was permanently removed from the cluster" in lost[0].process.log_tail()


def test_who_joins_has_to_be_a_member_first_and_never_twice(cluster: Growing) -> None:
    stranger = cluster._node(9, cluster.directory)
    others = cluster.nodes
    cluster.nodes = [*others, stranger]
    command = [argument for argument in cluster._command(stranger) if not argument.startswith("--initial-cluster-state")]
    stranger.process = Process("stranger", [*command, "--initial-cluster-state=existing"], log=stranger.log)
    stranger.start()
    assert stranger.process.wait_for_end(EXIT_S) == 2
    assert "`raftkv member add` must come before" in stranger.process.log_tail()
    cluster.nodes = others
