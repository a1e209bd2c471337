"""PyTorch's TCPStore with its state in the cluster: an endpoint that speaks its protocol, for unchanged workers.

wire (bytes <-> requests) --> connection (one client: order, answers) --> space (the keys of one round of a job)
                                                                           batches, arrivals --> the raftkv client

TCPStore itself is one process whose death ends the job, and its client cannot reconnect. So an endpoint runs on every node,
beside the workers, and what happens in the cluster, changes of the leader included, costs them nothing but time.
"""

from raftkv.tcpstore.endpoint import Endpoint, serve
from raftkv.tcpstore.space import Namespace

__all__ = ["Endpoint", "Namespace", "serve"]
