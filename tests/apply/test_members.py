from typing import Any

from raftkv.pb.command import ChangeMember, SetMember
from raftkv.pb.raft import MembershipChange
from raftkv.pb.rpc import Member
from raftkv.raft.messages import ChangeKind, EntryKind, Membership
from tests.apply.commands import Machine, command


def change(machine: Machine, kind: ChangeKind, node: int, **body: Any) -> None:
    name: Any = int(kind)
    data = MembershipChange(kind=name, node_id=node, context=command(**body) if body else b"").SerializeToString()
    machine.apply_data(data, EntryKind.MEMBERSHIP)


def test_members_come_learn_vote_and_go() -> None:
    machine = Machine()
    change(machine, ChangeKind.ADD_VOTER, 5)
    change(machine, ChangeKind.ADD_VOTER, 3)
    change(machine, ChangeKind.ADD_LEARNER, 4)
    assert machine.machine.membership == Membership((3, 5), (4,))
    change(machine, ChangeKind.ADD_VOTER, 4)
    assert machine.machine.membership == Membership((3, 4, 5), ())
    change(machine, ChangeKind.REMOVE, 3)
    change(machine, ChangeKind.REMOVE, 9)
    assert machine.machine.membership == Membership((4, 5), ())


def test_context_of_a_change_is_applied_with_it() -> None:
    machine = Machine()
    member = Member(ID=4, name="four", peerURLs=["http://127.0.0.1:1"], isLearner=True)
    change(machine, ChangeKind.ADD_LEARNER, 4, change_member=ChangeMember(member=member))
    assert machine.machine.members == {4: member}
    change(machine, ChangeKind.REMOVE, 4, change_member=ChangeMember(action=ChangeMember.REMOVE, member=Member(ID=4)))
    assert machine.machine.members == {}


def test_outcome_of_a_change_says_whose_proposal_it_was() -> None:
    machine = Machine()
    data = MembershipChange(
        node_id=4,
        context=command(proposer=2, proposal=8, change_member=ChangeMember(action=ChangeMember.REMOVE, member=Member(ID=4))),
    )
    outcome = machine.apply_data(data.SerializeToString(), EntryKind.MEMBERSHIP)
    assert (outcome.proposer, outcome.proposal, outcome.error) == (2, 8, None)


def test_member_can_be_renamed_without_a_change_of_the_membership() -> None:
    machine = Machine()
    for name in ("old", "new"):
        machine.apply(set_member=SetMember(member=Member(ID=4, name=name)))
    assert machine.machine.members[4].name == "new"
    assert machine.machine.membership == Membership()


def test_members_survive_a_restart() -> None:
    machine = Machine()
    machine.machine.bootstrap(Membership((1, 2), ()), [Member(ID=1, name="one"), Member(ID=2, name="two")])
    change(machine, ChangeKind.ADD_LEARNER, 7)
    again = machine.restarted().machine
    assert again.membership == Membership((1, 2), (7,))
    assert [again.members[member].name for member in (1, 2)] == ["one", "two"]
