"""The consensus core declines: the driver retries or translates."""

from raftkv.errors.root import RaftKVError


class RaftError(RaftKVError):
    """raftkv.raft cannot do now what it was asked for."""


class ProposalDroppedError(RaftError):
    """The proposals were not appended and will not be."""

    retryable = True


class ReadDroppedError(RaftError):
    """No read index can be had now: no leader is known, or too many reads wait."""

    retryable = True


class TransferDroppedError(RaftError):
    """Leadership cannot be handed over: this is not the leader, or the target is no voter."""


class CompactedLogError(RaftError):
    """The entry was compacted; a snapshot has what it did."""

    def __init__(self, index: int) -> None:
        super().__init__(f"entry {index} is compacted")
        self.index = index


class UnavailableLogError(RaftError):
    """The log does not reach that far."""

    def __init__(self, index: int) -> None:
        super().__init__(f"entry {index} is not in the log yet")
        self.index = index
