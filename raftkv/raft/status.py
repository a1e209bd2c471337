"""A node's own account of itself, for operators, metrics and the server's decisions about members."""

from collections.abc import Mapping
from dataclasses import dataclass

from raftkv.raft.messages import Membership
from raftkv.raft.progress import ProgressState
from raftkv.raft.ready import Role


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """A follower in the eyes of the leader."""

    match_index: int
    next_index: int
    state: ProgressState
    active: bool
    """Heard from within about one election timeout."""
    inflight_messages: int


@dataclass(frozen=True, slots=True)
class Status:
    """A node at one moment."""

    node_id: int
    role: Role
    term: int
    vote: int
    leader_id: int
    start_index: int
    applied_index: int
    commit_index: int
    stable_index: int
    last_index: int
    membership: Membership
    pending_membership: bool
    """The current membership is not committed yet."""
    transfer_target: int
    """On a leader that hands over: to whom; else 0."""
    peers: Mapping[int, PeerStatus]
    """On a leader: every other node that it replicates to."""
    ignored: Mapping[str, int]
    """Messages that were ignored, by reason."""
