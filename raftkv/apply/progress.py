"""How far a state is, read from its tables alone: what a snapshot says about itself."""

from raftkv.apply.machine import APPLIED_ROW, decode_applied
from raftkv.apply.members import MEMBERSHIP_ROW, decode_membership
from raftkv.raft.messages import Snapshot
from raftkv.storage.engine import Reader, Table


def read_snapshot_point(state: Reader) -> Snapshot:
    """Index, term and membership of the last entry that the state contains."""
    index, term = decode_applied(state.get(Table.STATE, APPLIED_ROW))
    return Snapshot(index, term, decode_membership(state.get(Table.STATE, MEMBERSHIP_ROW)))
