"""How much is under a range of keys: what quotas begin with."""

from raftkv.mvcc.counted import content_bytes
from raftkv.mvcc.sight import Sight, batches
from raftkv.mvcc.steps import Steps
from raftkv.storage.engine import Table


def measure(sight: Sight, first: bytes, end: bytes | None) -> Steps[tuple[int, int]]:
    """The bytes of the live keys in [first, end) with their values, and how many they are. The caller releases the sight."""
    size = count = 0
    for rows in batches(sight, Table.LIVE, first, end):
        for key, encoded in rows:
            size += content_bytes(key, encoded)
        count += len(rows)
        if sight.spent:
            yield from sight.pause()
    return size, count
