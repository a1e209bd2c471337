"""Makes the faults of a schedule happen, each at its time, and undoes them; in the end nothing is left of any.

A fault that cannot be made here is left out, and the report says why.
"""

import asyncio
import errno
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace as altered
from random import Random
from typing import Any

from raftkv.client import Client
from raftkv.errors import RaftKVError
from raftkv_chaos import faults
from raftkv_chaos.faults import (
    LEADER,
    Admin,
    ClockFault,
    Clog,
    Crash,
    Disk,
    Fault,
    Link,
    MemberChange,
    Partition,
    Pause,
    RollingRestart,
    Weather,
)
from raftkv_chaos.live.cluster import Cluster, Node
from raftkv_chaos.live.figures import Span
from raftkv_chaos.live.membership import replace
from raftkv_chaos.live.network import CLIENTS
from raftkv_chaos.live.recorder import Recorder
from raftkv_chaos.live.wire import Weather as OnWire
from raftkv_chaos.schedule import Schedule

BLOCKED = OnWire(blocked=True)
BROKEN = 0.5
"""How often connections are found broken after a partition, in place of going on."""
STEP_S = 0.1
MEMBER_S = 20.0
"""What a change of the members may take."""
READY_S = 30.0
DAMAGES = {
    "eio-sync": {"sync_errno": errno.EIO},
    "eio-write": {"write_errno": errno.EIO},
    "enospc": {"write_errno": errno.ENOSPC},
}
Ends = list[tuple[str, str]]
Act = Callable[[Any, float], Awaitable[None]]


