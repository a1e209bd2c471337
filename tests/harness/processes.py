"""Server processes: those of the live chaos runs, for tests."""

from raftkv_chaos.live.processes import Process, ProcessEndedError

__all__ = ["Process", "ProcessEndedError"]
