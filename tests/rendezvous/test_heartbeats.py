"""Heartbeats through every node under virtual time: they cost no log entry, outlive the leader, and tell who hangs."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from raftkv.errors import RequestError, RoundOverError
from raftkv.pb import rendezvous as pb
from raftkv.peer.asks import Kind
from raftkv.server.heartbeats import heartbeats
from tests.rendezvous.agents import JOB, Agent, Training
from tests.rendezvous.jobs import settings
from tests.rendezvous.test_under_faults import everybody_works
from tests.server.replicas import Cluster, simulate, until

NAMES = ["n0", "n1", "n2"]
INTERVAL_S = 0.5


class Idle(Agent):
    """Joins, and then only looks whether its world is there still."""

    async def _work(self) -> None:
        while (await self.training.look(self.name)).token == self.token:  # noqa: ASYNC110 (virtual time passes, no real one)
            await asyncio.sleep(0.2)


class Beats:
    """The heartbeats of one node, through whichever raftkv node it likes; a step each, until `stuck`."""

    def __init__(self, training: Training, name: str) -> None:
        self.training = training
        self.name = name
        self.stuck = False
        self.step = 0
        self.memory = pb.StepMemory()
        self.refused = False

    async def beat(self, token: int) -> None:
        relays = {
            node.node_id: heartbeats(node.replica, asyncio.get_running_loop()) for node in self.training.cluster.nodes.values()
        }
        while True:
            await asyncio.sleep(INTERVAL_S)
            self.step += not self.stuck
            request = pb.HeartbeatRequest(job=JOB, node=self.name, token=token, step=self.step, memory=self.memory)
            request.step_seconds = 0.0 if self.stuck else INTERVAL_S
            try:
                async with asyncio.timeout(2.0):
                    answer = await relays[self.training.node().node_id].ask(request)
            except RoundOverError:
                self.refused = True
                return
            except (RequestError, TimeoutError):
                continue
            self.memory = answer.memory


class Watched:
    """A job of three idle nodes with heartbeats."""

    def __init__(self, training: Training, tasks: asyncio.TaskGroup) -> None:
        self.training = training
        self.agents = {name: tasks.create_task(Idle(training, name).live()) for name in NAMES}
        self.beats = {name: Beats(training, name) for name in NAMES}
        self.tasks = tasks
        self._beating: list[asyncio.Task[None]] = []

    async def form(self) -> pb.Standing:
        standing = await everybody_works(self.training, len(NAMES))
        for beats in self.beats.values():
            self._beating.append(self.tasks.create_task(beats.beat(standing.token)))
        return standing

    async def steps(self) -> pb.JobSteps:
        request = pb.StepsRequest(job=JOB).SerializeToString()
        node = self.training.node()
        while True:
            with suppress(RequestError):
                answer = pb.StepsResponse.FromString(await node.replica.ask_leader(Kind.STEPS, request))
                return answer.jobs[0] if answer.jobs else pb.JobSteps()
            await asyncio.sleep(0.1)

    async def hang(self, *, there: bool) -> pb.Standing:
        async with asyncio.timeout(60):
            while True:
                standing = await self.training.look()
                if standing.HasField("hang") == there:
                    return standing
                await asyncio.sleep(0.1)

    def end(self) -> None:
        for task in [*self.agents.values(), *self._beating]:
            task.cancel()
        self.training.stop()


@contextmanager
def watched(cluster: Cluster, tasks: asyncio.TaskGroup, chosen: pb.JobSettings) -> Iterator[Watched]:
    watched = Watched(Training(cluster, chosen), tasks)
    yield watched
    watched.end()


def test_heartbeats_reach_the_leader_through_every_node_and_write_nothing() -> None:
    async def scenario(cluster: Cluster) -> None:
        async with asyncio.TaskGroup() as tasks:
            with watched(cluster, tasks, settings(3, 3)) as job:
                await job.form()
                await asyncio.sleep(5)
                before = (await cluster.leader()).replica.machine.store.revision
                await asyncio.sleep(20)
                steps = await job.steps()
                assert (await cluster.leader()).replica.machine.store.revision == before
                assert steps.workers == 3
                assert steps.lowest_step > 30
                assert [each.rank for each in steps.each] == [0, 1, 2]
                assert steps.step_seconds == pytest.approx(INTERVAL_S)
                assert (steps.stragglers, steps.hung) == (0, 0)
                assert steps.working_seconds > 20

    simulate(scenario)


@pytest.mark.parametrize("seed", range(3))
def test_new_leader_knows_all_workers_within_seconds_and_makes_no_hang_of_its_election(seed: int) -> None:
    async def scenario(cluster: Cluster) -> None:
        async with asyncio.TaskGroup() as tasks:
            with watched(cluster, tasks, settings(3, 3, hang_factor=10)) as job:
                standing = await job.form()
                await asyncio.sleep(20)
                usual = {each.node: each.work_seconds for each in (await job.steps()).each}
                old = await cluster.leader()
                cluster.network.isolate(old.node_id)
                await cluster.leader(other_than=old.node_id)
                await asyncio.sleep(8)
                cluster.network.heal()
                await asyncio.sleep(2)
                steps = await job.steps()
                assert {each.node: each.work_seconds for each in steps.each} == pytest.approx(usual, rel=0.5)
                now = await job.training.look()
                assert (now.token, now.HasField("hang")) == (standing.token, False)

    simulate(scenario, seed=seed)


def test_worker_that_hangs_is_told_to_all_who_watch_and_so_is_that_it_goes_on() -> None:
    async def scenario(cluster: Cluster) -> None:
        async with asyncio.TaskGroup() as tasks:
            with watched(cluster, tasks, settings(3, 3, hang_timeout_ms=5000)) as job:
                await job.form()
                await asyncio.sleep(3)
                job.beats["n1"].stuck = True
                standing = await job.hang(there=True)
                assert (list(standing.hang.nodes), standing.hang.whole_job) == (["n1"], False)
                assert standing.hang.still_ms < 7000
                job.training.restart(await cluster.leader())
                job.beats["n1"].stuck = False
                assert (await job.hang(there=False)).phase == pb.FORMED

    simulate(scenario)


def test_hang_of_the_whole_job_opens_the_next_round_where_that_is_asked_for() -> None:
    async def scenario(cluster: Cluster) -> None:
        async with asyncio.TaskGroup() as tasks:
            with watched(cluster, tasks, settings(3, 3, hang_timeout_ms=5000, restart_hung=True)) as job:
                first = await job.form()
                await asyncio.sleep(3)
                job.beats["n2"].step -= 1
                for beats in job.beats.values():
                    beats.stuck = True
                await until(lambda: all(beats.refused for beats in job.beats.values()))
                second = await everybody_works(job.training, len(NAMES))
                assert (second.token > first.token, second.restarts) == (True, 1)
                world = next(iter(cluster.nodes.values())).replica.machine.rendezvous.jobs[JOB]
                assert world.hang is None

    simulate(scenario)
