"""Nodes of training jobs: they join, work step by step in their world, stop together where that is asked, fail, leave, die and come back.

    join ---> member: workers train ---> the world is over: join again
     ^             |-- all stop after the same step, or are done
     '-- a new incarnation <-- dies, or sleeps until its lease is over

Between workers there is what NCCL is in a real job: a step ends when everybody has begun it (Collectives). Nothing else passes between
nodes but what the cluster tells them. Each worker decides as the client library does (raftkv.client.preemption.Agreement).
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from google.protobuf.message import Message

from raftkv.client.preemption import Agreement
from raftkv.errors import LeaseNotFoundError, RequestError, RoundOverError
from raftkv.pb import rendezvous as pb
from raftkv.pb import rpc
from raftkv_chaos.sim.calls import RefusedError, UnknownOutcomeError
from raftkv_chaos.sim.clients.client import Client
from raftkv_chaos.sim.clients.leases import renew
from raftkv_chaos.sim.knobs import Crew

T = TypeVar("T", bound=Message)

SERVICE = "/raftkv.v1.Rendezvous/"
GRANT = "/etcdserverpb.Lease/LeaseGrant"
JOB = "job"
LAST_CALL_MS = 1000
HANG_TIMEOUT_MS = 3000
LOOKS_EVERY_S = (0.1, 0.3)
STAYS_S = 4.0
"""After a stop that was agreed on a node stays, so that the others have time to hear of it."""
AGAIN_S = 0.2
KEEP_S = 0.4
Worker = tuple[str, int]
"""Node, and which of its workers."""


class DeadError(Exception):
    """This incarnation of a node is no more."""


class Collectives:
    """What workers of one world know of each other without the cluster: who has begun which step, and who begins none any more."""

    def __init__(self) -> None:
        self._begun: dict[int, dict[Worker, int]] = {}
        """By token."""
        self._done: dict[int, set[Worker]] = {}

    def begin(self, token: int, worker: Worker, step: int) -> None:
        """A worker is in a step."""
        self._begun.setdefault(token, {})[worker] = step

    def leave(self, token: int, worker: Worker) -> None:
        """A worker has ended its loop: nobody waits for it."""
        self._done.setdefault(token, set()).add(worker)

    def passed(self, token: int, step: int, workers: int) -> bool:
        """Whether everybody has begun a step."""
        done = self._done.get(token, set())
        begun = self._begun.get(token, {})
        return len(done) + sum(at >= step for worker, at in begun.items() if worker not in done) >= workers


class Hand:
    """One worker of a node."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.agreement = Agreement()
        self.answered = False


class World:
    """A world as one of its members was told of it."""

    def __init__(self, standing: pb.Standing) -> None:
        self.job = standing.job
        self.token = standing.token
        self.round = standing.round
        self.rank = standing.rank
        self.size = standing.world_size
        self.over = False
        self.preempted: pb.Preemption | None = None
        self.waiting = 0
        self.stopped = 0
        """Workers of this node that have stopped as agreed."""


