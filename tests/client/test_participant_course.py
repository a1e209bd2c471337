"""What becomes of a node of a job when the cluster is gone: under virtual time."""

import asyncio
import math

from raftkv.pb import rendezvous as pb
from raftkv_chaos.sim.loop import run
from tests.client.cluster_in_memory import ClusterInMemory


def test_node_that_cannot_leave_lets_its_lease_say_so() -> None:
    async def main() -> None:
        cluster = ClusterInMemory()
        async with cluster.client(timeout=math.inf) as client:
            participant = client.rendezvous("job").participant("a", pb.JobSettings(min_nodes=1, max_nodes=1), ttl=9)
            await participant.open()
            for node in cluster.nodes:
                node.fall_silent()
            begun = asyncio.get_running_loop().time()
            await participant.close()
            assert asyncio.get_running_loop().time() - begun <= 9.0

    run(main())
