"""Who the members are and who of them votes, as far as the log is applied.

The Raft core keeps the membership that is in its log; this one is what snapshots carry and what clients are told.
"""

from raftkv.pb.raft import Membership as EncodedMembership
from raftkv.pb.rpc import Member
from raftkv.raft.messages import ChangeKind, Membership
from raftkv.storage.engine import Table
from raftkv.storage.overlay import Overlay

MEMBERSHIP_ROW = b"membership"
"""The key of the membership in STATE."""


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

    def load(self) -> None:
        """Takes up what the tables hold."""
        self.membership = decode_membership(self._state.get(Table.STATE, MEMBERSHIP_ROW))
        self.by_id = {
            int.from_bytes(member_id, "big"): Member.FromString(value) for member_id, value in self._state.scan(Table.MEMBERS)
        }

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

    def remove_member(self, member_id: int) -> None:
        """Forgets a member, known or not."""
        self.by_id = {known: member for known, member in self.by_id.items() if known != member_id}
        self._state.delete(Table.MEMBERS, member_id.to_bytes(8, "big"))
