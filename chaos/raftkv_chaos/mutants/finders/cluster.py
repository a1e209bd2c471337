"""Clients of a cluster on rough ground. At the end everything heals, and every answer is held against the log.

With the revision in every answer linearizability needs no search: a write takes its place in the order by its revision, a read by the
revision of the state that it saw. What is left to ask is whether that order is the one of real time, and whether each read saw
what the order says (Herlihy and Wing 1990, for histories that tell their own order).
"""

import asyncio
import random
from bisect import bisect_right
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from raftkv.apply.command import LEASE_GRANT, PUT, USER_ADD, body
from raftkv.errors import RequestError, TooManyRequestsError
from raftkv.mvcc.steps import finish
from raftkv.pb import rpc
from raftkv.pb.auth import UserAddOptions
from raftkv.pb.command import RequestId
from raftkv_chaos.mutants.finders.rough import RoughCluster, Tasks
from raftkv_chaos.sim.loop import run
from tests.server.replicas import Node

KEYS = 4
CLIENTS = 5
ROUGH_S = 8.0
CALM_S = 60.0
"""Within so long after the last fault everything must be well."""
PATIENCE_S = 2.5
STALENESS_S = 0.3
LEASE = 7


@dataclass(slots=True)
class Write:
    """One put, of a value that nobody else puts."""

    key: str
    value: str
    floor: int
    """The newest revision that anybody had been answered when it began."""
    revision: int = 0
    """As answered; 0: nobody knows."""
    refused: bool = False
    """Answered that it was not done, and never will be."""


@dataclass(frozen=True, slots=True)
class Read:
    """What was seen of one key, in the state of which revision."""

    kind: str
    floor: int
    revision: int
    key: str
    value: str | None


class History:
    """What the clients did and heard."""

    def __init__(self) -> None:
        self.writes: list[Write] = []
        self.reads: list[Read] = []
        self.answered = 0
        """The newest revision in any answer."""
        self._since: list[tuple[float, int]] = [(float("-inf"), 0)]

    def heard(self, revision: int, now: float) -> None:
        """An answer with that revision."""
        if revision > self.answered:
            self.answered = revision
            self._since.append((now, revision))

    def answered_at(self, then: float) -> int:
        """The newest revision in any answer until then."""
        return self._since[bisect_right(self._since, (then, 1 << 62)) - 1][1]


@dataclass(frozen=True, slots=True)
class Plan:
    """What goes wrong, where not everything does."""

    kinds: list[Callable[[RoughCluster, random.Random], None]] = field(default_factory=list)
    power_loss: float = 0.0
    """How often a machine whose disk is about to fail, or has failed unnoticed, loses power at the next fault."""


def find(seed: int) -> None:
    """One cluster."""
    run(_scenario(seed))


def find_failing(seed: int) -> None:
    """One cluster whose disks fail, and whose machines lose power soon after."""
    run(_scenario(seed, Plan([_fail_disk, _fail_disk, _hand_over, _weather, _heal], power_loss=0.3)))


async def _scenario(seed: int, plan: "Plan | None" = None) -> None:
    rng = random.Random(seed)  # noqa: S311 (to be repeated)
    async with Tasks() as tasks:
        settings = {"snapshot_count": rng.choice((10, 30, 1000)), "catch_up_entries": rng.choice((2, 10))}
        cluster = RoughCluster(tasks, rng.choice((1, 3, 3, 3, 5)), rng.getrandbits(32), patience_s=PATIENCE_S, **settings)
        history = History()
        await _prepare(cluster)
        await _rough_times(cluster, history, rng, plan or Plan())
        cluster.check()
        cluster.calm()
        await _recovers(cluster)
        _judge(history, cluster.up()[0])
        await _restarts_as_it_was(cluster)
        for node in cluster.nodes.values():
            node.replica.stop()
            node.replica.failed.cancel()
        tasks.cancel()


async def _prepare(cluster: RoughCluster) -> None:
    """State of every kind: a snapshot must carry it all."""
    leader = await cluster.leader()
    grant = rpc.LeaseGrantRequest(ID=LEASE, TTL=10_000)
    user = rpc.AuthUserAddRequest(name="u", options=UserAddOptions(no_password=True))
    hung = rpc.PutRequest(key=b"hung", lease=LEASE)
    for tag, request in ((LEASE_GRANT, grant), (USER_ADD, user), (PUT, hung)):
        await leader.replica.propose(body(tag, request.SerializeToString()), RequestId(client=b"first", sequence=tag[0]))


# --- rough times -------------------------------------------------------------------------------------------------------------


async def _rough_times(cluster: RoughCluster, history: History, rng: random.Random, plan: "Plan") -> None:
    clients = [Client(number, cluster, history, random.Random(rng.getrandbits(32))) for number in range(CLIENTS)]  # noqa: S311 (to be repeated)
    ended = asyncio.get_running_loop().time() + ROUGH_S
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_faults(cluster, rng, ended, plan))
        for client in clients:
            tasks.create_task(client.run(ended))


