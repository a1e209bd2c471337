"""One node as a process: everything is made here, and started and stopped in order.

process.py     a life: start, wait, stop
node.py        the replica and what lives beside it
clients.py     the two protocols on the clients' ports
identity.py    who this node is
flags.py       the flags, as each part wants to hear them
"""

from raftkv.daemon.process import run

__all__ = ["run"]