class Trainer(Client):
    """One node, over all of its incarnations."""

    kind = "trainer"
    crew: Crew
    collectives: Collectives
    calm = False
    """Nobody dies, fails or leaves any more."""
    drilled = False
    """Has stopped as agreed, since it is calm."""

    generation = 1
    """Of the job: the next one begins where one is closed."""
    incarnation = 0
    count = 0
    asides = 0
    lease = 0
    token = 0
    past: World | None = None
    """The last one that it was in."""

    @property
    def name(self) -> str:
        """The node's."""
        return f"n{self.number}"

    @property
    def job(self) -> str:
        """The one that this node takes part in."""
        return f"{JOB}{self.generation}"

    async def run(self) -> None:
        while self.busy:
            self.incarnation += 1
            self.token = 0
            living = asyncio.get_running_loop().create_task(self._live())
            try:
                await asyncio.wait([living])
                if not living.cancelled() and (error := living.exception()) is not None and not isinstance(error, DeadError):
                    raise error
            finally:
                living.cancel()
            await asyncio.sleep(self.dice.choice((0.1, 1.0, 5.0)) if not self.calm else AGAIN_S)

    async def _live(self) -> None:
        keeping = asyncio.get_running_loop().create_task(self._keep())
        try:
            while self.busy:
                world = await self._join()
                if world is not None:
                    await self._work(world)
        finally:
            keeping.cancel()

    # --- talking ---------------------------------------------------------------------------------------------------

    async def change(self, name: str, request: Message, answer: type[T] = pb.RendezvousResponse) -> T:  # type: ignore[assignment] # mostly
        """Asks until there is an answer. All of it may be asked twice.

        Raises:
            LeaseNotFoundError, RoundOverError: as their names say.
        """
        while True:
            try:
                return await self.ask(SERVICE + name, request, answer)
            except (LeaseNotFoundError, RoundOverError):
                raise
            except (RequestError, RefusedError, UnknownOutcomeError):
                self.let_down()
                await asyncio.sleep(AGAIN_S)

    async def look(self) -> pb.Standing:
        """How the job stands for this node."""
        response: pb.RendezvousResponse = await self.change("Look", pb.LookRequest(job=self.job, node=self.name))
        return response.standing

    async def _keep(self) -> None:
        """Keeps the lease alive, unless this node is one of those that fall asleep."""
        asleep_at = self.dice.choice((3.0, 8.0)) if self.dice.random() < 0.2 else 1e9
        began = asyncio.get_running_loop().time()
        machine = self.dice.choice(self.town.reachable())
        while True:
            await asyncio.sleep(KEEP_S)
            if not self.lease or (not self.calm and asyncio.get_running_loop().time() - began > asleep_at):
                continue
            try:
                if not await renew(self.caller, machine, self.lease, KEEP_S):
                    self.lease = 0
            except (RefusedError, UnknownOutcomeError, RequestError):
                machine = self.dice.choice(self.town.reachable())

    async def _grant(self) -> None:
        self.count += 1
        lease = 3_000_000 + self.number * 1000 + self.count
        try:
            await self.ask(GRANT, rpc.LeaseGrantRequest(ID=lease, TTL=4), rpc.LeaseGrantResponse)
        except (RequestError, RefusedError, UnknownOutcomeError):
            self.let_down()
        else:
            self.lease = lease

    # --- joining ---------------------------------------------------------------------------------------------------

    def _settings(self) -> pb.JobSettings:
        crew = self.crew
        return pb.JobSettings(
            min_nodes=crew.min_nodes,
            max_nodes=crew.max_nodes,
            last_call_ms=LAST_CALL_MS,
            rank_order=crew.rank_order,  # type: ignore[arg-type] # one of its numbers
            max_restarts=12,
            max_node_failures=3,
            cool_down_ms=3000,
            keep_checkpoints=2,
            hang_timeout_ms=HANG_TIMEOUT_MS,
        )

    async def _join(self) -> World | None:
        """Waits for a world with this node in it; none: the job was closed."""
        process = self.process
        job, before = self.job, self.token
        self.recorder.note("invoke", process, "join", {"node": self.name}, key=job)
        standing = pb.Standing()
        while self.busy:
            if standing.role in {pb.READY, pb.WAITING, pb.SPARE}:
                await asyncio.sleep(self.dice.uniform(*LOOKS_EVERY_S))
                standing = await self.look()
            elif standing.role == pb.MEMBER and standing.token != before:
                break
            elif standing.phase == pb.CLOSED:
                self.generation, self.token = self.generation + 1, 0
                self.recorder.note("fail", process, "join", key=job)
                return None
            else:
                await asyncio.sleep(AGAIN_S)
                standing = await self._ask_to_join()
        else:
            self.recorder.note("fail", process, "join", key=job)
            return None
        self.token = standing.token
        told = {"round": standing.round, "rank": standing.rank, "world_size": standing.world_size}
        self.recorder.note("ok", process, "join", told, key=job)
        return World(standing)

    def _join_request(self, job: str, after_token: int) -> pb.JoinRequest:
        return pb.JoinRequest(
            job=job,
            node=self.name,
            incarnation=f"{self.name}.{self.incarnation}",
            lease=self.lease,
            after_token=after_token,
            settings=self._settings(),
            address=f"{self.name}.example",
            segments=[f"rack-{self.number % 2}"],
        )

    async def _ask_to_join(self) -> pb.Standing:
        while True:
            while not self.lease:
                await self._grant()
                await asyncio.sleep(0.05)
            request = self._join_request(self.job, self.token)
            try:
                return (await self.change("Join", request)).standing
            except LeaseNotFoundError:
                self.lease = 0

    # --- working ---------------------------------------------------------------------------------------------------

    async def _work(self, world: World) -> None:
        """Until the world is over for this node."""
        loop = asyncio.get_running_loop()
        lasts = self.dice.randint(20, 200)
        hands = [Hand(number) for number in range(self.crew.workers)]
        workers = [loop.create_task(self._train(world, hand, lasts)) for hand in hands]
        following = loop.create_task(self._follow(world, hands))
        acting = loop.create_task(self._act_up(world))
        tasks: list[asyncio.Task[None]] = [*workers, following, acting]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in tasks:
                if task.done() and (error := task.exception()) is not None:
                    raise error
        finally:
            self.past = world
            for task in tasks:
                task.cancel()

    async def _follow(self, world: World, hands: list[Hand]) -> None:
        """Hears how the job stands, for all workers of this node, and answers a notice for them: they may wait in a collective."""
        while not world.over:
            await asyncio.sleep(self.dice.uniform(*LOOKS_EVERY_S))
            standing = await self.look()
            if standing.token != world.token:
                world.over = True
                for hand in hands:
                    hand.agreement.end()
                return
            world.waiting = standing.waiting
            if standing.HasField("preemption"):
                world.preempted = standing.preemption
                for hand in hands:
                    if standing.preemption.agreed:
                        self._note(world, hand, "agreed", standing.preemption.stop_step)
                        hand.agreement.agree(standing.preemption.stop_step)
                    else:
                        await self._answer(world, hand)

    async def _act_up(self, world: World) -> None:
        """What happens to a node in a world."""
        if self.calm:
            await self._drill(world)
            return
        if self.past is not None and self.dice.random() < 0.3:
            await self._report(self.past, pb.ReportRequest.PROGRESS, 1)  # as who has not heard of the end of its world
        await asyncio.sleep(self.dice.expovariate(1 / 5.0))
        while not world.over:
            acts: list[Callable[[World], object]] = [
                self._die,
                self._fail,
                self._leave,
                self._notice,
                self._notice,
                self._rejoin,
            ]
            await self.dice.choice(acts)(world)  # type: ignore[misc] # all of them are coroutine functions
            await asyncio.sleep(self.dice.expovariate(1 / 3.0))

    async def _drill(self, world: World) -> None:
        """In calm times: who waits is taken in, and then one gives notice, and all stop together."""
        await asyncio.sleep(2.0)
        while not world.over:
            if world.waiting:
                await self._rejoin(world)
            elif world.preempted is None:
                await self._notice(world)
            await asyncio.sleep(0.3)

    async def _die(self, _world: World) -> None:
        if not self.calm:
            self.lease = 0  # which nobody keeps alive
            raise DeadError

    async def _leave(self, world: World) -> None:
        request = pb.LeaveRequest(job=world.job, node=self.name, incarnation=f"{self.name}.{self.incarnation}")
        await self.change("Leave", request)
        raise DeadError

    async def _fail(self, world: World) -> None:
        await self._report(world, pb.ReportRequest.FAILURE)

    async def _rejoin(self, world: World) -> None:
        """Whoever is in a world that is at work and joins again ends it."""
        with suppress(LeaseNotFoundError):
            request = self._join_request(world.job, world.token)
            if self.lease:
                await self.change("Join", request)

    async def _notice(self, world: World) -> None:
        with suppress(RoundOverError):
            await self.change("Preempt", pb.PreemptRequest(job=world.job, node=self.name, reason="notice"))

    def _aside(self) -> str:
        """A name for what goes on beside other things."""
        self.asides += 1
        return f"{self.process} aside {self.asides}"

    async def _report(self, world: World, kind: "pb.ReportRequest.Kind", step: int = 0) -> bool:
        """Whether it was let through; that is an action in the name of the world."""
        process = self._aside()
        self.recorder.note("invoke", process, "act", {"node": self.name, "round": world.round}, key=world.job)
        request = pb.ReportRequest(job=world.job, node=self.name, token=world.token, kind=kind, step=step)
        try:
            await self.change("Report", request)
        except RoundOverError:
            self.recorder.note("ok", process, "act", False, key=world.job)
            return False
        self.recorder.note("ok", process, "act", True, key=world.job)
        return True

    # --- workers ---------------------------------------------------------------------------------------------------

    async def _train(self, world: World, hand: Hand, lasts: int) -> None:
        """One worker's loop."""
        for step in range(lasts):
            self.collectives.begin(world.token, (self.name, hand.number), step)
            await asyncio.sleep(self.dice.uniform(0.02, 0.1))
            if not await self._collect(world, step):
                return
            self._note(world, hand, "step", step)
            if hand.number == 0:
                await self._between_steps(world, step)
            stop = await self._stop_at(world, hand, step)
            if stop is None:
                return
            if stop:
                self._note(world, hand, "stop", step)
                await self._stopped(world)
                return
        await self._leave_loop(world, hand)

    async def _collect(self, world: World, step: int) -> bool:
        """Waits for all others in a step; false: the world is over."""
        workers = world.size * self.crew.workers
        while not self.collectives.passed(world.token, step, workers):
            if world.over:
                return False
            await asyncio.sleep(0.03)
        return not world.over

    async def _between_steps(self, world: World, step: int) -> None:
        """What rank or worker 0 does beside training, now and then."""
        if step % 7 == 3:
            await self._arrive(world, f"b{step}")
        if step % 10 == 5:
            with suppress(RoundOverError, RequestError):
                announced = pb.AnnounceRequest(job=world.job, node=self.name, token=world.token, step=step, location="/x")
                await self.change("Announce", announced)
        if step % 10 == 8:
            await self._report(world, pb.ReportRequest.PROGRESS, step)
        if step % 5 == 0:
            await self._heartbeat(world, step)

    async def _heartbeat(self, world: World, step: int) -> None:
        beat = pb.HeartbeatRequest(job=world.job, node=self.name, token=world.token, step=step, step_seconds=0.1)
        with suppress(RequestError, RefusedError, UnknownOutcomeError):
            await self.ask(SERVICE + "Heartbeat", beat, pb.HeartbeatResponse)

    async def _arrive(self, world: World, name: str) -> None:
        """At a barrier of the world, which passes when all are there."""
        process = self._aside()
        asked = {"node": self.name, "round": world.round, "name": name, "world_size": world.size}
        request = pb.BarrierRequest(job=world.job, node=self.name, token=world.token, name=name, timeout_ms=20_000)
        self.recorder.note("invoke", process, "barrier", asked, key=world.job)
        before = self.patience_s
        self.patience_s = 5.0
        try:
            response = await self.change("Barrier", request, pb.BarrierResponse)
        except (RoundOverError, asyncio.CancelledError) as error:
            self.recorder.note("info", process, "barrier", key=world.job)  # it may have been there, and the others gone on
            if isinstance(error, asyncio.CancelledError):
                raise
            return
        finally:
            self.patience_s = before
        self.recorder.note("ok", process, "barrier", response.outcome == pb.BarrierResponse.PASSED, key=world.job)

    async def _stop_at(self, world: World, hand: Hand, step: int) -> bool | None:
        """As raftkv.client.preemption has it; None: the world is over."""
        while True:
            try:
                answer = hand.agreement.finished(step)
            except RoundOverError:
                return None
            if answer is not None:
                return answer
            await self._answer(world, hand)
            await asyncio.sleep(0.05)

    async def _answer(self, world: World, hand: Hand) -> None:
        """Begins no further step, and says which one is begun, once that is known."""
        begun = hand.agreement.freeze()
        if begun is not None and not hand.answered and not hand.agreement.settled:
            hand.answered = True
            await self._acknowledge(world, hand, begun)

    async def _acknowledge(self, world: World, hand: Hand, begun: int, *, leaving: bool = False) -> None:
        step = max(0, begun)
        request = pb.AcknowledgePreemptionRequest(job=world.job, node=self.name, token=world.token, step=step, leaving=leaving)
        request.worker, request.workers = hand.number, self.crew.workers
        try:
            await self.change("AcknowledgePreemption", request)
        except RoundOverError:
            hand.agreement.end()
        else:
            self._note(world, hand, "answer", step)

    async def _leave_loop(self, world: World, hand: Hand) -> None:
        """It has ended by itself; when all workers of a node have, the node is done."""
        begun = hand.agreement.freeze()
        if begun is not None and not hand.answered and not hand.agreement.settled:
            hand.answered = True
            await self._acknowledge(world, hand, begun - 1, leaving=True)
        self.collectives.leave(world.token, (self.name, hand.number))
        world.stopped += 1
        if world.stopped == self.crew.workers:
            await self._report(world, pb.ReportRequest.SUCCESS)

    async def _stopped(self, world: World) -> None:
        """All workers of this node have stopped together: the node stays a while, and joins again."""
        world.stopped += 1
        if world.stopped < self.crew.workers:
            return
        await asyncio.sleep(STAYS_S)
        self.drilled = self.drilled or self.calm
        await self._rejoin(world)

    def _note(self, world: World, hand: Hand, what: str, step: int) -> None:
        value = {"node": self.name, "worker": hand.number, "round": world.round, "what": what, "step": step}
        self.recorder.note("receive", self.name, "training", value, key=world.job)