async def _faults(cluster: RoughCluster, rng: random.Random, ended: float, plan: "Plan") -> None:
    """One fault after the other, from a choice of this seed's own."""
    kinds = plan.kinds or [
        _crash, _crash, _cut, _one_way, _clog, _hand_over, _hand_back, _fail_disk, _weather, _heal, _power_cut,
    ]  # fmt: skip
    weights = [rng.choice((0, 1, 3)) for _ in kinds]
    weights[kinds.index(_heal)] = 3
    now = asyncio.get_running_loop().time
    while now() < ended:
        await asyncio.sleep(rng.uniform(0.05, 0.8))
        rng.choices(kinds, weights)[0](cluster, rng)
        for node in list(cluster.nodes.values()):
            unaware = plan.power_loss and rng.random() < plan.power_loss
            if node.node_id in cluster.doomed and (node.replica.failed.done() or unaware):
                cluster.crash(node)
        for node_id in sorted(cluster.down):
            if rng.random() < 0.4:
                cluster.start(cluster.nodes[node_id])


def _any(cluster: RoughCluster, rng: random.Random) -> Node | None:
    """A node that runs; often one that leads."""
    up = cluster.up()
    leaders = [node for node in up if node.replica.is_leader]
    return rng.choice(leaders if leaders and rng.random() < 0.5 else up) if up else None


def _crash(cluster: RoughCluster, rng: random.Random) -> None:
    if (node := _any(cluster, rng)) is not None:
        cluster.crash(node)


def _power_cut(cluster: RoughCluster, _: random.Random) -> None:
    for node in cluster.up():
        cluster.crash(node)


def _cut(cluster: RoughCluster, rng: random.Random) -> None:
    if (node := _any(cluster, rng)) is not None:
        cluster.network.isolate(node.node_id)


def _one_way(cluster: RoughCluster, rng: random.Random) -> None:
    if (node := _any(cluster, rng)) is None:
        return
    outwards = rng.random() < 0.5
    for other in cluster.ids:
        if other != node.node_id and rng.random() < 0.8:
            cluster.network.cut(*((node.node_id, other) if outwards else (other, node.node_id)))


def _clog(cluster: RoughCluster, rng: random.Random) -> None:
    if (node := _any(cluster, rng)) is None:
        return
    for other in cluster.ids:
        if other != node.node_id and rng.random() < 0.5:
            cluster.rough.clog(other, node.node_id)


def _hand_back(cluster: RoughCluster, rng: random.Random) -> None:
    """Leadership leaves, and comes back before everybody has noticed."""
    leader = next((node for node in cluster.up() if node.replica.is_leader), None)
    if leader is None:
        return

    def hand_back() -> None:
        for node in cluster.up():
            if node.replica.is_leader and leader in cluster.up() and node is not leader:
                node.replica._raft.transfer_leadership(leader.node_id)  # noqa: SLF001 (without waiting for what comes of it)
                node.replica.wake()

    _hand_over(cluster, rng)
    asyncio.get_running_loop().call_later(rng.uniform(0.05, 0.5), hand_back)


def _hand_over(cluster: RoughCluster, rng: random.Random) -> None:
    for node in cluster.up():
        others = [other.node_id for other in cluster.up() if other is not node]
        if node.replica.is_leader and others:
            node.replica._raft.transfer_leadership(rng.choice(others))  # noqa: SLF001 (without waiting for what comes of it)
            node.replica.wake()


def _fail_disk(cluster: RoughCluster, rng: random.Random) -> None:
    if (node := _any(cluster, rng)) is not None:
        cluster.fail_disk(node)


def _weather(cluster: RoughCluster, rng: random.Random) -> None:
    network, pace = cluster.rough, cluster.pace
    network.delay_s = rng.choice((0.001, 0.01, 0.05))
    network.late, network.lost, network.repeated = (rng.choice((0.0, 0.05, 0.2)) for _ in range(3))
    pace.sync_s, pace.stalls = rng.choice((0.0, 0.002, 0.03)), rng.choice((0.0, 0.0, 0.05))


def _heal(cluster: RoughCluster, _: random.Random) -> None:
    cluster.network.heal()


