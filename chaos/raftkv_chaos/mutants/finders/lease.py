"""Leases of a cluster on rough ground: clients grant, renew, and look; leaders stall, stand still, jump, are cut off and hand over.

never early     a lease is gone at no node before its last promise, counted from when that was asked for, is over
never again     what was gone is not renewed
in time         when nobody renews any more, all are gone soon, though leaders change and writes flood
"""

import asyncio
import random
from dataclasses import dataclass

from raftkv.errors import RequestError, TooManyRequestsError
from raftkv.mvcc.steps import finish
from raftkv_chaos.mutants.finders.rough import RoughCluster, Tasks
from raftkv_chaos.sim.loop import run
from tests.server.replicas import Node
from tests.server.test_leases import Leases

CLIENTS = 6
ROUGH_S = 25.0
LOOK_S = 0.05
CHECKPOINTS_S = (1.0, 300.0)
"""Either nearly all leases have checkpoints, or none."""
END_S = 60.0
"""Within so long all leases end when nobody renews them, however often the leader changes and however much is written."""
PATIENCES_S = (0.5, 2.0, 7.0)
"""How long nodes wait for the log: less than a disk may stall, or longer."""
IN_VAIN_S = 1.2
"""How long a node is cut off to which leadership is handed: longer than the leader tries."""
REIGN_S = 4.0
"""How long a leader leads then, where it changes: less than some leases last."""
PACES = ((0.1, 0.5), (0.1, 0.9), (0.8, 1.05))
"""When clients renew, as shares of the TTL: in good time, or when it may be too late."""


@dataclass(slots=True)
class Known:
    """What is known of one lease."""

    ttl: int
    promised_until: float = 0.0
    gone_at: float | None = None


class World:
    """One cluster, its leases, and what clients were told."""

    def __init__(self, cluster: RoughCluster, rng: random.Random) -> None:
        self.rng = rng
        self.cluster = cluster
        self.checkpoint_s = rng.choice(CHECKPOINTS_S)
        self.leases = Leases(cluster, checkpoint_interval_s=self.checkpoint_s)
        self.known: dict[int, Known] = {}
        self.floods = rng.random() < 0.15
        """Whether everybody writes at once now and then, which takes time to live through."""
        self._still: dict[int, asyncio.Event] = {}
        self._applied = 0
        """How far any node has been seen to be: who is behind that says nothing of what is gone."""
        self.now = asyncio.get_running_loop().time

    def alive(self, lease_id: int) -> list[Node]:
        """The nodes that still have the lease."""
        return [node for node in self.cluster.up() if self.leases.has(node, lease_id)]

    async def awake(self, node: Node) -> None:
        """Returns as soon as the node is there to be asked."""
        if (still := self._still.get(node.node_id)) is not None:
            await still.wait()

    def stand_still(self, node: Node, seconds: float) -> None:
        """A node's process is stopped. Clients are the first to be answered when it goes on."""
        if node.node_id in self._still:
            return
        replica, keeper = node.replica, self.leases.keepers[node.node_id]
        self._still[node.node_id] = asyncio.Event()
        self.cluster.rough.hold(node.node_id)
        keeper.stop()
        if replica._ticker is not None:  # noqa: SLF001 (its time stands still)
            replica._ticker.cancel()  # noqa: SLF001

        def go_on() -> None:
            self._still.pop(node.node_id).set()
            self.cluster.rough.let_go(node.node_id)
            if node.replica is replica and not replica.failed.done():
                replica._tick()  # noqa: SLF001
                keeper._duty._look()  # noqa: SLF001

        asyncio.get_running_loop().call_later(seconds, go_on)

    def saw(self, node: Node) -> None:
        """Notes how far a node is."""
        self._applied = max(self._applied, node.replica.machine.applied_index)

    def look(self) -> None:
        """What every node has, against what was promised."""
        self.cluster.check()
        furthest = max(self.cluster.up(), key=lambda node: node.replica.machine.applied_index, default=None)
        if furthest is None or furthest.replica.machine.applied_index < self._applied:
            return
        self.saw(furthest)
        for lease_id, known in self.known.items():
            self._look_at(lease_id, known, gone=not self.leases.has(furthest, lease_id))

    def _look_at(self, lease_id: int, known: Known, *, gone: bool) -> None:
        now = self.now()
        if gone and known.gone_at is None:
            known.gone_at = now
            assert now >= known.promised_until, (
                f"lease {lease_id} is gone at {now:.2f} s, promised until {known.promised_until:.2f} s"
            )


