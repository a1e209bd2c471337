"""Free ports for server processes: those of the live chaos runs, for tests."""

from raftkv_chaos.live.ports import Ports, _in_use

__all__ = ["Ports", "_in_use"]
