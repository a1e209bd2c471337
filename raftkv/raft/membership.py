"""Who takes part, as the log tells it.

A node uses the latest configuration in its log, committed or not (thesis 4.1): a change takes effect when it is appended
and is undone when its entry is truncated. Every change here is by one member, and any majority of a set of voters meets any
majority of the set with one voter more or less; so one change at a time needs no joint consensus (thesis 4.3), provided
that a leader starts none before it has committed in its own term (raft-dev, July 2015).
"""

from bisect import bisect_right
from collections.abc import Sequence

from raftkv.raft.messages import NO_NODE, ChangeKind, Entry, Membership, MembershipChange, Snapshot


class InvalidChangeError(ValueError):
    """A membership change that cannot be decoded, or that makes no sense at its place in the log."""


def encode_change(change: MembershipChange) -> bytes:
    """The data of a MEMBERSHIP entry: the bytes of raftkv.raft.MembershipChange in proto/raftkv/raft.proto."""
    parts = bytearray()
    if change.kind:
        parts += b"\x08" + _encode_varint(change.kind)
    if change.node_id:
        parts += b"\x10" + _encode_varint(change.node_id)
    if change.context:
        parts += b"\x1a" + _encode_varint(len(change.context)) + change.context
    return bytes(parts)


def decode_change(data: bytes) -> MembershipChange:
    """The inverse of `encode_change`.

    Raises:
        InvalidChangeError: `data` is no membership change.
    """
    numbers = {1: 0, 2: 0}
    context = b""
    position = 0
    while position < len(data):
        tag, position = _decode_varint(data, position)
        value, position = _decode_varint(data, position)
        if tag == (3 << 3 | 2) and position + value <= len(data):
            context = data[position : position + value]
            position += value
        elif tag in {1 << 3, 2 << 3}:
            numbers[tag >> 3] = value
        else:
            raise InvalidChangeError(f"membership change with tag {tag} at byte {position}")
    if numbers[1] > max(ChangeKind) or numbers[2] == NO_NODE:
        raise InvalidChangeError(f"membership change of kind {numbers[1]} for node {numbers[2]}")
    return MembershipChange(ChangeKind(numbers[1]), numbers[2], context)


def _encode_varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _decode_varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(data) and shift < 64:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise InvalidChangeError(f"membership change ends inside a number at byte {position}")


def changed(membership: Membership, change: MembershipChange) -> Membership:
    """The membership after the change. What is so already stays so: adding a voter again or removing a stranger changes nothing.

    Raises:
        InvalidChangeError: the change would demote a voter or leave no voter.
    """
    voters, learners = set(membership.voters), set(membership.learners)
    if change.kind == ChangeKind.ADD_VOTER:
        voters.add(change.node_id)
        learners.discard(change.node_id)
    elif change.kind == ChangeKind.ADD_LEARNER:
        if change.node_id in voters:
            raise InvalidChangeError(f"node {change.node_id} is a voter: remove it before adding it as a learner")
        learners.add(change.node_id)
    else:
        voters.discard(change.node_id)
        learners.discard(change.node_id)
    if not voters:
        raise InvalidChangeError(f"removing node {change.node_id} would leave no voter")
    return Membership(tuple(sorted(voters)), tuple(sorted(learners)))


class Configurations:
    """The memberships along the log: each with the index that it took effect at.

    Indexes rise strictly; the first is at or below the log's start or the index applied when the node started, and so
    never truncated.
    """

    __slots__ = ("_indexes", "_memberships", "current")

    def __init__(self, index: int, membership: Membership) -> None:
        self._indexes = [index]
        self._memberships = [membership]
        self.current = membership

    @property
    def current_index(self) -> int:
        """Where the current membership took effect."""
        return self._indexes[-1]

    @property
    def previous(self) -> Membership:
        """The membership before the current one, as far back as this node remembers."""
        return self._memberships[-2 if len(self._memberships) > 1 else -1]

    def at(self, index: int) -> Membership:
        """The membership in effect at an applied index."""
        return self._memberships[max(bisect_right(self._indexes, index) - 1, 0)]

    def append(self, entry: Entry) -> None:
        """Takes a MEMBERSHIP entry that was appended into effect.

        Raises:
            InvalidChangeError: the entry does not fit; nothing has changed.
        """
        self.current = changed(self.current, decode_change(entry.data))
        self._indexes.append(entry.index)
        self._memberships.append(self.current)

    def truncate(self, index: int) -> None:
        """Undoes what the entries from `index` on changed."""
        while len(self._indexes) > 1 and self._indexes[-1] >= index:
            self._indexes.pop()
            self._memberships.pop()
        self.current = self._memberships[-1]

    def forget_before(self, index: int) -> None:
        """Forgets memberships that were replaced at or before `index`."""
        drop = max(bisect_right(self._indexes, index) - 1, 0)
        del self._indexes[:drop]
        del self._memberships[:drop]

    def reset(self, snapshot: Snapshot) -> None:
        """Starts again from a snapshot."""
        self._indexes = [snapshot.index]
        self._memberships = [snapshot.membership]
        self.current = snapshot.membership

    def fits(self, entries: Sequence[Entry], base: int) -> bool:
        """Whether the membership entries among `entries`, the first of which follows `base`, make sense there."""
        changes = [entry for entry in entries if entry[2]]
        membership = self.at(base)
        try:
            for entry in changes:
                membership = changed(membership, decode_change(entry.data))
        except InvalidChangeError:
            return False
        return True
