"""Leases: grants that end when nobody renews them, and the keys that end with them.

Here is what all replicas share: which leases there are and which keys hang on them. Time is the leader's alone
(raftkv.server.lease_keeper), and reaches the replicas only as commands.
"""

from raftkv.lease.commands import LeaseCommands
from raftkv.lease.lessor import Lease, Lessor, Observer

__all__ = ["Lease", "LeaseCommands", "Lessor", "Observer"]
