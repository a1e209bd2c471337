"""A cluster of real replicas whose network delays, loses and repeats, and whose disks are slow, fail, and forget what was not synced."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

from raftkv.errors import PeerError, StorageError
from raftkv.peer.codec import PeerMessage, decode, encode
from raftkv.peer.memory import MemoryNetwork
from raftkv.raft.messages import InstallSnapshot, Message, Propose
from raftkv.storage.thread import InlineStorage
from tests.server import replicas

CALM_S = 0.001
"""A way through the network when nothing is wrong."""
LATE_S = 2.0
"""How late a late message is at most."""
MOMENT_S = 1e-6
"""The loop keeps no order among timers that are due together."""


class RoughNetwork(MemoryNetwork):
    """What is sent may come late, twice, out of order, or never. Proposals never come twice: no connection repeats itself."""

    def __init__(self, loop: asyncio.AbstractEventLoop, rng: random.Random) -> None:
        super().__init__(loop)
        self._rng = rng
        self.delay_s = CALM_S
        self.late = 0.0
        """The share of messages that are late by up to LATE_S."""
        self.lost = 0.0
        self.repeated = 0.0
        self._clogged: dict[tuple[int, int], list[bytes]] = {}
        """What waits on links where nothing moves."""
        self._still: dict[int, list[bytes]] = {}
        """What waits for nodes that stand still."""

    def calm(self) -> None:
        """Nothing is wrong any more."""
        self.heal()
        self.delay_s, self.late, self.lost, self.repeated = CALM_S, 0.0, 0.0, 0.0

    def clog(self, source: int, target: int) -> None:
        """What is sent there waits until all heals, as behind a connection that hangs."""
        self._clogged.setdefault((source, target), [])

    def heal(self) -> None:
        super().heal()
        clogged, self._clogged = self._clogged, {}
        for frames in clogged.values():
            for number, frame in enumerate(frames, 1):
                self._loop.call_later(self.delay_s + number * MOMENT_S, self._deliver, frame)

    def hold(self, node_id: int) -> None:
        """A node stands still: what arrives waits for it."""
        self._still.setdefault(node_id, [])

    def let_go(self, node_id: int) -> None:
        """It goes on, and finds what has come."""
        for number, frame in enumerate(self._still.pop(node_id, ()), 1):
            self._loop.call_later(CALM_S + number * MOMENT_S, self._deliver, frame)

    def _deliver(self, frame: bytes) -> None:
        if self._still and (target := decode(frame).target) in self._still:
            self._still[target].append(frame)
        else:
            super()._deliver(frame)

    def post(self, message: PeerMessage) -> bool:
        if self._way(message) is None:
            return False
        rng = self._rng
        if rng.random() < self.lost:
            return True
        repeats = isinstance(message, Message) and not isinstance(message, Propose) and rng.random() < self.repeated
        frame = encode(message)
        if (message.source, message.target) in self._clogged:
            self._clogged[message.source, message.target].append(frame)
            return True
        for _ in range(1 + repeats):
            late_s = rng.uniform(0, LATE_S) if rng.random() < self.late else 0.0
            self._loop.call_later(rng.uniform(0, 2 * self.delay_s) + late_s, self._deliver, frame)
        return True

    async def stream(self, message: InstallSnapshot, frames: AsyncIterator[bytes]) -> None:
        """A receiver whose disk fails breaks the connection."""
        try:
            await super().stream(message, frames)
        except StorageError as error:
            raise PeerError(str(error)) from error


class SlowStorage(InlineStorage):
    """Jobs end in their order, some of them late."""

    def __init__(self, loop: asyncio.AbstractEventLoop, rng: random.Random, pace: "Pace") -> None:
        super().__init__(self._later)
        self._loop = loop
        self._rng = rng
        self._pace = pace
        self._free_at = 0.0

    def submit(self, job: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """After a crash nothing is done any more."""
        if self._killed:
            self._loop.call_soon(done, PeerError("this machine has no power"))
        else:
            super().submit(job, done)

    def _later(self, work: Callable[..., object], *arguments: Any) -> None:
        took = self._rng.expovariate(1 / self._pace.sync_s) if self._pace.sync_s else 0.0
        if self._rng.random() < self._pace.stalls:
            took += self._rng.uniform(0.1, 1.5)
        # Never two at the same time: the loop keeps no order among timers that are due together.
        self._free_at = max(self._free_at, self._loop.time()) + took + MOMENT_S
        self._loop.call_at(self._free_at, work, *arguments)


class Pace:
    """How fast disks are."""

    def __init__(self) -> None:
        self.sync_s = 0.0
        self.stalls = 0.0
        """The share of jobs that take a second or so."""


class Tasks(asyncio.TaskGroup):
    """What replicas leave running when their machine loses power ends with the scenario."""

    def __init__(self) -> None:
        super().__init__()
        self._all: list[asyncio.Task[Any]] = []

    def create_task(self, *arguments: Any, **options: Any) -> asyncio.Task[Any]:
        task = super().create_task(*arguments, **options)
        self._all.append(task)
        return task

    def cancel(self) -> None:
        """Ends them all."""
        for task in self._all:
            task.cancel()


class RoughCluster(replicas.Cluster):
    """Nodes 1..count on rough ground; calm at first."""

    def __init__(self, tasks: asyncio.TaskGroup, count: int, seed: int, **settings: Any) -> None:
        loop = asyncio.get_running_loop()
        self.tasks = tasks
        self.rng = random.Random(seed)  # noqa: S311 (to be repeated)
        self.settings = settings
        self.network = self.rough = RoughNetwork(loop, self.rng)
        self.pace = Pace()
        replicas.InlineStorage = lambda _: SlowStorage(loop, self.rng, self.pace)  # type: ignore[attr-defined, misc, assignment] # the rig's own
        self.ids = range(1, count + 1)
        self.nodes = {node_id: replicas.Node(self, node_id) for node_id in self.ids}
        self.down: set[int] = set()
        self.doomed: set[int] = set()
        """Nodes whose disk was made to fail."""
        for node in self.nodes.values():
            node.start()

    def up(self) -> list[replicas.Node]:
        """The nodes that run."""
        return [node for node in self.nodes.values() if node.node_id not in self.down and not node.replica.failed.done()]

    def check(self) -> None:
        """Nobody may have stopped but those that were made to."""
        for node in self.nodes.values():
            failed = node.replica.failed
            if node.node_id not in self.down and node.node_id not in self.doomed and failed.done() and failed.exception():
                raise AssertionError(f"node {node.node_id} stops: {failed.exception()!r}") from failed.exception()

    def crash(self, node: replicas.Node) -> None:
        """Its machine loses power."""
        self.check()
        self.down.add(node.node_id)
        node.crash()
        self.doomed.discard(node.node_id)

    def start(self, node: replicas.Node) -> None:
        """Its machine comes back."""
        self.down.discard(node.node_id)
        node.start()

    def fail_disk(self, node: replicas.Node) -> None:
        """Its disk takes some more writes, or syncs, and then none."""
        self.doomed.add(node.node_id)
        faults, count = node.engine.faults, self.rng.randint(0, 3)
        if self.rng.random() < 0.5:
            faults.writes_before_failure = count
        else:
            faults.syncs_before_failure = count

    def calm(self) -> None:
        """All faults end."""
        self.rough.calm()
        self.pace.sync_s = self.pace.stalls = 0.0
        for node in self.nodes.values():
            if node.node_id in self.doomed:
                self.crash(node)
        for node_id in sorted(self.down):
            self.start(self.nodes[node_id])
