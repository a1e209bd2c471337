"""Whatever is asked of the members and of maintenance, raftkv answers as etcd 3.5.1 does, refusals above all.

Known differences, all on purpose: URLs without a port, with a query or with a user, and any URL in MemberUpdate, are taken by etcd,
which then cannot be reached there; HashKV at the compacted revision itself is refused by 3.5.1 and answered by later versions;
Downgrade ENABLE runs into a timeout in 3.5.1, and MemberUpdate makes a learner forget that it is one.
"""

import pytest
from google.protobuf.message import Message

from raftkv.errors import Code
from raftkv.pb import rpc
from tests.conformance.comparison import shown
from tests.conftest import StartCluster
from tests.harness.calls import Caller, Failure
from tests.harness.cluster import Cluster
from tests.harness.etcd import EtcdCluster
from tests.harness.raftkv import RaftkvCluster

BAD_URLS: tuple[list[str], ...] = (
    [],
    ["x"],
    ["http://a"],
    ["ftp://a:1"],
    ["http://a:1/p"],
    ["http://a:1/"],
    ["http://a:x"],
    [""],
    ["http://a:1", "bad"],
)
VERSIONS = ("", "x", "3", "3.4", "3.4.0", "3.4.9", "3.5.0", "3.3.0", "v3.4.0", "3.4.0-rc", "4.4.0", "3.4.0.1")
VALIDATE, CANCEL = rpc.DowngradeRequest.VALIDATE, rpc.DowngradeRequest.CANCEL
STRANGER = 77


class Asked:
    """One cluster, what it was asked, and what it answered: ids and addresses as what they stand for."""

    def __init__(self, cluster: Cluster) -> None:
        self._caller: Caller = cluster.leader().caller
        self._may_drop = isinstance(cluster, EtcdCluster)
        """Etcd's raft ignores a change of members that comes before the one before it counts as applied, and nobody is told: seen once in
        hundreds of runs.
        """
        self.answers: list[str] = []
        members = self._caller.ask(rpc.MemberListRequest(linearizable=True)).members
        self._names: dict[int, str] = {member.ID: f"member {member.name}" for member in members}
        self.urls = {url: f"url of {member.name}" for member in members for url in (*member.peerURLs, *member.clientURLs)}

    def ask(self, request: Message) -> Message | Failure:
        answer: Message | Failure = self._caller.call(request, timeout_s=20.0)
        if self._may_drop and isinstance(answer, Failure) and answer.code == Code.DEADLINE_EXCEEDED:
            answer = self._caller.call(request, timeout_s=20.0)
        self.answers.append(f"{type(request).__name__} -> {self._plain(answer)}")
        return answer

    def member(self, name: str) -> int:
        return next(identifier for identifier, known in self._names.items() if known == f"member {name}")

    def own_urls(self, name: str) -> list[str]:
        return sorted(url for url, known in self.urls.items() if known == f"url of {name}")

    def _plain(self, answer: Message | Failure) -> str:
        if isinstance(answer, Failure):
            return shown(answer)
        header = getattr(answer, "header", None)
        if header is not None:
            header.ClearField("cluster_id")
            header.ClearField("member_id")
            header.ClearField("raft_term")
        for field in ("hash", "hash_revision"):
            if field in answer.DESCRIPTOR.fields_by_name:
                answer.ClearField(field)
        if isinstance(answer, rpc.MemberAddResponse):
            self._names.setdefault(answer.member.ID, f"member {list(answer.member.peerURLs)}")
        if hasattr(answer, "members"):
            known = sorted(answer.members, key=lambda member: self._names[member.ID])
            del answer.members[:]
            answer.members.extend(known)
        text = shown(answer)
        for identifier, name in self._names.items():
            text = text.replace(str(identifier), name)
        for url, name in self.urls.items():
            text = text.replace(url, name)
        return text


