"""Who the members are and who of them votes, as far as the log is applied.

The Raft core keeps the membership that is in its log; this one is what snapshots carry and what clients are told.
"""

from raftkv.pb.command import ChangeMember
from raftkv.pb.raft import Membership as EncodedMembership
from raftkv.pb.rpc import (
    Member,
    MemberAddResponse,
    MemberPromoteResponse,
    MemberRemoveResponse,
    MemberUpdateResponse,
)
from raftkv.raft.messages import ChangeKind, Membership
from raftkv.storage.engine import Table
from raftkv.storage.overlay import Overlay

ChangeResponse = MemberAddResponse | MemberPromoteResponse | MemberRemoveResponse | MemberUpdateResponse

MEMBERSHIP_ROW = b"membership"
"""The key of the membership in STATE."""

_REMOVED_PREFIX, _REMOVED_END = b"removed/", b"removed0"
"""Rows of STATE: `removed/`, member id u64. An id never comes back, for its node may still be there with its old promises."""


def decode_membership(row: bytes | None) -> Membership:
    """The membership that a row of STATE holds; nobody, where there is none."""
    encoded = EncodedMembership.FromString(row or b"")
    return Membership(tuple(encoded.voters), tuple(encoded.learners))


class Members:
    """The members table and the membership row."""

    def __init__(self, state: Overlay) -> None:
        self._state = state
        self.membership = Membership()
        self.by_id: dict[int, Member] = {}
        """Replaced by another dict whenever a member changes, never changed itself."""
        self.removed: frozenset[int] = frozenset()

    def load(self) -> None:
        """Takes up what the tables hold."""
        self.membership = decode_membership(self._state.get(Table.STATE, MEMBERSHIP_ROW))
        self.by_id = {
            int.from_bytes(member_id, "big"): Member.FromString(value) for member_id, value in self._state.scan(Table.MEMBERS)
        }
        rows = self._state.scan(Table.STATE, _REMOVED_PREFIX, _REMOVED_END)
        self.removed = frozenset(int.from_bytes(row.removeprefix(_REMOVED_PREFIX), "big") for row, _ in rows)

    def change(self, kind: ChangeKind, node_id: int) -> None:
        """Applies a change of the membership: a node is a voter, a learner, or neither."""
        voters, learners = set(self.membership.voters) - {node_id}, set(self.membership.learners) - {node_id}
        if kind is ChangeKind.ADD_VOTER:
            voters.add(node_id)
        elif kind is ChangeKind.ADD_LEARNER:
            learners.add(node_id)
        self.set_membership(Membership(tuple(sorted(voters)), tuple(sorted(learners))))

    def set_membership(self, membership: Membership) -> None:
        """Sets the whole membership."""
        self.membership = membership
        encoded = EncodedMembership(voters=membership.voters, learners=membership.learners)
        self._state.put(Table.STATE, MEMBERSHIP_ROW, encoded.SerializeToString())

    def set_member(self, member: Member) -> None:
        """Adds a member or replaces what is known of it."""
        self.by_id = {**self.by_id, member.ID: member}
        self._state.put(Table.MEMBERS, member.ID.to_bytes(8, "big"), member.SerializeToString())

    def apply(self, request: ChangeMember) -> ChangeResponse:
        """Does what the leader found possible (raftkv.apply.changes); one that it refused does not come here."""
        match request.action:
            case ChangeMember.ADD:
                self.set_member(Member.FromString(request.member.SerializeToString()))
                return MemberAddResponse(member=request.member, members=self._everybody())
            case ChangeMember.REMOVE:
                self.remove_member(request.member.ID)
                return MemberRemoveResponse(members=self._everybody())
            case ChangeMember.PROMOTE:
                promoted = self._copy(request.member.ID)
                promoted.isLearner = False
                self.set_member(promoted)
                return MemberPromoteResponse(members=self._everybody())
            case _:
                updated = self._copy(request.member.ID)
                updated.peerURLs[:] = request.member.peerURLs
                self.set_member(updated)
                return MemberUpdateResponse(members=self._everybody())

    def _copy(self, member_id: int) -> Member:
        return Member.FromString(self.by_id[member_id].SerializeToString())

    def _everybody(self) -> list[Member]:
        return [self.by_id[member_id] for member_id in sorted(self.by_id)]

    def publish(self, member: Member) -> None:
        """Takes what a member says of itself: its name and client URLs. What one says that was removed counts for nothing."""
        known = self.by_id.get(member.ID)
        if member.ID in self.removed:
            return
        said = Member(ID=member.ID, name=member.name, clientURLs=member.clientURLs)
        kept = member if known is None else known
        said.peerURLs.extend(kept.peerURLs)
        said.isLearner = kept.isLearner
        self.set_member(said)

    def remove_member(self, member_id: int) -> None:
        """Forgets a member, known or not, and remembers for ever that it was one."""
        self.by_id = {known: member for known, member in self.by_id.items() if known != member_id}
        self._state.delete(Table.MEMBERS, member_id.to_bytes(8, "big"))
        self.removed |= {member_id}
        self._state.put(Table.STATE, _REMOVED_PREFIX + member_id.to_bytes(8, "big"), b"")

    def keep_only(self, member_id: int) -> None:
        """Removes everybody else, and lets this one vote."""
        for other in [known for known in self.by_id if known != member_id]:
            self.remove_member(other)
        kept = self._copy(member_id)
        kept.isLearner = False
        self.set_member(kept)
        self.set_membership(Membership((member_id,)))

    def begin_anew(self, members: list[Member]) -> None:
        """Makes these the members of a cluster that has no past: nobody else ever was one."""
        for member_id in self.by_id:
            self._state.delete(Table.MEMBERS, member_id.to_bytes(8, "big"))
        for member_id in self.removed:
            self._state.delete(Table.STATE, _REMOVED_PREFIX + member_id.to_bytes(8, "big"))
        self.by_id, self.removed = {}, frozenset()
        for member in members:
            self.set_member(member)
