"""Nodes of a job against real processes: the leader is killed while they gather, and a node dies."""

import asyncio
from pathlib import Path

import pytest

from raftkv.client import BlockingClient, Client, Participant, Round
from raftkv.errors import InvalidArgumentError
from raftkv.pb.rendezvous import CLOSED, SPARE, SUCCEEDED, JobSettings
from tests.harness.raftkv import RaftkvCluster

NODES = 64


def nodes_of(client: Client, numbers: range, settings: JobSettings, ttl: int = 20) -> list[Participant]:
    job = client.rendezvous("train")
    return [job.participant(f"node-{n}", settings, address=f"10.0.0.{n}", ttl=ttl) for n in numbers]


async def opened(participants: list[Participant]) -> None:
    async with asyncio.TaskGroup() as tasks:
        for participant in participants:
            tasks.create_task(participant.open())


def test_64_nodes_form_a_round_while_the_leader_is_killed_and_replace_a_dead_one(tmp_path: Path) -> None:
    settings = JobSettings(min_nodes=NODES, max_nodes=NODES, last_call_ms=30_000)
    with RaftkvCluster(tmp_path, size=3) as cluster:
        asyncio.run(_gather(cluster, settings))


async def _gather(cluster: RaftkvCluster, settings: JobSettings) -> None:
    async with Client(cluster.endpoints, timeout=20) as client, Client(cluster.endpoints, timeout=20) as mortal:
        nodes = nodes_of(client, range(NODES - 1), settings)
        doomed, spare = (
            nodes_of(mortal, range(NODES - 1, NODES), settings, ttl=2)[0],
            nodes_of(client, range(99, 100), settings)[0],
        )
        everybody = [*nodes, doomed]
        await opened([*everybody, spare])
        async with asyncio.timeout(60):
            async with asyncio.TaskGroup() as tasks:
                early = [tasks.create_task(node.next_round()) for node in everybody[:40]]
                await nodes[0].until(lambda standing: standing.ready > 0)
                (await asyncio.to_thread(cluster.leader)).kill()
                late = [tasks.create_task(node.next_round()) for node in everybody[40:]]
            first = [task.result() for task in early + late]
            check_world(first)
            async with asyncio.TaskGroup() as tasks:
                taken_in = tasks.create_task(spare.next_round())
                await spare.until(lambda standing: standing.role == SPARE)
                await mortal.close()  # it says nothing: its lease ends
                assert await nodes[0].round_over() == f"{doomed.node} died"
                again = [tasks.create_task(node.next_round()) for node in nodes]
            second = [task.result() for task in [*again, taken_in]]
            check_world(second)
            assert [world.rank for world in second[:-1]] == [world.rank for world in first[:-1]]
            assert taken_in.result().rank == first[-1].rank
            assert second[0].token > first[0].token
            for node in [*nodes, spare]:
                await node.succeed()
            standing = await client.rendezvous("train").look()
            assert (standing.phase, standing.outcome) == (CLOSED, SUCCEEDED)
            for node in [*nodes, spare]:
                await node.close()


def check_world(rounds: list[Round]) -> None:
    assert sorted(world.rank for world in rounds) == list(range(NODES))
    assert len({(world.number, world.token, world.world_size, world.master_node) for world in rounds}) == 1


def test_blocking_client_takes_part(tmp_path: Path) -> None:
    settings = JobSettings(min_nodes=1, max_nodes=1)
    with RaftkvCluster(tmp_path) as cluster, BlockingClient(cluster.endpoints) as client:
        job = client.rendezvous("small")
        with job.participant("only", settings, data="hello") as node:
            world = node.next_round(timeout=10)
            assert (world.rank, world.world_size, world.master_data) == (0, 1, "hello")
            node.progress(7)
            node.barrier("before saving", timeout=10)
            node.announce(8, "/ckpt/8", data="sha256:1")
            found = job.latest()
            assert found is not None
            assert (found.step, found.shards[0].location) == (8, "/ckpt/8")
            with pytest.raises(InvalidArgumentError):
                node.barrier("others", nodes=["x"])
            assert job.look().step == 8
            assert [seen.node for seen in job.world().nodes] == ["only"]
            for standing in job.watch():
                assert standing.world_size == 1
                break
            node.succeed()
        assert [standing.job for standing in client.jobs()] == ["small"]
        job.remove()
        assert client.range("/raftkv/rendezvous/", prefix=True).count == 0
