"""Jobs under virtual time: leaders die and are cut off, nodes die; the checker of rendezvous reads what the nodes saw."""

import asyncio

import pytest

from raftkv.pb import rendezvous as pb
from raftkv_jepsen.checkers.rendezvous import check_rendezvous
from raftkv_jepsen.verdict import Validity
from tests.rendezvous.agents import JOB, Agent, Training
from tests.rendezvous.jobs import settings
from tests.server.replicas import Cluster, simulate, until

NAMES = [f"n{number}" for number in range(6)]


def counts_of(training: Training) -> dict[str, int]:
    verdict = check_rendezvous(training.history)
    assert verdict.validity == Validity.OK, [str(finding) for finding in verdict.findings]
    return verdict.counts


async def everybody_works(training: Training, size: int) -> pb.Standing:
    async with asyncio.timeout(120):
        while True:
            standing = await training.look()
            if standing.phase == pb.FORMED and standing.world_size == size:
                return standing
            await asyncio.sleep(0.1)


async def trouble(training: Training, agents: dict[str, asyncio.Task[None]], tasks: asyncio.TaskGroup) -> None:
    """One bad thing after another."""
    rng, cluster = training.rng, training.cluster
    for _ in range(12):
        await asyncio.sleep(rng.uniform(0.5, 5.0))
        match rng.randrange(5):
            case 0:
                training.restart(await cluster.leader())
            case 1:
                cluster.network.isolate((await cluster.leader()).node_id)
                await asyncio.sleep(rng.uniform(0.5, 6.0))
                cluster.network.heal()
            case 2:
                training.restart(training.node())
            case _:
                name = rng.choice(NAMES)
                agents.pop(name).cancel()
                await asyncio.sleep(rng.uniform(0.0, 8.0))
                agents[name] = tasks.create_task(Agent(training, name).live())


@pytest.mark.parametrize("seed", range(4))
def test_worlds_are_one_whatever_dies(seed: int) -> None:
    async def scenario(cluster: Cluster) -> None:
        training = Training(cluster, settings(3, 5, last_call_ms=2000))
        async with asyncio.TaskGroup() as tasks:
            agents = {name: tasks.create_task(Agent(training, name).live()) for name in NAMES}
            await trouble(training, agents, tasks)
            await everybody_works(training, 5)
            for agent in agents.values():
                agent.cancel()
        training.stop()
        await cluster.agree()
        counts = counts_of(training)
        assert counts["rounds"] >= 3
        assert counts["operations"] > 50
        rows = [list(node.replica.machine.rendezvous.jobs[JOB].row().items()) for node in cluster.nodes.values()]
        assert rows[0] == rows[1] == rows[2]

    simulate(scenario, seed=seed)


@pytest.mark.parametrize("seed", range(8))
def test_death_is_seen_within_the_lease_and_a_deposed_leader_declares_none(seed: int) -> None:
    async def scenario(cluster: Cluster) -> None:
        training = Training(cluster, settings(2, 3, last_call_ms=1000))
        async with asyncio.TaskGroup() as tasks:
            agents = {name: tasks.create_task(Agent(training, name).live()) for name in NAMES[:3]}
            first = await everybody_works(training, 3)
            old = await cluster.leader()
            cluster.network.isolate(old.node_id)
            await cluster.leader(other_than=old.node_id)
            await asyncio.sleep(10)  # three times the lease: nobody has died
            cluster.network.heal()
            assert (await training.look()).token == first.token
            agents.pop("n0").cancel()
            begun = asyncio.get_running_loop().time()
            second = await everybody_works(training, 2)
            assert second.token > first.token
            assert second.restarts == 1
            assert asyncio.get_running_loop().time() - begun < 6.0
            for agent in agents.values():
                agent.cancel()
        training.stop()
        counts_of(training)

    simulate(scenario, seed=seed)


def test_last_call_ends_though_leaders_change() -> None:
    async def scenario(cluster: Cluster) -> None:
        training = Training(cluster, settings(2, 9, last_call_ms=3000))
        async with asyncio.TaskGroup() as tasks:
            agents = [tasks.create_task(Agent(training, name).live()) for name in NAMES[:2]]
            await until(lambda: any(node.replica.machine.rendezvous.timers.running for node in cluster.nodes.values()))
            training.restart(await cluster.leader())
            assert (await everybody_works(training, 2)).round == 1
            for agent in agents:
                agent.cancel()
        training.stop()

    simulate(scenario)
