"""What clients do during a run, by name."""

from collections.abc import Mapping

from raftkv_chaos.live.workloads import append, compaction, elections, leases, lock, register, watches
from raftkv_chaos.live.workloads.workload import Crew, Horizon, Stage, Workload

__all__ = ["WORKLOADS", "Crew", "Horizon", "Stage", "Workload"]

WORKLOADS: Mapping[str, Crew] = {
    "register": Crew("register", register.WORKERS, 0.6, register.Registers),
    "append": Crew("append", append.WORKERS, 0.25, append.Lists),
    "watch": Crew("watch", watches.WORKERS, 0.0, watches.Watches),
    "lock": Crew("lock", lock.WORKERS, 0.1, lambda: lock.hold_locks),
    "election": Crew("election", elections.WORKERS, 0.12, lambda: elections.stand_for_election),
    "compaction": Crew("compaction", compaction.WORKERS, 0.02, lambda: compaction.compact),
    "lease": Crew("lease", leases.WORKERS, 0.05, lambda: leases.keep_leases),
}
"""The figures are workers, and shares of the operations that are begun a second."""