def find(seed: int) -> None:
    """One cluster."""
    run(_scenario(seed))


async def _scenario(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 (to be repeated)
    async with Tasks() as tasks:
        settings = {"max_pending": rng.choice((20, 20_000)), "patience_s": rng.choice(PATIENCES_S)}
        cluster = RoughCluster(tasks, 3, rng.getrandbits(32), **settings)
        world = World(cluster, rng)
        await cluster.leader()
        await _rough_times(world)
        cluster.calm()
        await _all_end(world)
        for node in cluster.nodes.values():
            world.leases.keepers[node.node_id].stop()
            node.replica.stop()
            node.replica.failed.cancel()
        tasks.cancel()


async def _rough_times(world: World) -> None:
    ended = world.now() + ROUGH_S
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_faults(world, ended))
        tasks.create_task(_watch_over(world, ended))
        if world.floods:
            tasks.create_task(_flood(world, ended))
        for number in range(CLIENTS):
            tasks.create_task(_client(world, number, ended))


async def _watch_over(world: World, ended: float) -> None:
    while world.now() < ended:
        await asyncio.sleep(LOOK_S)
        world.look()


# --- clients ------------------------------------------------------------------------------------------------------------------


async def _client(world: World, number: int, ended: float) -> None:
    """Grants one lease after the other; renews it for a while, then no more."""
    rng = random.Random(world.rng.getrandbits(32))  # noqa: S311 (to be repeated)
    generation = 0
    while world.now() < ended:
        generation += 1
        lease_id = number * 1000 + generation
        known = await _grant(world, rng, lease_id)
        if known is None:
            await asyncio.sleep(0.2)
            continue
        renewals, often = rng.choice((0, 2, 5, 20)), rng.choice(PACES)
        while renewals and known.gone_at is None and world.now() < ended:
            renewals -= 1
            await asyncio.sleep(rng.uniform(*often) * known.ttl)
            await _renew(world, rng, lease_id, known)
        while known.gone_at is None and world.now() < ended:  # noqa: ASYNC110 (virtual time passes, no real one)
            await asyncio.sleep(0.2)
        if known.gone_at is not None and rng.random() < 0.5:
            await _renew(world, rng, lease_id, known)


async def _grant(world: World, rng: random.Random, lease_id: int) -> Known | None:
    up = world.cluster.up()
    if not up:
        return None
    asked, ttl = world.now(), rng.choice((2, 3, 6, 12))
    try:
        async with asyncio.timeout(20):
            await world.awake(node := rng.choice(up))
            await world.leases.grant(node, lease_id, ttl)
            world.saw(node)
    except (RequestError, TimeoutError):
        return None
    known = world.known[lease_id] = Known(ttl, promised_until=asked + ttl if world.now() < asked + ttl else 0.0)
    return known


async def _renew(world: World, rng: random.Random, lease_id: int, known: Known) -> None:
    up = world.cluster.up()
    if not up:
        return
    asked, gone_before = world.now(), known.gone_at is not None
    try:
        async with asyncio.timeout(20):
            await world.awake(node := rng.choice(up))
            ttl = await world.leases.renew(node, lease_id)
    except (RequestError, TimeoutError):
        return
    if ttl:
        assert not gone_before, f"lease {lease_id} is renewed, and was gone at {known.gone_at:.2f} s"
        known.promised_until = max(known.promised_until, asked + ttl)
        gone = known.gone_at
        assert gone is None or gone >= known.promised_until, (
            f"lease {lease_id} went at {gone} s, promised until {known.promised_until:.2f} s"
        )


async def _flood(world: World, ended: float) -> None:
    """Now and then everybody writes at once."""
    rng = random.Random(world.rng.getrandbits(32))  # noqa: S311 (to be repeated)
    while world.now() < ended:
        await asyncio.sleep(rng.uniform(1, 6))
        until = world.now() + rng.uniform(0.5, 2)
        while world.now() < until:
            for node in world.cluster.up():
                _write_until_refused(node)
            await asyncio.sleep(0.02)


def _write_until_refused(node: Node) -> None:
    try:
        for number in range(25):
            node.put("flood", str(number))
    except (TooManyRequestsError, RequestError):
        return


# --- faults -------------------------------------------------------------------------------------------------------------------


