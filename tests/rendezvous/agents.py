"""Nodes of a job as tasks under virtual time, against a cluster of real replicas; what they see becomes a history."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from raftkv.apply.command import LEASE_GRANT, RENDEZVOUS, body
from raftkv.errors import LeaseNotFoundError, RequestError, RoundOverError
from raftkv.pb import rendezvous as pb
from raftkv.pb import rpc
from raftkv.reply import Reply
from raftkv.server.lease_keeper import LeaseKeeper, LeaseSettings
from raftkv.server.rendezvous_keeper import RendezvousKeeper
from raftkv.server.renewals import renewals
from raftkv_chaos.sim.loop import LoopClock
from raftkv_jepsen.history import Operation
from tests.server.replicas import Cluster, Node

JOB = "job"
TTL_S = 3
RENEW_S = 0.5
LOOK_S = 0.1
PATIENCE_S = 2.0


class Training:
    """A cluster with keepers of leases and times, and the history of a job."""

    def __init__(self, cluster: Cluster, settings: pb.JobSettings) -> None:
        self.cluster = cluster
        self.settings = settings
        self.rng = random.Random(cluster.rng.getrandbits(64))
        self.history: list[Operation] = []
        self._places = 0
        self._keepers: dict[int, list[LeaseKeeper | RendezvousKeeper]] = {}
        for node in cluster.nodes.values():
            self._keep(node)

    def _keep(self, node: Node) -> None:
        loop = asyncio.get_running_loop()
        clock = LoopClock(loop)
        leases = LeaseKeeper(node.replica, clock, loop, LeaseSettings(election_timeout_s=1.0))
        times = RendezvousKeeper(node.replica, clock, loop)
        self._keepers[node.node_id] = [leases, times]
        leases.start()
        times.start()

    def restart(self, node: Node) -> None:
        """It loses power and comes back."""
        for keeper in self._keepers[node.node_id]:
            keeper.stop()
        node.restart()
        self._keep(node)

    def stop(self) -> None:
        for keepers in self._keepers.values():
            for keeper in keepers:
                keeper.stop()

    def place(self) -> int:
        """The next one in the history."""
        self._places += 1
        return self._places

    def node(self, *, other_than: Node | None = None) -> Node:
        return self.rng.choice([node for node in self.cluster.nodes.values() if node is not other_than])

    async def _asked(self, ask: Callable[[Node], Reply[Any]]) -> Any:
        async with asyncio.timeout(PATIENCE_S):
            return await ask(self.node())

    async def insist(self, ask: Callable[[Node], Reply[Any]]) -> Any:
        """Asks one node after another until one answers; raises what all would answer."""
        while True:
            try:
                return await self._asked(ask)
            except (LeaseNotFoundError, RoundOverError):
                raise
            except (RequestError, TimeoutError):
                await asyncio.sleep(LOOK_S)

    async def change(self, **change: Any) -> pb.Standing:
        entry = body(RENDEZVOUS, pb.JobChange(**change).SerializeToString())
        standing: pb.Standing = (await self.insist(lambda node: node.replica.propose(entry))).standing
        return standing

    async def look(self, name: str = "") -> pb.Standing:
        def ask(node: Node) -> Reply[Any]:
            return node.replica.read(lambda: node.replica.machine.rendezvous.standing(JOB, name))

        standing: pb.Standing = await self.insist(ask)
        return standing


class Agent:
    """One incarnation of a node."""

    def __init__(self, training: Training, name: str) -> None:
        self.training = training
        self.name = name
        self.incarnation = training.rng.randbytes(8).hex()
        self.lease = 0
        self.token = 0
        self.round = 0
        self.rank = -1

    async def live(self) -> None:
        """Joins, acts, joins again, until it is cancelled: that is its death."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._renew())
            while True:
                try:
                    await self._join()
                    await self._work()
                except LeaseNotFoundError:
                    self.lease = 0

    async def _renew(self) -> None:
        """Stays with a node that answers, as clients do; one that is cut off would keep it waiting."""
        node = self.training.node()
        while True:
            await asyncio.sleep(RENEW_S)
            if not self.lease:
                continue
            try:
                async with asyncio.timeout(RENEW_S):
                    await renewals(node.replica).ask(self.lease)
            except (RequestError, TimeoutError):
                node = self.training.node(other_than=node)

    async def _grant(self) -> None:
        lease = self.training.rng.getrandbits(60) + 1
        request = rpc.LeaseGrantRequest(ID=lease, TTL=TTL_S).SerializeToString()
        with suppress(RequestError):
            await self.training.insist(lambda node: node.replica.propose(body(LEASE_GRANT, request)))
        self.lease = lease

    async def _join(self) -> None:
        training = self.training
        call = training.place()
        standing = pb.Standing()
        while standing.role != pb.MEMBER or standing.token == self.token:
            if standing.role not in {pb.READY, pb.WAITING, pb.SPARE}:
                standing = await self._ask_to_join()
            else:
                await asyncio.sleep(LOOK_S)
                standing = await training.look(self.name)
        self.token, self.round, self.rank = standing.token, standing.round, standing.rank
        outcome = (("round", self.round), ("rank", self.rank), ("world_size", standing.world_size))
        self._note("join", (("node", self.name),), outcome, call)

    async def _ask_to_join(self) -> pb.Standing:
        if not self.lease:
            await self._grant()
        request = pb.JoinRequest(
            job=JOB,
            node=self.name,
            incarnation=self.incarnation,
            lease=self.lease,
            after_token=self.token,
            settings=self.training.settings,
        )
        return await self.training.change(join=request)

    async def _work(self) -> None:
        """Acts in the name of its world until that is over."""
        while True:
            await asyncio.sleep(self.training.rng.uniform(0.1, 1.0))
            call = self.training.place()
            report = pb.ReportRequest(job=JOB, node=self.name, token=self.token)
            try:
                await self.training.change(report=report)
            except RoundOverError:
                self._note("act", (("node", self.name), ("round", self.round)), False, call)
                return
            self._note("act", (("node", self.name), ("round", self.round)), True, call)

    def _note(self, f: str, argument: Any, outcome: Any, call: int) -> None:
        end = self.training.place()
        self.training.history.append(Operation(self.name, f, argument, outcome, call, end, key=JOB))
