"""The multi-version key-value store: revisions, ranges, transactions, compaction."""

from raftkv.mvcc.layout import Event
from raftkv.mvcc.steps import Steps, finish
from raftkv.mvcc.store import Store, Written

__all__ = ["Event", "Steps", "Store", "Written", "finish"]
