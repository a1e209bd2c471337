"""One simulated machine: a disk that lasts, and on it the node as production composes it, one life after the other.

    down --start--> up --crash, stop--> down --start--> ...      whoever was removed from the cluster never comes back
                     |--its disk or its code fails--> down

A life has its own sense of time, storage thread, tasks, replica and services; nothing of it outlives it.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from typing import Any, TypeVar

from raftkv.apply.machine import StateMachine
from raftkv.auth.tokens import SimpleTokens
from raftkv.mvcc.steps import finish
from raftkv.raft.messages import Message
from raftkv.raft.raft import Raft
from raftkv.rpc.access import Access
from raftkv.rpc.conversation import Conversations
from raftkv.rpc.election import Election
from raftkv.rpc.guard import guarded
from raftkv.rpc.job_steps import JobStepsService
from raftkv.rpc.kv import KV, Limits
from raftkv.rpc.lease import Leases
from raftkv.rpc.lighthouse import LighthouseService
from raftkv.rpc.lock import Lock
from raftkv.rpc.method import Method
from raftkv.rpc.quotas import QuotasService
from raftkv.rpc.rendezvous import RendezvousService
from raftkv.rpc.tenants import Tenants
from raftkv.rpc.watch import Watch, WatchSettings
from raftkv.server.lease_keeper import LeaseKeeper, LeaseSettings
from raftkv.server.lighthouse_callers import LighthouseCallers
from raftkv.server.lighthouse_keeper import LighthouseKeeper
from raftkv.server.parts import Parts, Settings
from raftkv.server.publish import publish
from raftkv.server.quota import Quota
from raftkv.server.rendezvous_keeper import RendezvousKeeper
from raftkv.server.replica import Replica
from raftkv.storage.log import LogStore
from raftkv.storage.overlay import Overlay
from raftkv_chaos.sim.disk import SimEngine, SimStorage
from raftkv_chaos.sim.knobs import Knobs
from raftkv_chaos.sim.machine_time import MachineTime, PowerLossError
from raftkv_chaos.sim.network import SimNetwork, SimPeers
from raftkv_chaos.sim.violation import ViolationError

T = TypeVar("T")

CLUSTER_ID = 77
ALL = 1 << 30
AGAIN_S = 0.001
LONGEST_UP_S = 1e5
SKEWS_S = (0.0, 3.0, 3600.0)
"""How wrong calendars are from the start, at most."""


class Tasks(asyncio.TaskGroup):
    """The tasks of one life. They end with it, and nobody waits for them."""

    def __init__(self, loop: asyncio.AbstractEventLoop, failed: Callable[[BaseException], None]) -> None:
        super().__init__()
        self._eventloop = loop
        self._failed = failed
        self._running: dict[asyncio.Task[Any], None] = {}
        self._over = False

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: Any = None,
    ) -> asyncio.Task[T]:
        """Starts one."""
        task = self._eventloop.create_task(coro, name=name, context=context)
        self._running[task] = None
        task.add_done_callback(self._ended)
        return task

    def kill(self) -> None:
        """Ends all. One that is cancelled may want to clean up by asking somebody who is dead, so it is cancelled again."""
        self._over = True
        if self._running:
            for task in list(self._running):
                task.cancel()
            self._eventloop.call_later(AGAIN_S, self.kill)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None and not self._over:
            self._failed(error)


class Surroundings:
    """What all nodes of a run have in common."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        network: SimNetwork,
        *,
        stepped: Callable[["Life"], None],
        sending: Callable[[Message, "Life"], None],
        ended: Callable[["Life", BaseException], None],
        reached: Callable[["Life", str], None],
        training: bool = False,
    ) -> None:
        """`ended` hears of lives that end by themselves, `reached` of places at which one may be made to end. `training`: nodes serve
        jobs, lighthouses and quotas, too.
        """
        self.loop = loop
        self.network = network
        self.stepped = stepped
        self.sent = sending
        self.ended = ended
        self.reached = reached
        self.training = training
        self.ahead_s = 0.0
        """By how much any clock was ahead, at most, because looking at it took time."""


