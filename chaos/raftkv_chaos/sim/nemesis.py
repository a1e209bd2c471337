"""Does to a simulated cluster what a schedule says, and undoes it when its time is over."""

import asyncio
import random
from collections.abc import Callable, Iterable
from contextlib import suppress

from raftkv.apply.command import COMPACT, body
from raftkv.errors import RequestError
from raftkv.pb.rpc import CompactionRequest
from raftkv.server.replica import Replica
from raftkv_chaos.faults import (
    CLIENTS,
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
from raftkv_chaos.schedule import Schedule
from raftkv_chaos.sim.cluster import Cluster
from raftkv_chaos.sim.knobs import Knobs
from raftkv_chaos.sim.node import Machine
from raftkv_chaos.sim.recorder import Recorder

RESTARTS_S = 0.2
"""What a restart takes in a rolling one."""


class Nemesis:
    """Injects faults. Only faults whose time has come are begun, and after `stop` none is."""

    def __init__(self, cluster: Cluster, recorder: Recorder, newer: Knobs, dice: random.Random) -> None:
        self._loop = asyncio.get_running_loop()
        self._cluster = cluster
        self._recorder = recorder
        self._newer = newer
        self._dice = dice
        self._stopped = False
        self.begun = 0
        self._begin: dict[type[Fault], Callable[[Fault], Callable[[], None] | None]] = {
            Partition: self._partition,  # type: ignore[dict-item] # each is only given its own kind
            Weather: self._weather,  # type: ignore[dict-item] # as above
            Clog: self._clog,  # type: ignore[dict-item] # as above
            Crash: self._crash,  # type: ignore[dict-item] # as above
            Pause: self._pause,  # type: ignore[dict-item] # as above
            Disk: self._disk,  # type: ignore[dict-item] # as above
            ClockFault: self._clock,  # type: ignore[dict-item] # as above
            MemberChange: self._member,  # type: ignore[dict-item] # as above
            RollingRestart: self._restart,  # type: ignore[dict-item] # as above
            Admin: self._admin,  # type: ignore[dict-item] # as above
        }

    def follow(self, schedule: Schedule) -> None:
        """Everything in it happens in its time."""
        for place, fault in enumerate(schedule.faults):
            self._loop.call_at(fault.at_s, self._inject, place, fault)

    def stop(self) -> None:
        """Nothing more is begun."""
        self._stopped = True
        self._cluster.armed.clear()

    def _inject(self, place: int, fault: Fault) -> None:
        if self._stopped:
            return
        self.begun += 1
        name = f"{fault.kind} {place}"
        undo = self._begin[type(fault)](fault)
        self._cluster.struck[_struck(fault)] += 1
        self._recorder.note("fault", "nemesis", name, "start" if fault.for_s else "moment")
        if fault.for_s:
            self._loop.call_later(fault.for_s, self._undo, name, undo)

    def _undo(self, name: str, undo: Callable[[], None] | None) -> None:
        if self._stopped:
            return
        if undo is not None:
            undo()
        self._recorder.note("fault", "nemesis", name, "stop")

    # --- the network -----------------------------------------------------------------------------------------------

    def _links(self, links: Iterable[Link]) -> list[Link]:
        resolve = self._cluster.resolve
        leader = resolve(LEADER)
        named = ((source or leader, target or leader) for source, target in links)  # clients stay clients
        return [link for link in named if link[0] != link[1]]

    def _partition(self, fault: Partition) -> Callable[[], None]:
        links = self._links(fault.links)
        self._cluster.network.cut(links)
        return lambda: self._cluster.network.mend(links)

    def _weather(self, fault: Weather) -> Callable[[], None]:
        self._cluster.network.become(frozenset(self._links(fault.links)), fault)
        return lambda: self._cluster.network.clear_up(fault)

    def _clog(self, fault: Clog) -> Callable[[], None]:
        links = self._links(fault.links)
        self._cluster.network.clog(links)
        return lambda: self._cluster.network.unclog(links)

    # --- machines --------------------------------------------------------------------------------------------------

    def _machine(self, node: int) -> Machine:
        return self._cluster.machines[self._cluster.resolve(node)]

    def _crash(self, fault: Crash) -> Callable[[], None] | None:
        def crash(number: int) -> None:
            self._cluster.end(number, power=fault.power)
            self._cluster.later(fault.for_s, self._cluster.start, number)

        if fault.point:
            self._cluster.armed.append((fault.node, fault.point, crash))
        else:
            crash(self._cluster.resolve(fault.node))
        return None

    def _pause(self, fault: Pause) -> Callable[[], None] | None:
        def pause(number: int) -> None:
            life = self._cluster.machines[number].life
            if life is not None and life.time.held is None:
                life.time.pause()
                self._cluster.later(fault.for_s, life.time.resume)

        if fault.point:
            self._cluster.armed.append((fault.node, fault.point, pause))
        else:
            pause(self._cluster.resolve(fault.node))
        return None

    def _clock(self, fault: ClockFault) -> Callable[[], None]:
        machine = self._machine(fault.node)

        def become(ahead_s: float, drift: float) -> None:
            machine.ahead_s, machine.drift = ahead_s, drift
            if machine.life is not None:
                machine.life.time.calendar_ahead_s = ahead_s
                machine.life.time.drift(drift)

        become(machine.ahead_s + fault.jump_s, fault.drift)
        return lambda: become(machine.ahead_s, 0.0)

    def _restart(self, fault: RollingRestart) -> None:
        step_s = max(RESTARTS_S, fault.for_s / len(fault.nodes))
        for turn, number in enumerate(fault.nodes):
            self._cluster.later(turn * step_s, self._restart_one, number, fault.upgrade)

    def _restart_one(self, number: int, upgrade: bool) -> None:  # noqa: FBT001 (a timer's callback)
        if self._stopped or number not in self._cluster.machines:
            return
        machine = self._cluster.machines[number]
        self._cluster.end(number, power=False, gently=True)
        if upgrade:
            machine.knobs = self._newer
        self._cluster.later(RESTARTS_S, self._cluster.start, number)

    # --- disks -----------------------------------------------------------------------------------------------------

    def _disk(self, fault: Disk) -> Callable[[], None] | None:
        machine = self._machine(fault.node)
        match fault.damage:
            case "slow":
                return self._slow(machine, fault.delay_s)
            case "enospc":
                self._cluster.faulty_disks.add(machine.number)
                machine.engine.full = True
                return lambda: _empty(machine)
            case "eio-write":
                self._cluster.faulty_disks.add(machine.number)
                machine.engine.faults.writes_before_failure = self._dice.randrange(3)
            case "eio-sync":
                self._cluster.faulty_disks.add(machine.number)
                machine.engine.faults.syncs_before_failure = self._dice.randrange(3)
            case "torn":
                machine.engine.torn = True
            case "bit-flip":
                self._cluster.damage(machine.number, lambda machine: machine.engine.flip_a_bit(self._dice))
            case "misdirect":
                self._cluster.damage(machine.number, lambda machine: machine.engine.misdirect(self._dice))
        return None

    def _slow(self, machine: Machine, delay_s: float) -> Callable[[], None]:
        def become(delay_s: float) -> None:
            machine.disk_delay_s = delay_s
            if machine.life is not None:
                machine.life.storage.delay_s = delay_s

        become(delay_s)
        return lambda: become(0.0)

    # --- operators -------------------------------------------------------------------------------------------------

    def _member(self, fault: MemberChange) -> None:
        self._cluster.operate(fault.action, self._cluster.resolve(fault.node))

    def _admin(self, fault: Admin) -> None:
        machine = self._machine(fault.node)
        if machine.life is None:
            return
        replica = machine.life.replica
        if fault.action == "defragment":
            replica.upkeep.defragment()
        elif fault.action == "compact":
            self._compact(replica)
        elif fault.action == "transfer":
            self._cluster.transfer(self._dice.randrange(1 << 30))

    def _compact(self, replica: Replica) -> None:
        """An operator compacts to the present, and does not wait for the answer."""
        request = CompactionRequest(revision=replica.store.revision)
        process = f"operator {self.begun}"
        self._recorder.note("invoke", process, "compact", {"revision": request.revision})
        with suppress(RequestError):
            replica.propose(body(COMPACT, request.SerializeToString()))
        self._recorder.note("info", process, "compact")


def _struck(fault: Fault) -> str:
    """What is counted: the kind of a fault, and which one of its kind."""
    which = getattr(fault, "damage", "") or getattr(fault, "action", "") or getattr(fault, "shape", "")
    if isinstance(fault, RollingRestart) and fault.upgrade:
        which = "upgrade"
    if isinstance(fault, Partition) and any(CLIENTS in link for link in fault.links):
        which += " with clients"
    return f"{fault.kind} {which}".strip()


def _empty(machine: Machine) -> None:
    """There is room on the disk again."""
    machine.engine.full = False
