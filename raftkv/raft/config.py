"""The settings of one Raft node. Times are in ticks: the driver decides how long a tick lasts."""

from dataclasses import dataclass

from raftkv.errors import ConfigError
from raftkv.raft.messages import NO_NODE

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Config:
    """What may differ between clusters; the defaults are those of etcd where it has them."""

    node_id: int
    """Who this is; never 0, never reused in a cluster."""
    heartbeat_ticks: int = 1
    """Between two heartbeats of a leader."""
    election_ticks: int = 10
    """Without a word from the leader, a follower campaigns after [election_ticks, 2 * election_ticks)."""
    pre_vote: bool = True
    """Ask whether an election could be won before raising the term (thesis 9.6)."""
    check_quorum: bool = True
    """A leader that does not hear from a quorum steps down, and voters who hear from a leader refuse others (thesis 6.2, 4.2.3)."""
    max_append_bytes: int = MIB
    """Data in one Append; an entry larger than this travels alone."""
    max_inflight_messages: int = 512
    """Appends on their way to one follower."""
    max_inflight_bytes: int = 8 * MIB
    """Data on its way to one follower."""
    max_uncommitted_bytes: int = 256 * MIB
    """Data that a leader appends before any of it is committed; proposals beyond are refused."""
    max_committed_bytes: int = 4 * MIB
    """Data that one Ready hands out to be applied."""
    max_cached_entries: int = 16384
    """Applied entries kept in memory for followers that are a little behind."""
    max_cached_bytes: int = 32 * MIB
    """Data of the entries kept in memory for the same end."""
    max_pending_reads: int = 16384
    """Reads that wait for their index at one node."""

    def __post_init__(self) -> None:
        """Refuses settings under which nothing would work.

        Raises:
            ConfigError: a setting is out of its range.
        """
        if self.node_id <= NO_NODE:
            raise ConfigError(f"node id {self.node_id}: must be positive")
        if self.heartbeat_ticks < 1:
            raise ConfigError(f"heartbeat of {self.heartbeat_ticks} ticks: must be at least 1")
        if self.election_ticks <= self.heartbeat_ticks:
            raise ConfigError(
                f"election timeout of {self.election_ticks} ticks: must be longer than the heartbeat ({self.heartbeat_ticks})"
            )
        for name in self.__slots__:
            if name.startswith("max_") and getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}: must be at least 1")