class Client:
    """One client, one request at a time, at any node."""

    def __init__(self, number: int, cluster: RoughCluster, history: History, rng: random.Random) -> None:
        self._number = number
        self._cluster = cluster
        self._history = history
        self._rng = rng
        self._count = 0
        self._now = asyncio.get_running_loop().time

    async def run(self, ended: float) -> None:
        while self._now() < ended:
            await asyncio.sleep(self._rng.expovariate(1 / 0.03))
            up = self._cluster.up()
            if up:
                node = self._rng.choice(up)
                await self._rng.choice((self._put, self._put_with_id, self._read, self._read_bounded, self._read_here))(node)

    def _write(self) -> Write:
        self._count += 1
        write = Write(f"k{self._rng.randrange(KEYS)}", f"{self._number}-{self._count}", self._history.answered)
        self._history.writes.append(write)
        return write

    async def _put(self, node: Node) -> None:
        write = self._write()
        try:
            reply = node.put(write.key, write.value)
        except RequestError:
            write.refused = True
            return
        await self._settle(write, reply)

    async def _put_with_id(self, node: Node) -> None:
        """Tried again at any node until it is answered."""
        write = self._write()
        request_id = RequestId(client=b"%d" % self._number, sequence=self._count)
        for _ in range(5):
            try:
                await self._settle(write, node.put(write.key, write.value, request_id))
            except RequestError:
                await asyncio.sleep(0.1)
            if write.revision or write.refused:
                return
            up = self._cluster.up()
            if not up:
                return
            node = self._rng.choice(up)

    async def _settle(self, write: Write, reply: Awaitable[Any]) -> None:
        try:
            async with asyncio.timeout(2 * PATIENCE_S):
                response = await reply
        except TooManyRequestsError:
            write.refused = True
        except (RequestError, TimeoutError):
            return
        else:
            write.revision = response.header.revision
            self._history.heard(write.revision, self._now())

    async def _read(self, node: Node) -> None:
        await self._look("linearizable", node, self._history.answered, node.replica.read)

    async def _read_bounded(self, node: Node) -> None:
        floor = self._history.answered_at(self._now() - STALENESS_S)
        await self._look("bounded", node, floor, lambda work: node.replica.read_bounded(work, STALENESS_S))

    async def _read_here(self, node: Node) -> None:
        await self._look("serializable", node, 0, node.replica.read_local)

    async def _look(self, kind: str, node: Node, floor: int, read: Any) -> None:
        key = f"k{self._rng.randrange(KEYS)}"
        try:
            async with asyncio.timeout(2 * PATIENCE_S):
                revision, value = await read(lambda: (node.replica.store.revision, node.look(key)))
        except (RequestError, TimeoutError):
            return
        self._history.reads.append(Read(kind, floor, revision, key, value))
        if kind == "linearizable":
            self._history.heard(revision, self._now())


# --- calm --------------------------------------------------------------------------------------------------------------------


async def _recovers(cluster: RoughCluster) -> None:
    """Everybody reads, then writes, then all are equal; before anything is written, for a leader needs no help."""
    try:
        async with asyncio.timeout(CALM_S):
            for node in cluster.nodes.values():
                await _insist(cluster, node, write=False)
            for node in cluster.nodes.values():
                await _insist(cluster, node, write=True)
            while len({node.replica.machine.applied_index for node in cluster.nodes.values()}) > 1:
                await asyncio.sleep(0.05)
                cluster.check()
    except TimeoutError:
        raise AssertionError(f"not well {CALM_S:.0f} s after all faults have ended: {_state(cluster)}") from None
    hashes = {finish(node.replica.store.hash_all()) for node in cluster.nodes.values()}
    assert len(hashes) == 1, "the replicas' states differ"


def _state(cluster: RoughCluster) -> str:
    return ", ".join(f"{node.node_id} follows {node.replica.leader}" for node in cluster.nodes.values())


async def _insist(cluster: RoughCluster, node: Node, *, write: bool) -> None:
    while True:
        cluster.check()
        try:
            await (node.put("end", "end") if write else node.get("end"))
        except RequestError:
            await asyncio.sleep(0.1)
        else:
            return


async def _restarts_as_it_was(cluster: RoughCluster) -> None:
    """Power fails everywhere at once; what was answered is still there."""
    answered = max(node.replica.store.revision for node in cluster.nodes.values())
    for node in list(cluster.nodes.values()):
        cluster.crash(node)
    for node in cluster.nodes.values():
        cluster.start(node)
    await _recovers(cluster)
    revision = cluster.up()[0].replica.store.revision
    assert revision >= answered, f"revision {answered} was answered, after a restart it is {revision}"


def _judge(history: History, node: Node) -> None:
    """Holds every answer against what the log has made of all requests."""
    store = node.replica.store
    order: dict[str, int] = {}
    by_key: dict[str, list[tuple[int, str]]] = {}
    for event in (event for batch in store.changes(1, store.revision) for event in batch):
        key, value = event.key.decode(), event.kv.value.decode()
        if key not in {"end", "hung"}:
            assert value not in order, f"{value} is put at {order[value]} and again at {event.revision}"
            order[value] = event.revision
            by_key.setdefault(key, []).append((event.revision, value))
    for write in history.writes:
        _judge_write(write, order.get(write.value))
    for read in history.reads:
        _judge_read(read, by_key.get(read.key, []))


def _judge_write(write: Write, revision: int | None) -> None:
    assert not (write.refused and revision), f"{write.value} was refused, and is put at {revision}"
    assert not write.revision or revision == write.revision, (
        f"{write.value} was acknowledged at {write.revision}, it is at {revision}"
    )
    assert revision is None or revision > write.floor, (
        f"{write.value} began after {write.floor} was answered, and is at {revision}"
    )


def _judge_read(read: Read, versions: list[tuple[int, str]]) -> None:
    assert read.revision >= read.floor, f"a {read.kind} read sees revision {read.revision}, {read.floor} was answered before"
    at = bisect_right(versions, (read.revision, "\U0010ffff"))
    value = versions[at - 1][1] if at else None
    assert read.value == value, f"a {read.kind} read of {read.key} at revision {read.revision} sees {read.value}, not {value}"
