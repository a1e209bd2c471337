"""PyTorch on raftkv: needs `raftkv[torch]`; docs/torch.md is the guide.

StoreServer   an endpoint for TCPStore's clients, on a thread of this process: what workers are pointed at
Store         a torch.distributed.Store over the same keys, for this process

TCPStore's endpoint itself needs no torch: raftkv.tcpstore.
"""

from raftkv.torch.init_method import register as _register
from raftkv.torch.server import StoreServer
from raftkv.torch.store import Store

_register()

__all__ = ["Store", "StoreServer"]
