"""What keeps a node from starting, or ends it: one line for the operator."""

from raftkv.errors.root import RaftKVError


class ConfigError(RaftKVError):
    """A flag, variable or file says something that cannot be: one line for the operator, exit 2."""


class RemovedMemberError(RaftKVError):
    """This node was removed from its cluster for good: one line for the operator, and it ends."""

    def __init__(self, member_id: int) -> None:
        super().__init__(
            f"member {member_id:x} was permanently removed from the cluster; to take part again, "
            "this node needs an empty data directory and `raftkv member add`"
        )
        self.member_id = member_id


class StorageError(RaftKVError):
    """The disk failed or holds something that cannot be: the node stops, for it can promise nothing more."""


class DataDirLockedError(StorageError):
    """Another process has the data directory open."""

    def __init__(self, path: str) -> None:
        super().__init__(f"data directory {path} is in use by another process")
        self.path = path


class SnapshotFileError(RaftKVError):
    """A file is no snapshot, or not a whole one."""
