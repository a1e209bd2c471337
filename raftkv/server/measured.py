"""What a replica counts about itself for those who watch it: plain numbers, for the hot path pays for them."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

DISK_BOUNDS_S: Final = tuple(0.001 * 2**power for power in range(14))
"""etcd's buckets for the disk: 1 ms to 8.2 s."""
LONG_BOUNDS_S: Final = tuple(0.1 * 2**power for power in range(13))
"""etcd's buckets for what may take minutes: 100 ms to 410 s."""
TTL_BOUNDS_S: Final = tuple(float(2**power) for power in range(24))
"""etcd's for leases: 1 s to 97 days."""
BATCH_BOUNDS: Final = tuple(float(2**power) for power in range(13))


class Histogram:
    """How often values fell between bounds. One thread observes; others may read, and see each count on its own."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        """`bounds`: the upper ends of the buckets, inclusive and rising; one more bucket takes what is above all of them."""
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """One more value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Measured:
    """One replica's numbers."""

    __slots__ = (
        "apply_s",
        "archive_s",
        "batch_entries",
        "commit_s",
        "defragment_s",
        "late_heartbeats",
        "leader_changes",
        "log_bytes",
        "proposals_failed",
        "scrub_s",
        "scrub_step_s",
        "slow_applies",
        "snapshot_s",
        "sync_s",
    )

    def __init__(self) -> None:
        self.sync_s = Histogram(DISK_BOUNDS_S)
        """Batches that were synced: log entries, votes, and rows that went with them. Observed on the storage thread."""
        self.commit_s = Histogram(DISK_BOUNDS_S)
        """All batches, synced or not: nearly every one carries rows of the state. As above."""
        self.batch_entries = Histogram(BATCH_BOUNDS)
        """Log entries of one synced batch: how many requests shared a sync."""
        self.log_bytes = 0
        """Of log entries that were given to the disk."""
        self.apply_s = Histogram(DISK_BOUNDS_S)
        """Passes in which committed entries were applied: the loop's time, once in a turn."""
        self.slow_applies = 0
        """Entries that took longer than --warning-apply-duration to apply."""
        self.archive_s = Histogram(LONG_BOUNDS_S)
        """Copies of everything that were read to their end."""
        self.defragment_s = Histogram(LONG_BOUNDS_S)
        self.snapshot_s = Histogram(LONG_BOUNDS_S)
        """Snapshots of other members, from their first byte until they were the state here."""
        self.scrub_s = Histogram(LONG_BOUNDS_S)
        """Removals of what a compaction gave up, from beginning to end, pauses and all."""
        self.scrub_step_s = Histogram(DISK_BOUNDS_S)
        """Steps of them, each of which holds the loop."""
        self.late_heartbeats = 0
        """Ticks of this node as the leader that came so late that followers may doubt it."""
        self.leader_changes = 0
        """Leaders seen."""
        self.proposals_failed = 0
        """Proposals that nobody answered in time."""
