"""A cluster of real replicas in one process: virtual time, in-memory disks and network, everything else as in production."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

from raftkv.apply.command import PUT, body
from raftkv.apply.machine import StateMachine
from raftkv.errors import RequestError
from raftkv.mvcc.steps import finish
from raftkv.pb import rpc
from raftkv.pb.command import RequestId
from raftkv.peer.memory import MemoryNetwork
from raftkv.raft.config import Config
from raftkv.raft.raft import Raft
from raftkv.reply import Reply
from raftkv.server.bootstrap import found_cluster, join_cluster
from raftkv.server.parts import Parts, Settings
from raftkv.server.replica import Replica
from raftkv.storage.identity import Identity
from raftkv.storage.log import LogStore
from raftkv.storage.memory import MemoryEngine
from raftkv.storage.overlay import Overlay
from raftkv.storage.thread import InlineStorage
from raftkv_chaos.sim.loop import LoopClock, run

T = TypeVar("T")

CLUSTER = 77
LONG_S = 60.0
"""Virtual seconds within which everything that is possible has happened."""


class Node:
    """One node: a disk that outlives it, and a replica while it runs."""

    def __init__(
        self,
        cluster: "Cluster",
        node_id: int,
        begin: Callable[[MemoryEngine, Identity, list[rpc.Member]], None] = found_cluster,
    ) -> None:
        self.cluster = cluster
        self.node_id = node_id
        self.engine = MemoryEngine()
        members = [rpc.Member(ID=member, name=f"n{member}", peerURLs=[f"http://n{member}:1"]) for member in cluster.ids]
        begin(self.engine, Identity(CLUSTER, node_id, f"n{node_id}"), members)
        self.replica: Replica

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        overlay = Overlay(self.engine)
        machine = StateMachine(overlay)
        finish(machine.load())
        log = LogStore.open(self.engine)
        self.storage = InlineStorage(loop.call_soon)
        rng = random.Random(self.cluster.rng.getrandbits(64))
        raft = Raft(
            Config(self.node_id),
            log,
            rng,
            hard_state=log.hard_state,
            membership=machine.membership,
            applied=machine.applied_index,
        )
        parts = Parts(
            raft=raft,
            log=log,
            machine=machine,
            overlay=overlay,
            engine=self.engine,
            storage=self.storage,
            clock=LoopClock(loop),
            rng=rng,
        )
        settings = Settings(cluster_id=CLUSTER, node_id=self.node_id, **self.cluster.settings)
        self.replica = Replica(settings, parts, loop, self.cluster.tasks)
        self.replica.start(self.cluster.network.join(self.node_id, self.replica))

    def crash(self) -> None:
        """The machine loses power: of what was not synced, some prefix is left."""
        self.storage.kill()
        self.replica.fail(ConnectionAbortedError("crashed"))
        self.replica.failed.exception()
        self.cluster.network.leave(self.node_id)
        self.engine = self.engine.crash(self.cluster.rng)

    def restart(self) -> None:
        self.crash()
        self.start()

    def put(self, key: str, value: str, request_id: RequestId | None = None) -> Reply[Any]:
        request = rpc.PutRequest(key=key.encode(), value=value.encode())
        return self.replica.propose(body(PUT, request.SerializeToString()), request_id)

    def look(self, key: str) -> str | None:
        """What this node's own state has."""
        response = finish(self.replica.store.range(rpc.RangeRequest(key=key.encode())))
        return response.kvs[0].value.decode() if response.kvs else None

    async def get(self, key: str) -> str | None:
        """A linearizable read."""
        found: str | None = await self.replica.read(lambda: self.look(key))
        return found


class Cluster:
    """Nodes 1..count. Use `simulate`."""

    def __init__(self, tasks: asyncio.TaskGroup, count: int, seed: int, **settings: Any) -> None:
        self.tasks = tasks
        self.rng = random.Random(seed)
        self.settings = settings
        self.network = MemoryNetwork(asyncio.get_running_loop())
        self.ids = range(1, count + 1)
        self.nodes = {node_id: Node(self, node_id) for node_id in self.ids}
        for node in self.nodes.values():
            node.start()

    async def leader(self, *, other_than: int = 0) -> Node:
        """The node that leads, as soon as it knows it."""

        def leaders() -> list[Node]:
            alive = [node for node in self.nodes.values() if not node.replica.failed.done()]
            return [node for node in alive if node.node_id != other_than and node.replica.is_leader]

        await until(leaders)
        return leaders()[0]

    async def follower(self) -> Node:
        leader = await self.leader()
        return next(node for node in self.nodes.values() if node is not leader)

    def add(self, node_id: int) -> Node:
        """Starts a node that is to join; it must have been made a member."""
        members = list((self.nodes[next(iter(self.nodes))]).replica.members.values())
        node = Node(self, node_id, lambda engine, identity, _: join_cluster(engine, identity, members))
        self.nodes[node_id] = node
        node.start()
        return node

    async def agree(self) -> None:
        """Returns when every node has applied the same."""
        await until(lambda: len({node.replica.machine.applied_index for node in self.nodes.values()}) == 1)


async def until(condition: Callable[[], object]) -> None:
    """Looks every 50 virtual milliseconds until the condition holds."""
    async with asyncio.timeout(LONG_S):
        while not condition():  # noqa: ASYNC110 (virtual time passes, no real one)
            await asyncio.sleep(0.05)


def simulate(scenario: Callable[[Cluster], Awaitable[T]], *, count: int = 3, seed: int = 1, **settings: Any) -> T:
    """Runs a scenario on a fresh cluster under virtual time."""

    async def main() -> T:
        async with asyncio.TaskGroup() as tasks:
            cluster = Cluster(tasks, count, seed, **settings)
            result = await scenario(cluster)
            for node in cluster.nodes.values():
                node.replica.stop()
                node.replica.failed.cancel()
            return result

    return run(main())


async def insist(write: Callable[[], Reply[Any]]) -> Any:
    """Tries until the write is answered."""
    while True:
        with suppress(RequestError):
            return await write()
        await asyncio.sleep(0.1)
