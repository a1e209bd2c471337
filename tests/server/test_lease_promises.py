"""Whoever is cut off from whom: a lease outlives all that was promised of it, whoever promised."""

import asyncio
from contextlib import suppress

import pytest

from raftkv.errors import RequestError
from tests.server.replicas import Cluster, simulate
from tests.server.test_leases import Leases, now

LEASES = range(1, 25)
PATIENCE_S = 1.0


def ttl_s(lease_id: int) -> int:
    return 2 + lease_id % 4


class Promises:
    """Clients renew through all nodes while partitions come and go, each more and more seldom than its lease would need."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.rng = cluster.rng
        self.nodes = list(cluster.nodes.values())
        self.leases = Leases(cluster)
        self.promised = dict.fromkeys(LEASES, 0.0)
        """Until when each must live."""
        self.ended: dict[int, float] = {}
        """When one node, at least, had ended it."""
        self.given = 0

    @property
    def over(self) -> bool:
        return len(self.ended) == len(LEASES)

    async def renew(self, lease_id: int) -> None:
        while lease_id not in self.ended:
            await asyncio.sleep(self.rng.uniform(0, 1.1 * ttl_s(lease_id)))
            asked = now()
            with suppress(RequestError, TimeoutError):
                async with asyncio.timeout(PATIENCE_S):
                    if await self.leases.renew(self.rng.choice(self.nodes), lease_id):
                        self.promised[lease_id] = max(self.promised[lease_id], asked + ttl_s(lease_id))
                        self.given += 1

    async def notice_ends(self) -> None:
        while not self.over:
            for lease_id in LEASES:
                if lease_id not in self.ended and not all(self.leases.has(node, lease_id) for node in self.nodes):
                    self.ended[lease_id] = now()
            await asyncio.sleep(0.01)

    async def cut_off(self) -> None:
        while not self.over:
            self.cluster.network.isolate(self.rng.choice(self.nodes).node_id)
            await asyncio.sleep(self.rng.uniform(0.5, 4))
            self.cluster.network.heal()
            await asyncio.sleep(self.rng.uniform(0, 2))


@pytest.mark.parametrize("seed", range(4))
def test_no_promise_is_broken(seed: int) -> None:  # L1, L2, L3, L6
    async def scenario(cluster: Cluster) -> None:
        leader = await cluster.leader()
        promises = Promises(cluster)
        for lease_id in LEASES:
            await promises.leases.grant(leader, lease_id, ttl_s(lease_id))
        async with asyncio.TaskGroup() as tasks:
            for work in (promises.notice_ends(), promises.cut_off(), *map(promises.renew, LEASES)):
                tasks.create_task(work)
        assert promises.given > 20
        broken = {lease_id: end for lease_id, end in promises.promised.items() if promises.ended[lease_id] < end}
        assert not broken

    simulate(scenario, seed=seed)