async def _faults(world: World, ended: float) -> None:
    rng = random.Random(world.rng.getrandbits(32))  # noqa: S311 (to be repeated)
    kinds = [_isolate_leader, _hand_over, _stop, _jump, _crash, _stall, _heal]
    weights = [rng.choice((0, 1, 2, 6)) for _ in kinds]
    weights[-1] = 3
    while world.now() < ended:
        await asyncio.sleep(rng.uniform(0.3, 3))
        rng.choices(kinds, weights)[0](world, rng)
        for node_id in sorted(world.cluster.down):
            if rng.random() < 0.5:
                world.cluster.start(world.cluster.nodes[node_id])
                world.leases.keep(world.cluster.nodes[node_id])


def _leader(world: World) -> Node | None:
    return next((node for node in world.cluster.up() if node.replica.is_leader), None)


def _isolate_leader(world: World, rng: random.Random) -> None:
    if (node := _leader(world)) is not None:
        for other in world.cluster.ids:
            if other != node.node_id:
                world.cluster.network.cut(other, node.node_id)
                if rng.random() < 0.8:
                    world.cluster.network.cut(node.node_id, other)


def _hand_over(world: World, rng: random.Random) -> None:
    if (node := _leader(world)) is not None:
        others = [other.node_id for other in world.cluster.up() if other is not node]
        if others:
            node.replica._raft.transfer_leadership(rng.choice(others))  # noqa: SLF001 (without waiting for what comes of it)
            node.replica.wake()


def _hand_over_in_vain(world: World, rng: random.Random) -> None:
    """To one that does not hear of it: for an election timeout nothing can be proposed, and the leader stays."""
    if (node := _leader(world)) is not None:
        target = rng.choice([other for other in world.cluster.ids if other != node.node_id])
        world.cluster.network.cut(node.node_id, target)
        node.replica._raft.transfer_leadership(target)  # noqa: SLF001 (as above)
        asyncio.get_running_loop().call_later(IN_VAIN_S, world.cluster.network.heal)


def _stop(world: World, rng: random.Random) -> None:
    """A process, mostly the leader's, is stopped for a while."""
    node = _leader(world) if rng.random() < 0.8 else rng.choice(list(world.cluster.nodes.values()))
    if node is not None and node in world.cluster.up():
        world.stand_still(node, rng.uniform(0.5, 8))


def _jump(world: World, rng: random.Random) -> None:
    """A clock jumps ahead, as that of a process does that stood still."""
    node = rng.choice(list(world.cluster.nodes.values()))
    world.leases.clocks[node.node_id].ahead += rng.choice((1.0, 10.0, 3600.0))


def _crash(world: World, rng: random.Random) -> None:
    if len(world.cluster.up()) == len(world.cluster.nodes):
        node = rng.choice(world.cluster.up())
        world.leases.keepers[node.node_id].stop()
        world.cluster.crash(node)


def _stall(world: World, rng: random.Random) -> None:
    world.cluster.rough.delay_s = rng.choice((0.001, 0.02, 0.1))
    world.cluster.rough.late = rng.choice((0.0, 0.1))
    world.cluster.pace.sync_s = rng.choice((0.0, 0.02))
    world.cluster.pace.stalls = rng.choice((0.0, 0.1))


def _heal(world: World, _: random.Random) -> None:
    world.cluster.network.heal()


# --- calm ---------------------------------------------------------------------------------------------------------------------


async def _all_end(world: World) -> None:
    """Nobody renews any more: everything ends, everywhere alike."""
    for node in world.cluster.up():
        if world.leases.keepers[node.node_id]._replica is not node.replica:  # noqa: SLF001 (it was started anew)
            world.leases.keep(node)
    ended = world.now() + END_S
    floods, act = world.floods, world.rng.choice((None, _hand_over, _hand_over_in_vain))
    if act is _hand_over and world.checkpoint_s > REIGN_S:
        act = None  # without checkpoints each new leader gives every lease its whole time again
    next_act = world.now()
    while world.now() < ended and any(world.alive(lease_id) for lease_id in world.known):
        await asyncio.sleep(LOOK_S)
        world.look()
        if act is not None and world.now() > next_act:
            next_act += REIGN_S if act is _hand_over else world.rng.uniform(IN_VAIN_S, REIGN_S)
            act(world, world.rng)
        for node in world.cluster.up() if floods else ():
            _write_until_refused(node)
    left = [lease_id for lease_id in world.known if world.alive(lease_id)]
    assert not left, f"leases {left} never end"
    await world.cluster.agree()
    hashes = {finish(node.replica.store.hash_all()) for node in world.cluster.nodes.values()}
    assert len(hashes) == 1, "the replicas' states differ"
