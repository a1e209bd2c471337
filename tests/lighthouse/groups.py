"""Replica groups as tasks under virtual time, against the lighthouse of a cluster of real replicas."""

import asyncio
import random
from contextlib import suppress
from typing import NamedTuple

from raftkv.apply.command import PUT, body
from raftkv.errors import RequestError
from raftkv.lighthouse import options_key
from raftkv.pb import rpc
from raftkv.pb.torchft import LighthouseQuorumResponse, Quorum, QuorumMember
from raftkv.server.lighthouse_callers import LighthouseCallers
from raftkv.server.lighthouse_keeper import LighthouseKeeper
from raftkv_chaos.sim.loop import LoopClock
from tests.server.replicas import Cluster, Node, insist

JOB = "job"
HEARTBEAT_S = 0.1
PATIENCE_S = 30.0


class Told(NamedTuple):
    """A quorum, as a group was told of it."""

    at: float
    group: str
    quorum: Quorum

    @property
    def members(self) -> str:
        return "".join(member.replica_id for member in self.quorum.participants)


class Training:
    """A cluster with lighthouses, and what its groups were told."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.rng = random.Random(cluster.rng.getrandbits(64))
        self.told: list[Told] = []
        self._parts: dict[int, tuple[LighthouseKeeper, LighthouseCallers]] = {}
        for node in cluster.nodes.values():
            self._serve(node)

    def _serve(self, node: Node) -> None:
        loop = asyncio.get_running_loop()
        clock = LoopClock(loop)
        keeper = LighthouseKeeper(node.replica, clock, loop, loop.time)
        callers = LighthouseCallers(node.replica, clock, loop)
        keeper.start()
        callers.start()
        self._parts[node.node_id] = keeper, callers

    def callers(self, node: Node) -> LighthouseCallers:
        return self._parts[node.node_id][1]

    def keeper(self, node: Node) -> LighthouseKeeper:
        return self._parts[node.node_id][0]

    def kill(self, node: Node) -> None:
        for part in self._parts.pop(node.node_id):
            part.stop()
        node.crash()

    def restart(self, node: Node) -> None:
        if node.node_id in self._parts:
            self.kill(node)
        node.start()
        self._serve(node)

    def stop(self) -> None:
        for keeper, callers in self._parts.values():
            keeper.stop()
            callers.stop()

    def node(self) -> Node:
        return self.rng.choice([node for node in self.cluster.nodes.values() if node.node_id in self._parts])

    async def set_options(self, text: str) -> None:
        put = rpc.PutRequest(key=options_key(JOB).encode(), value=text.encode())
        await insist(lambda: self.node().replica.propose(body(PUT, put.SerializeToString())))


class Group:
    """A replica group: says that it lives, and asks for one quorum after the other, at whichever node answers."""

    def __init__(self, training: Training, name: str, *, pause: float = 0.2) -> None:
        self.training = training
        self.member = QuorumMember(replica_id=name, address=f"http://{name}")
        self.pause = pause

    async def live(self) -> None:
        """Until it is cancelled: that is its death."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._beat())
            tasks.create_task(self._train())

    async def _beat(self) -> None:
        while True:
            with suppress(RequestError):
                self.training.callers(self.training.node()).hear(JOB, self.member.replica_id)
            await asyncio.sleep(HEARTBEAT_S)

    async def _train(self) -> None:
        while True:
            quorum = await self.quorum()
            assert self.member.replica_id in [member.replica_id for member in quorum.participants]
            self.training.told.append(Told(asyncio.get_running_loop().time(), self.member.replica_id, quorum))
            self.member.step += 1
            await asyncio.sleep(self.pause)

    async def quorum(self) -> Quorum:
        while True:
            with suppress(RequestError, TimeoutError):
                async with asyncio.timeout(PATIENCE_S):
                    answer = await self.training.callers(self.training.node()).ask(JOB, self.member)
                return LighthouseQuorumResponse.FromString(answer).quorum
            await asyncio.sleep(HEARTBEAT_S)


def check(told: list[Told]) -> int:
    """Ids and groups agree, and no group sees an id fall. How many quorums there were."""
    by_id: dict[int, str] = {}
    last: dict[str, int] = {}
    for entry in told:
        number = entry.quorum.quorum_id
        assert by_id.setdefault(number, entry.members) == entry.members, f"two quorums {number}"
        assert last.get(entry.group, 0) <= number, f"{entry.group} went back to quorum {number}"
        last[entry.group] = number
    return len(by_id)