class Life:
    """A node from one start to its end."""

    def __init__(self, around: Surroundings, machine: "Machine", knobs: Knobs, dice: random.Random) -> None:
        """Raises StorageError: the disk does not hold what a node can start from."""
        self._around = around
        self.number = machine.number
        self.member_id = machine.member_id
        self.engine = machine.engine
        self.knobs = knobs
        self.over = False
        loop = around.loop
        up_s = dice.uniform(0.0, LONGEST_UP_S)
        self.time = MachineTime(loop, ran=self._stepped, jitter_s=knobs.look_costs_s, up_s=up_s)
        self.storage = SimStorage(loop, self.time, random.Random(dice.getrandbits(64)), knobs.disk_latency_s)
        self.tasks = Tasks(loop, self._failed)
        self.doomed: list[Callable[[], None]] = []
        """Called when it ends: who waits for its answers."""
        overlay = Overlay(self.engine)
        self.machine = StateMachine(overlay)
        finish(self.machine.load())
        log = LogStore.open(self.engine)
        self.raft = Raft(
            knobs.raft(self.member_id),
            log,
            random.Random(dice.getrandbits(64)),
            hard_state=log.hard_state,
            membership=self.machine.membership,
            applied=self.machine.applied_index,
        )
        rng = random.Random(dice.getrandbits(64))
        parts = Parts(
            raft=self.raft,
            log=log,
            machine=self.machine,
            overlay=overlay,
            engine=self.engine,
            storage=self.storage,
            clock=self.time,
            rng=rng,
        )
        self.replica = Replica(_settings(self.member_id, knobs), parts, self.time, self.tasks)  # type: ignore[arg-type] # the part of a loop that it uses
        self.replica.failed.add_done_callback(self._replica_failed)
        self.keeper = LeaseKeeper(
            self.replica,
            self.time,
            self.time,  # type: ignore[arg-type] # as above
            LeaseSettings(election_timeout_s=knobs.election_timeout_s, checkpoint_interval_s=knobs.checkpoint_interval_s),
        )
        self.training = _Training(self.replica, self.time) if around.training else None
        self.methods = _methods(self.replica, self.engine, self.time, knobs, rng, training=self.training)

    def start(self) -> None:
        """Begins to take part."""
        self.engine.at = self.reached
        self.keeper.start()
        if self.training is not None:
            self.training.start()
        peers: SimPeers = self._around.network.join(self.member_id, self)
        self.replica.start(peers)
        self.tasks.create_task(publish(self.replica, f"n{self.number}", [f"http://n{self.number}:2379"]))

    def kill(self, *, finish: int = 0) -> None:
        """Ends. Nobody of this life does anything afterwards; the disk ends so many of the writes that wait."""
        if self.over:
            return
        self.over = True
        self.engine.at = _nowhere
        self.time.kill()
        self.storage.kill(finish=finish)
        self.keeper.stop()
        self.replica.failed.cancel()
        for cancel in self.doomed:
            cancel()
        self.tasks.kill()

    def reached(self, point: str) -> None:
        """A place at which it may be made to end, or to stand still."""
        if not self.over:
            self._around.reached(self, point)
        if self.over:
            raise PowerLossError

    def sending(self, message: Message) -> None:
        """A message is about to leave."""
        self._around.sent(message, self)

    def _stepped(self) -> None:
        if not self.over:
            self._around.ahead_s = max(self._around.ahead_s, self.time.spent_s)
            self._around.stepped(self)

    def _replica_failed(self, failed: "asyncio.Future[None]") -> None:
        if failed.cancelled() or self.over:
            return
        error = failed.exception()
        assert error is not None, "a replica that failed says why"
        self._failed(error)

    def _failed(self, error: BaseException) -> None:
        if not self.over and not isinstance(error, PowerLossError):
            self._around.ended(self, error)


def _settings(member_id: int, knobs: Knobs) -> Settings:
    return Settings(
        cluster_id=CLUSTER_ID,
        node_id=member_id,
        tick_s=knobs.tick_s,
        snapshot_count=knobs.snapshot_count,
        catch_up_entries=knobs.catch_up_entries,
        patience_s=5.0 + 2 * knobs.election_timeout_s,
    )