def members_of_one(asked: Asked) -> None:
    own = asked.member("node1")
    for identifier in (own, STRANGER, 0):
        asked.ask(rpc.MemberRemoveRequest(ID=identifier))
        asked.ask(rpc.MemberPromoteRequest(ID=identifier))
    asked.ask(rpc.MemberUpdateRequest(ID=STRANGER, peerURLs=["http://a:1"]))
    for urls in BAD_URLS:
        asked.ask(rpc.MemberAddRequest(peerURLs=urls, isLearner=True))
    peer_urls = next(m.peerURLs for m in asked.ask(rpc.MemberListRequest()).members)  # type: ignore[union-attr] # it is answered
    asked.ask(rpc.MemberAddRequest(peerURLs=peer_urls))
    asked.ask(rpc.MemberAddRequest(peerURLs=["http://127.0.0.1:2", "HTTP://localhost:1"], isLearner=True))
    asked.ask(rpc.MemberAddRequest(peerURLs=["http://127.0.0.1:3"], isLearner=True))
    learner = asked.member("['http://127.0.0.1:2', 'http://localhost:1']")
    asked.ask(rpc.MemberPromoteRequest(ID=learner))
    asked.ask(rpc.MoveLeaderRequest(targetID=learner))
    asked.ask(rpc.MemberUpdateRequest(ID=learner, peerURLs=peer_urls))
    asked.ask(rpc.MemberListRequest(linearizable=True))
    for _ in range(2):
        asked.ask(rpc.MemberRemoveRequest(ID=learner))
    asked.ask(rpc.MemberPromoteRequest(ID=learner))
    for identifier in (own, STRANGER):
        asked.ask(rpc.MoveLeaderRequest(targetID=identifier))


def maintenance_of_one(asked: Asked) -> None:
    for version in VERSIONS:
        asked.ask(rpc.DowngradeRequest(action=VALIDATE, version=version))
    asked.ask(rpc.DowngradeRequest(action=rpc.DowngradeRequest.ENABLE, version="3.3.0"))
    asked.ask(rpc.DowngradeRequest(action=CANCEL))
    asked.ask(rpc.DowngradeRequest(action=9))  # type: ignore[arg-type] # there is none
    asked.ask(rpc.HashRequest())
    for revision in (0, 1, -1, 99):
        asked.ask(rpc.HashKVRequest(revision=revision))
    for _ in range(5):
        asked.ask(rpc.PutRequest(key=b"k", value=b"v"))
    asked.ask(rpc.CompactionRequest(revision=4))
    for revision in (3, 0, 5):
        asked.ask(rpc.HashKVRequest(revision=revision))
    asked.ask(rpc.DefragmentRequest())


def test_a_single_member_answers_as_etcd(start_cluster: StartCluster) -> None:
    etcd = Asked(start_cluster(EtcdCluster, options={"unsafe-no-fsync": "true"}))
    raftkv = Asked(start_cluster(RaftkvCluster))
    for ask in (members_of_one, maintenance_of_one):
        ask(etcd)
        ask(raftkv)
    assert raftkv.answers == etcd.answers


@pytest.fixture
def three(start_cluster: StartCluster) -> tuple[Cluster, Cluster]:
    etcd = start_cluster(EtcdCluster, size=3, options={"unsafe-no-fsync": "true"})
    return etcd, start_cluster(RaftkvCluster, size=3)


def test_leadership_moves_only_from_the_leader_to_a_voter(three: tuple[Cluster, Cluster]) -> None:
    for cluster in three:
        leader = cluster.leader()
        follower, other = (node for node in cluster.nodes if node is not leader)
        target = other.caller.ask(rpc.StatusRequest()).header.member_id
        refused = follower.caller.call(rpc.MoveLeaderRequest(targetID=target))
        assert isinstance(refused, Failure)
        assert refused.details == "etcdserver: not leader"
        leader.caller.ask(rpc.MoveLeaderRequest(targetID=target))
        assert leader.caller.ask(rpc.StatusRequest()).leader == target


def test_no_member_is_added_while_one_is_away(three: tuple[Cluster, Cluster]) -> None:
    answers = []
    for cluster in three:
        leader = cluster.leader()
        dead = next(node for node in cluster.nodes if node is not leader)
        dead_id = dead.caller.ask(rpc.StatusRequest()).header.member_id
        dead.kill()
        other = next(node for node in cluster.nodes if node not in {leader, dead})
        answers.append(
            [
                other.caller.call(rpc.MemberAddRequest(peerURLs=["http://127.0.0.1:1"])),
                other.caller.call(rpc.MemberRemoveRequest(ID=leader.caller.ask(rpc.StatusRequest()).header.member_id)),
                len(other.caller.ask(rpc.MemberRemoveRequest(ID=dead_id)).members),
            ]
        )
    assert answers[0] == answers[1]
