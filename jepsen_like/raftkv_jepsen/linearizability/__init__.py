"""Is there an order of the operations, true to real time, that a single copy of the object could have answered?"""

from raftkv_jepsen.linearizability.check import check_linearizable

__all__ = ["check_linearizable"]
