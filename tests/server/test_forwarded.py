"""A member that lies, or is broken: what it forwards and nobody can carry out never gets into the log."""

import pytest

from raftkv.apply.command import CHANGE_MEMBER, PUT, body
from raftkv.pb import rpc
from raftkv.pb.command import ChangeMember, Command
from raftkv.raft.messages import EntryKind, Propose
from tests.server.replicas import Cluster, Node, simulate

NORMAL, MEMBERSHIP = EntryKind.NORMAL, EntryKind.MEMBERSHIP
GOOD = Command(proposer=9).SerializeToString() + body(PUT, rpc.PutRequest(key=b"good", value=b"1").SerializeToString())
REMOVAL = ChangeMember(action=ChangeMember.REMOVE, member=rpc.Member(ID=3))
UNKNOWN_CHANGE = Command(change_member=REMOVAL)
UNKNOWN_CHANGE.change_member.MergeFromString(b"\x08\x63")  # an action of a later version

NONSENSE = {
    "no protobuf": (NORMAL, b"\xff\xff\xff"),
    "cut off": (NORMAL, GOOD[:-1]),
    "nothing": (NORMAL, b""),
    "without a body": (NORMAL, Command(proposer=9, proposal=1).SerializeToString()),
    "a body of a later version": (NORMAL, b"\x08\x09\xfa\xff\x01\x00"),
    "nested too deeply": (NORMAL, b"\x08\x09" + body(b"\x62", b"".join(body(b"\x12", b"\x22\x7f") for _ in range(3)))),
    "a refusal": (NORMAL, GOOD + Command(refusal=99).SerializeToString()),
    "a change of the members that nobody judged": (NORMAL, body(CHANGE_MEMBER, REMOVAL.SerializeToString())),
    "a change that is none": (MEMBERSHIP, b"\xff\xff\xff"),
    "a change of another kind": (MEMBERSHIP, GOOD),
    "a change of a later version": (MEMBERSHIP, UNKNOWN_CHANGE.SerializeToString()),
    "a change that was refused": (MEMBERSHIP, Command(change_member=REMOVAL, refusal=99).SerializeToString()),
}


def forward(liar: Node, leader: Node, *proposals: tuple[EntryKind, bytes]) -> None:
    liar.replica._peers.send([Propose(liar.node_id, leader.node_id, leader.replica.term, proposals)])


@pytest.mark.parametrize("nonsense", NONSENSE.values(), ids=NONSENSE)
def test_nonsense_is_left_out_and_its_neighbours_are_not(nonsense: tuple[EntryKind, bytes]) -> None:
    async def scenario(cluster: Cluster) -> None:
        leader, liar = await cluster.leader(), await cluster.follower()
        await leader.put("k", "0")
        before = leader.replica.commit_index
        forward(liar, leader, nonsense)
        forward(liar, leader, (NORMAL, GOOD), nonsense)
        await leader.put("k", "1")
        await cluster.agree()
        assert leader.replica.commit_index == before + 2
        for node in cluster.nodes.values():
            assert (node.look("good"), node.look("k")) == ("1", "1")
            assert not node.replica.failed.done()
            assert len(node.replica.members) == 3

    simulate(scenario)


def test_an_entry_that_cannot_be_read_stops_nobody_even_where_it_is_committed() -> None:
    async def scenario(cluster: Cluster) -> None:
        leader = await cluster.leader()
        leader.replica._raft.propose([(NORMAL, b"\xff\xff\xff")])
        await leader.put("k", "1")
        await cluster.agree()
        for node in cluster.nodes.values():
            assert node.look("k") == "1"
            node.restart()
        leader = await cluster.leader()
        await leader.put("k", "2")
        await cluster.agree()
        assert {node.look("k") for node in cluster.nodes.values()} == {"2"}

    simulate(scenario)
