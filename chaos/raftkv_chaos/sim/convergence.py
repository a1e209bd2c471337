"""The second half of a run: what must come right when faults end.

    core   a quorum that was drawn is healed, all other nodes are dead: it elects a leader, takes writes, and agrees
    all    everybody is back: all agree, watchers have been told everything, leases that nobody renews are over

Both within bounded virtual time. Without this, a cluster that does nothing at all would be right.
"""

import asyncio
import random
import zlib
from collections.abc import Callable
from contextlib import suppress

from raftkv.apply.command import PUT, body
from raftkv.errors import RequestError
from raftkv.mvcc.hashing import HistoryHash
from raftkv.mvcc.steps import finish
from raftkv.pb import rpc
from raftkv.storage.engine import Table
from raftkv_chaos.sim.cluster import Cluster
from raftkv_chaos.sim.node import Machine
from raftkv_chaos.sim.violation import ViolationError

ELECTIONS = 40
"""Election timeouts within which a healed cluster works again."""
LEAST_S = 15.0
"""In any case so long: requests of before may wait for seven seconds."""
LEASES_S = 20.0
CHANGES_S = 15.0
LOOK_S = 0.05
HASHED = (Table.LIVE, Table.MEMBERS, Table.LEASES, Table.LEASE_KEYS, Table.REQUESTS, Table.AUTH)
"""Tables that are the same on all nodes, whatever each has tidied away."""


class Convergence:
    """Heals and waits."""

    def __init__(self, cluster: Cluster, bound_s: float, dice: random.Random) -> None:
        self._cluster = cluster
        self._bound_s = bound_s
        self._dice = dice

    async def core(self) -> None:
        """A quorum of nodes alone."""
        cluster = self._cluster
        self._heal()
        await self._settled()
        core = self._draw_core()
        for machine in cluster.up():
            if machine.number not in core:
                cluster.end(machine.number, power=True)
        machines = [cluster.machines[number] for number in sorted(core)]
        believed = cluster.memberships()
        try:
            await self._works(machines, "core")
        except ViolationError:
            if set(cluster.memberships()) <= set(believed):
                raise  # else a change of the members was on its way that nobody could see, and the core is none any more

    async def _settled(self) -> None:
        """Nobody waits for a change of the members: whose quorum counts must be known before one is drawn."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CHANGES_S):
                while self._cluster.changing():  # noqa: ASYNC110 (virtual time passes)
                    await asyncio.sleep(LOOK_S)

    async def back(self) -> None:
        """Everybody who is left."""
        for number in self._cluster.machines:
            self._cluster.start(number)
        await self._works(self._standing(), "all")

    async def all(self) -> None:
        """Everybody who is left, and nobody has anything more to do."""
        await self.back()
        await self._soon(self._no_leases, LEASES_S, "leases that nobody renews are still there")

    def _heal(self) -> None:
        cluster = self._cluster
        cluster.stop_operating()
        cluster.network.heal()
        for machine in cluster.machines.values():
            machine.engine.full = machine.engine.torn = False
            machine.engine.faults.writes_before_failure = machine.engine.faults.syncs_before_failure = None
            machine.drift = machine.disk_delay_s = 0.0
            if machine.life is not None:
                machine.life.time.drift(0.0)
                machine.life.storage.delay_s = 0.0
                machine.life.time.resume()
            cluster.start(machine.number)

    def _draw_core(self) -> frozenset[int]:
        """Nodes that are a majority of whatever membership anybody believes in, at random and no more than needed."""
        cluster = self._cluster
        sound = [machine for machine in cluster.up() if not self._suspect(machine)]
        self._dice.shuffle(sound)
        core: set[int] = set()
        for machine in sound:
            members = {cluster.machines[number].member_id for number in core}
            if all(len(members.intersection(voters)) * 2 > len(voters) for voters in cluster.memberships()):
                break
            core.add(machine.number)
        return frozenset(core)

    def _suspect(self, machine: Machine) -> bool:
        return machine.damaged or self._cluster.is_doomed(machine.number)

    def _standing(self) -> list[Machine]:
        """The members that can take part: the others were removed, or their disks are lost."""
        cluster = self._cluster
        members = {member.ID for member in cluster.known_members()}
        return [m for m in cluster.up() if m.member_id in members and not self._suspect(m)]

    async def _works(self, machines: list[Machine], who: str) -> None:
        began = self._cluster.now()
        await self._writes(machines, who)
        await self._soon(lambda: self._agree(self._present(machines)), self._bound_s, f"{who}: nodes do not catch up")
        self._cluster.recovery_s = max(self._cluster.recovery_s, self._cluster.now() - began)
        self._same_state(self._present(machines))

    def _present(self, machines: list[Machine]) -> list[Machine]:
        """Those who still take part: a node may learn only now that it was removed."""
        members = {member.ID for member in self._cluster.known_members()}
        return [machine for machine in machines if machine.up and machine.member_id in members]

    async def _writes(self, machines: list[Machine], who: str) -> None:
        """A write has success."""
        put = body(PUT, rpc.PutRequest(key=b"healed", value=who.encode()).SerializeToString())
        try:
            async with asyncio.timeout(self._bound_s):
                while True:
                    life = self._dice.choice(machines).life
                    try:
                        if life is not None and not life.replica.is_learner:
                            async with asyncio.timeout(2.0):
                                await life.replica.propose(put)
                            return
                    except (RequestError, TimeoutError):
                        pass
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            numbers = [machine.number for machine in machines]
            text = f"{who}: nodes {numbers} take no write within {self._bound_s:.0f} s; members {self._cluster.memberships()}"
            raise ViolationError("liveness", text) from None

    async def _soon(self, condition: Callable[[], bool], within_s: float, otherwise: str) -> None:
        try:
            async with asyncio.timeout(within_s):
                while not condition():  # noqa: ASYNC110 (virtual time passes)
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            lives = [(m.number, m.life.replica.term, m.state.applied_index) for m in self._cluster.up() if m.life is not None]
            raise ViolationError("liveness", f"{otherwise} within {within_s:.0f} s; (node, term, applied): {lives}") from None

    def _agree(self, machines: list[Machine]) -> bool:
        last = self._cluster.invariants.last_committed
        return all(machine.state.applied_index == last for machine in machines)

    def _no_leases(self) -> bool:
        return not any(machine.state.lessor.leases for machine in self._standing())

    def _same_state(self, machines: list[Machine]) -> None:
        """All have the same rows."""
        hashes = {machine.number: state_hash(machine) for machine in machines}
        if len(set(hashes.values())) > 1:
            raise ViolationError("state hash", f"equal logs, but states {hashes}")


def state_hash(machine: Machine) -> int:
    """A checksum over everything that is replicated."""
    assert machine.life is not None, "only of a node that runs"
    store = machine.state.store
    history = store.hash(0)
    checksum = zlib.crc32(repr(history if isinstance(history, HistoryHash) else finish(history)).encode())
    for table in HASHED:
        for key, value in machine.state._state.scan(table):
            checksum = zlib.crc32(value, zlib.crc32(key, zlib.crc32(bytes((table,)), checksum)))
    return checksum
