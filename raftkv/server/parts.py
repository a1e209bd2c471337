"""What a replica is made of, and how it is to behave."""

from dataclasses import dataclass
from random import Random

from raftkv.apply.machine import StateMachine
from raftkv.clock import Clock
from raftkv.raft.raft import Raft
from raftkv.storage.engine import Engine
from raftkv.storage.log import LogStore
from raftkv.storage.overlay import Overlay
from raftkv.storage.thread import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a replica behaves."""

    cluster_id: int
    node_id: int
    tick_s: float = 0.1
    """One heartbeat interval."""
    snapshot_count: int = 10_000
    """Applied entries after which the log is shortened."""
    catch_up_entries: int = 5_000
    """Applied entries that stay in the log for slow followers."""
    patience_s: float = 7.0
    """How long a request may wait for the cluster (etcd: 5 s and two election timeouts)."""
    max_pending: int = 20_000
    """Writes, and reads, that may wait at once."""
    max_apply_gap: int = 5_000
    """Committed entries not yet applied above which writes are refused."""
    strict_reconfig: bool = True
    """Refuse changes of the members that would leave the cluster without a quorum."""
    max_learners: int = 1
    slow_request_s: float = 0.3
    """What takes longer is told in the log, with its stages."""
    slow_apply_s: float = 0.1
    """An entry that takes longer to apply is counted as slow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a replica is made of."""

    raft: Raft
    log: LogStore
    machine: StateMachine
    overlay: Overlay
    engine: Engine
    storage: Storage
    clock: Clock
    rng: Random
