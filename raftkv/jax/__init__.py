"""JAX on raftkv: needs `raftkv[jax]`; docs/jax.md is the guide.

    import jax
    import raftkv.jax  # makes "raftkv" known to JAX

    jax.distributed.initialize(cluster_detection_method="raftkv")

The coordinator's address, the number of processes and this process's id come from a round of the job that RAFTKV_JOB names.

node     this process as a node of the job: its round, barriers, checkpoints, notices of preemption
succeed  says that this process is done, before it ends
fail     says that it failed; the others start anew
"""

from raftkv.jax.cluster import RaftkvCluster
from raftkv.jax.process import fail, node, succeed

__all__ = ["RaftkvCluster", "fail", "node", "succeed"]