class Nemesis:
    """The faults of one run. `spans` are those that took place, `left_out` those that cannot be made, and why."""

    def __init__(self, cluster: Cluster, recorder: Recorder, dice: Random, tell: Callable[[str], None]) -> None:
        self._cluster = cluster
        self._recorder = recorder
        self._dice = dice
        self._tell = tell
        self.spans: list[Span] = []
        self.left_out: dict[str, str] = {}
        self._half_replaced: list[Node] = []
        """Members whose replacement took too long: the operator goes on with it."""
        self._acts: dict[type[Fault], Act] = {
            Partition: self._partition,
            Clog: self._partition,
            Weather: self._weather,
            Crash: self._crash,
            Pause: self._pause,
            ClockFault: self._clock,
            Disk: self._disk,
            MemberChange: self._member,
            RollingRestart: self._restart,
        }

    def cannot(self, fault: Fault) -> str:
        """Why a fault cannot be made here; empty where it can."""
        if isinstance(fault, Admin) or (isinstance(fault, Crash | Pause) and fault.point):
            return "only the simulator can"
        if isinstance(fault, Disk) and fault.damage not in {*DAMAGES, "slow"}:
            return "only the simulator can"
        if isinstance(fault, MemberChange) and len(self._cluster.nodes) == 1:
            return "there is one node only"
        layered = isinstance(fault, ClockFault | Disk) or (isinstance(fault, Crash) and fault.power)
        return self._cluster.no_preload if layered else ""

    async def carry_out(self, schedule: Schedule) -> None:
        """The whole schedule; its times count from now on."""
        begun = self._recorder.now()
        async with asyncio.TaskGroup() as tasks:
            for fault in schedule.faults:
                if not (reason := self.cannot(fault)):
                    tasks.create_task(self._at(begun, fault))
                    continue
                what = f"{fault.kind} {getattr(fault, 'damage', '')}".strip()
                self.left_out["crash with loss of power" if isinstance(fault, Crash) else what] = reason
                if isinstance(fault, Crash) and not fault.point:
                    tasks.create_task(self._at(begun, altered(fault, power=False)))

    async def heal(self) -> list[str]:
        """Undoes whatever is left, and waits until every node answers; answers the names of those that do not."""
        self._cluster.network.clear_all()
        for node in self._cluster.nodes:
            self._change(node, rate=1.0, wall_offset_s=0.0, sync_delay_s=0.0, sync_errno=0, write_errno=0)
        self._cluster.revive()
        while self._half_replaced and await self._replace(self._half_replaced[0], READY_S):
            pass
        nodes = self._cluster.nodes
        answers = [not node.outside and await self._cluster.answers_within(node, READY_S) for node in nodes]
        return [node.name for node, answered in zip(nodes, answers, strict=True) if not answered]

    async def _at(self, begun: float, fault: Fault) -> None:
        await asyncio.sleep(max(0.0, begun + fault.at_s - self._recorder.now()))
        fault = await self._aimed(fault)
        name = " ".join(fault.describe().split()[2:])
        self._tell(name)
        begin = self._recorder.fault(name, "start")
        try:
            await self._acts[type(fault)](fault, begin + fault.for_s)
        finally:
            self.spans.append(Span(name, begin, self._recorder.fault(name, "stop")))

    async def _aimed(self, fault: Fault) -> Fault:
        """The fault, with the node that leads in place of LEADER; with any, where nobody does."""
        links: tuple[Link, ...] = getattr(fault, "links", ())
        if getattr(fault, "node", None) != LEADER and not any(LEADER in link for link in links):
            return fault
        leader = await self._cluster.leader() or self._dice.choice(self._cluster.nodes)
        number = self._cluster.nodes.index(leader) + 1
        if not links:
            return altered(fault, node=number)  # type: ignore[call-arg]  # it has one
        aimed = tuple((source or number, target or number) for source, target in links)
        return altered(fault, links=tuple(link for link in aimed if link[0] != link[1]))  # type: ignore[call-arg]  # it has some

    def _node(self, number: int) -> Node:
        return self._cluster.nodes[number - 1]

    async def _wait(self, until: float) -> None:
        await asyncio.sleep(max(0.0, until - self._recorder.now()))

    # --- the network

    async def _partition(self, fault: Partition | Clog, until: float) -> None:
        ends = self._ends(fault.links)
        try:
            self._become(ends, BLOCKED)
            await self._wait(until)
        finally:
            if self._dice.random() < BROKEN:
                for source, target in ends:
                    self._cluster.network.break_connections(source, target)
            self._cluster.network.clear(ends)

    async def _weather(self, fault: Weather, until: float) -> None:
        """Behind a relay nothing comes twice or out of order, so what overtakes is late, and what comes twice comes once."""
        everybody = range(1, len(self._cluster.nodes) + 1)
        links = fault.links or tuple((source, target) for source in everybody for target in everybody if source != target)
        ends = self._ends(links)
        try:
            weather = OnWire(delay_s=fault.delay_s, jitter_s=fault.jitter_s, loss=fault.loss, duplication=fault.duplication)
            self._become(ends, weather)
            await self._wait(until)
        finally:
            self._cluster.network.clear(ends)

    def _ends(self, links: Sequence[Link]) -> Ends:
        return [(self._end_of(source), self._end_of(target)) for source, target in links]

    def _end_of(self, number: int) -> str:
        return CLIENTS if number == faults.CLIENTS else self._node(number).name

    def _become(self, ends: Ends, weather: OnWire) -> None:
        for source, target in ends:
            self._cluster.network.become(source, target, weather)

    # --- processes

    async def _crash(self, fault: Crash, until: float) -> None:
        node = self._node(fault.node)
        if not node.outside:
            self._end(node, power=fault.power)
        await self._wait(until)
        self._cluster.revive([node])

    def _end(self, node: Node, *, power: bool) -> None:
        if power:
            lost = node.lose_power(self._dice)
            self._tell(f"{node.name} lost power, and with it {lost} bytes")
        else:
            node.kill()

    async def _pause(self, fault: Pause, until: float) -> None:
        node = self._node(fault.node)
        try:
            node.pause()
            await self._wait(until)
        finally:
            node.resume()

    async def _restart(self, fault: RollingRestart, until: float) -> None:
        """One after the other, each away for half of its share of the time."""
        share = max(0.0, until - self._recorder.now()) / max(1, len(fault.nodes))
        for number in fault.nodes:
            node = self._node(number)
            if not node.outside:
                node.kill()
            await asyncio.sleep(share / 2)
            self._cluster.revive([node])
            await asyncio.sleep(share / 2)

    # --- clocks and disks

    async def _clock(self, fault: ClockFault, until: float) -> None:
        node = self._node(fault.node)
        self._change(node, rate=1.0 + fault.drift, wall_offset_s=fault.jump_s)
        await self._wait(until)
        self._change(node, rate=1.0, wall_offset_s=0.0)

    async def _disk(self, fault: Disk, until: float) -> None:
        node = self._node(fault.node)
        if fault.damage == "slow":
            self._change(node, sync_delay_s=fault.delay_s)
            await self._wait(until)
            self._change(node, sync_delay_s=0.0)
            return
        self._change(node, **DAMAGES[fault.damage])
        await self._wait(until)
        self._change(node, sync_errno=0, write_errno=0)
        if not node.outside:  # it has ended, or must: nobody knows what its disk holds
            self._end(node, power=True)
        self._cluster.revive([node])

    @staticmethod
    def _change(node: Node, **settings: float) -> None:
        if node.control is not None:
            node.control.change(**settings)

    # --- members

    async def _member(self, fault: MemberChange, until: float) -> None:
        # Who is half in and half out comes first: nobody begins to take the next member out of such a cluster.
        node = self._half_replaced[0] if self._half_replaced else self._node(fault.node)
        await self._replace(node, MEMBER_S)
        await self._wait(until)

    async def _replace(self, node: Node, seconds: float) -> bool:
        """Answers whether it was done in time."""
        if node not in self._half_replaced:
            self._half_replaced.append(node)
        others = [other.endpoint for other in self._cluster.nodes if other is not node]
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), Client(others, timeout=3.0, dial_timeout=0.5) as client:
                await replace(self._cluster, node, client, self._tell)
                self._half_replaced.remove(node)
                return True
        return False


async def last_write(endpoints: Sequence[str], value: str, seconds: float) -> int | None:
    """A write after everything was healed: its revision, None where none succeeds in time."""
    async with Client(list(endpoints), timeout=seconds) as client:
        try:
            return (await client.put("last", value)).header.revision
        except RaftKVError:
            return None