class _Training:
    """What a node has for training jobs. Its timers end with the life's time."""

    def __init__(self, replica: Replica, time: MachineTime) -> None:
        loop: Any = time  # the part of a loop that they use
        self.jobs = RendezvousKeeper(replica, time, loop)
        self.lighthouse = LighthouseKeeper(replica, time, loop, time.now)
        self.callers = LighthouseCallers(replica, time, loop)

    def start(self) -> None:
        for part in (self.jobs, self.lighthouse, self.callers):
            part.start()

    def stop(self) -> None:
        for part in (self.jobs, self.lighthouse, self.callers):
            part.stop()


def _methods(
    replica: Replica, engine: SimEngine, time: MachineTime, knobs: Knobs, rng: random.Random, *, training: _Training | None
) -> dict[str, Method]:
    """The services that clients here use, with the checks that all have in common (raftkv.rpc.services)."""
    tokens = SimpleTokens(time.now, 300.0)
    replica.machine.auth.tokens = tokens
    access = Access(replica, tokens)
    quota = Quota(None, engine.size, _nobody_cares)
    watch = WatchSettings(
        progress_interval_s=knobs.progress_interval_s,
        fragment_bytes=knobs.fragment_bytes,
        election_timeout_s=knobs.election_timeout_s,
    )
    by_path: dict[str, Method] = {}
    conversations = Conversations(replica, access, by_path)
    services: list[Any] = [
        KV(replica, quota, Limits(), access),
        Lock(conversations),
        Election(conversations),
        Watch(replica, watch),
        Leases(replica, quota, access, election_timeout_s=knobs.election_timeout_s, rng=rng),
    ]
    if training is not None:
        services += [
            RendezvousService(replica, quota, access, election_timeout_s=knobs.election_timeout_s),
            JobStepsService(replica, access),
            LighthouseService(training.callers, access),
            QuotasService(replica, Tenants(replica.machine.quotas, time.now), access),
        ]
    for service in services:
        for method in service.methods():
            by_path[method.path] = guarded(method, replica, access)
    return by_path


def _nobody_cares() -> None:
    """There is no quota."""


def _nowhere(_point: str) -> None:
    """Nobody is to end."""


class Machine:
    """A node over all of its lives."""

    def __init__(self, number: int, member_id: int, knobs: Knobs, dice: random.Random) -> None:
        self.number = number
        self.member_id = member_id
        self.knobs = knobs
        self.engine = SimEngine()
        self.life: Life | None = None
        self.dice = dice
        self.retired = False
        """It was removed from the cluster."""
        self.damaged = False
        """What its disk lost does not come back: it is to be replaced."""
        self.lives = 0
        self.ahead_s = dice.choice(SKEWS_S) * dice.uniform(-1, 1)
        self.drift = 0.0
        self.disk_delay_s = 0.0

    @property
    def up(self) -> bool:
        """Whether it runs, or stands still."""
        return self.life is not None

    @property
    def raft(self) -> Raft:
        """While it runs."""
        assert self.life is not None, "it runs"
        return self.life.raft

    @property
    def state(self) -> StateMachine:
        """While it runs."""
        assert self.life is not None, "it runs"
        return self.life.machine

    def start(self, around: Surroundings) -> Life:
        """Raises StorageError: it cannot."""
        assert self.life is None, "one life at a time"
        life = Life(around, self, self.knobs, self.dice)
        self.lives += 1
        self.life = life
        life.time.calendar_ahead_s = self.ahead_s
        life.time.drift(self.drift)
        life.storage.delay_s = self.disk_delay_s
        with suppress(PowerLossError):  # it may be made to end at once
            life.start()
        return life

    def end(self, network: SimNetwork, *, power: bool, gently: bool = False) -> None:
        """Ends its life: as an orderly stop does, by SIGKILL, or by the loss of power."""
        life, self.life = self.life, None
        if life is None:
            return
        if gently:
            life.keeper.stop()
            if life.training is not None:
                life.training.stop()
            life.replica.stop()
        life.kill(finish=ALL if gently else self.dice.randrange(2))
        network.leave(self.member_id, told=not power)
        lost = self.engine.crash(self.dice) if power else self.engine.reopen()
        assert isinstance(lost, SimEngine)
        self.engine = lost


def violation_of(error: BaseException) -> ViolationError:
    """The violation in what a node failed with, or that it failed at all."""
    if isinstance(error, ViolationError):
        return error
    return ViolationError("node failed", f"{type(error).__name__}: {error}")
