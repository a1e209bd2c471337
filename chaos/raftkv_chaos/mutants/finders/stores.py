"""The walks of the core, with the disks of replicas: each persist also goes through the writer to the store, and after every write and
every crash the store has to know what the walk's plain disk knows.

Now and then a node is left so far behind that it comes back by a snapshot, while leadership moves; what reaches it in one turn goes to
disk in one batch.
"""

import asyncio
import random
from typing import Any, cast

from raftkv.clock import ManualClock
from raftkv.raft import Config, Persist
from raftkv.raft.messages import InstallSnapshot, Membership
from raftkv.server.measured import Measured
from raftkv.server.writer import Writer
from raftkv.storage.log import LogStore
from raftkv.storage.memory import MemoryEngine
from raftkv.storage.overlay import Overlay
from raftkv.storage.snapshot import SnapshotReceiver
from raftkv.storage.thread import InlineStorage
from raftkv_chaos.mutants.finders.raft import VARIANTS
from tests.raft import cluster
from tests.raft.chaos import NODES, Chaos, walk

ALL_BYTES = 1 << 30
RETURNS = 6
STEPS = 100
PATIENCE = 30


class _NoTimers:
    """A loop in which rows that linger wait for the next batch."""

    def call_later(self, *_: object) -> "_NoTimers":
        return self

    def cancel(self) -> None:
        pass


class StoredServer(cluster.Server):
    """A machine with two disks that are to agree."""

    def __init__(self, config: Config, membership: Membership, rng: random.Random) -> None:
        self._dice = random.Random(rng.getrandbits(32))  # noqa: S311 (to be repeated)
        self._engine = MemoryEngine()
        super().__init__(config, membership, rng)

    def start(self) -> None:
        """Power is back."""
        self._engine = self._engine.crash(self._dice)
        self._store = LogStore.open(self._engine)
        self._writer = Writer(
            self._engine,
            self._store,
            Overlay(self._engine),
            InlineStorage(lambda work, *arguments: work(*arguments)),
            cast("asyncio.AbstractEventLoop", _NoTimers()),
            clock=ManualClock(),
            measured=Measured(),
            synced=lambda _: None,
            failed=_fail,
        )
        self._compare()
        super().start()

    def write(self) -> Persist:
        """The persist in flight goes to both."""
        persist = self.in_flight
        assert persist is not None, "a persist is in flight"
        start = self.disk.log.first_index() - 1
        if start > self._store.start[0]:
            self._writer.compact_log(start)
        if persist.snapshot is not None:
            self._writer.install(persist, cast("SnapshotReceiver", self._engine.stage()), lambda: None)
        else:
            self._writer.persist(persist)
        super().write()
        self._compare()
        return persist

    def _compare(self) -> None:
        """A store that is opened now, and the plain disk. The commit index may wait, and so may what is to be dropped."""
        stored, disk = LogStore.open(self._engine), self.disk
        for name in ("term", "vote"):
            one, other = getattr(stored.hard_state, name), getattr(disk.hard_state, name)
            assert one == other, f"the {name} in the store is {one}, {other} was written"
        first, end = disk.log.first_index(), disk.log.last_index() + 1
        assert (stored.first_index() <= first, stored.last_index() + 1) == (True, end), "the store's log has another end"
        if first < end:
            entries: Any = stored.entries(first, end, ALL_BYTES)
            assert entries == disk.log.entries(first, end, ALL_BYTES), "the store has other entries"


def _fail(error: BaseException) -> None:
    raise error


cluster.Server = StoredServer  # type: ignore[misc] # the rig's own


def find(seed: int) -> None:
    """One cluster, walks and returns in turn."""
    rng = random.Random(seed)  # noqa: S311 (to be repeated)
    voters = NODES[: rng.choice((3, 5))]
    chaos = Chaos(voters, learners=(), seed=seed, **VARIANTS[seed % len(VARIANTS)])
    for _ in range(RETURNS):
        walk(chaos, rng, rng.randrange(STEPS))
        _return_by_snapshot(chaos, rng, rng.choice(voters))
    chaos.recover()


def _return_by_snapshot(chaos: Chaos, rng: random.Random, late: int) -> None:
    """A node is cut off until the others have dropped what it lacks; when it is to get a snapshot, somebody else wants to lead."""
    others = [node for node in NODES if node != late]
    for node in NODES:
        chaos.restart(node)
    chaos.cut(others)
    for _ in range(rng.randint(2, 6)):
        for leader in chaos.leaders():
            chaos.propose(leader)
        chaos.flow(2)
    for node in others:
        chaos.compact(node)
    chaos.heal()
    if not _snapshot_under_way(chaos, late):
        return
    _move_leadership(chaos, rng, others)
    network = chaos.cluster.network
    for message in rng.sample(arrived := [message for message in network if message.target == late], len(arrived)):
        network.remove(message)
        chaos.cluster.deliver(message)
    for _ in range(rng.randint(1, 3)):
        chaos.turn(late)
        chaos.sync(late)
    if rng.random() < 0.5:
        chaos.crash(late, synced=rng.random() < 0.5)


def _snapshot_under_way(chaos: Chaos, late: int) -> bool:
    network = chaos.cluster.network
    for _ in range(PATIENCE):
        for node in NODES:
            chaos.tick(node)
            chaos.turn(node)
            chaos.sync(node)
        if any(isinstance(message, InstallSnapshot) and message.target == late for message in network):
            return True
        for _ in range(len(network)):
            chaos.deliver(0)
    return False


def _move_leadership(chaos: Chaos, rng: random.Random, others: list[int]) -> None:
    """What is sent to whoever is late stays under way."""
    for leader in chaos.leaders():
        chaos.transfer(leader, rng.choice(others))
    for _ in range(rng.randint(1, 5)):
        for node in others:
            chaos.turn(node)
            chaos.sync(node)
        for source in NODES:
            for target in others:
                chaos.deliver_link(source, target)
