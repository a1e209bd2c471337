"""Changes of the members: what each does to Raft's membership, and why one cannot be made.

The leader judges a change in the very state in which it will be applied (server/changes.py). One that can be made stands in the
log as an entry that changes Raft's membership; one that cannot be made stands there as its refusal, so that whoever proposed it,
at whatever node, learns why.
"""

from collections.abc import Collection, Mapping

from raftkv.errors import (
    LearnerNotReadyError,
    MemberExistsError,
    MemberNotFoundError,
    NotEnoughStartedError,
    NotLearnerError,
    PeerUrlExistsError,
    RequestError,
    TooManyLearnersError,
    UnhealthyClusterError,
)
from raftkv.pb.command import ChangeMember
from raftkv.pb.rpc import Member
from raftkv.raft.messages import ChangeKind, Membership, MembershipChange

REFUSALS: dict[int, type[RequestError]] = {
    1: MemberExistsError,
    2: PeerUrlExistsError,
    3: MemberNotFoundError,
    4: NotLearnerError,
    5: LearnerNotReadyError,
    6: TooManyLearnersError,
    7: NotEnoughStartedError,
    8: UnhealthyClusterError,
}
"""Command.refusal: the numbers stand in logs, so they keep their meaning."""

_NUMBERS = {error: number for number, error in REFUSALS.items()}


def refusal_number(error: RequestError) -> int:
    """How a refusal is written in the log."""
    return _NUMBERS[type(error)]


def check_change(change: ChangeMember, members: Mapping[int, Member], removed: Collection[int], max_learners: int) -> None:
    """Raises what forbids a change whatever the state of the nodes (etcd server/etcdserver/api/membership/cluster.go,
    ValidateConfigurationChange).
    """
    member = change.member
    if change.action == ChangeMember.ADD:
        _check_addition(member, members, removed, max_learners)
    elif member.ID not in members:
        raise MemberNotFoundError
    elif change.action == ChangeMember.PROMOTE and not members[member.ID].isLearner:
        raise NotLearnerError
    elif change.action == ChangeMember.UPDATE:
        _check_urls(member, members)
    elif change.action == ChangeMember.REMOVE and voters(members) == [member.ID]:
        raise NotEnoughStartedError


def raft_change(change: ChangeMember, context: bytes) -> MembershipChange | None:
    """What a change does to Raft's membership; None: nothing."""
    if change.action == ChangeMember.UPDATE:
        return None
    kind = ChangeKind.ADD_VOTER
    if change.action == ChangeMember.REMOVE:
        kind = ChangeKind.REMOVE
    elif change.action == ChangeMember.ADD and change.member.isLearner:
        kind = ChangeKind.ADD_LEARNER
    return MembershipChange(kind, change.member.ID, context)


def voters(members: Mapping[int, Member]) -> list[int]:
    """The members that vote, in order."""
    return sorted(member.ID for member in members.values() if not member.isLearner)


def membership_of(members: Mapping[int, Member]) -> Membership:
    """Raft's membership of these members."""
    learners = sorted(member.ID for member in members.values() if member.isLearner)
    return Membership(tuple(voters(members)), tuple(learners))


def _check_addition(member: Member, members: Mapping[int, Member], removed: Collection[int], max_learners: int) -> None:
    if member.ID in removed:
        raise MemberNotFoundError  # etcd's answer, too: whoever was removed is a member no more
    if member.ID in members:
        raise MemberExistsError
    _check_urls(member, members)
    if member.isLearner and sum(other.isLearner for other in members.values()) >= max_learners:
        raise TooManyLearnersError


def _check_urls(member: Member, members: Mapping[int, Member]) -> None:
    taken = {url for other in members.values() if other.ID != member.ID for url in other.peerURLs}
    if not taken.isdisjoint(member.peerURLs):
        raise PeerUrlExistsError
