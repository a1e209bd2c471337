"""Three nodes, of which one dies or falls silent."""

import asyncio
from pathlib import Path

import pytest

from raftkv.client import BlockingClient, Client
from raftkv.errors import ConnectError, OutcomeUnknownError
from tests.client.targets import OPTIONS, TARGETS
from tests.conftest import StartCluster
from tests.harness.cluster import Cluster

three = pytest.mark.parametrize("target", TARGETS)


def start(start_cluster: StartCluster, target: str) -> Cluster:
    return start_cluster(TARGETS[target], size=3, options=OPTIONS.get(target))


@three
async def test_reads_outlive_any_one_node(start_cluster: StartCluster, target: str) -> None:
    cluster = start(start_cluster, target)
    async with Client(cluster.endpoints, timeout=30.0) as client:
        await client.put("k", "v")
        for node in cluster.nodes:
            node.kill()
            for _ in range(3):
                found = await client.get("k")
                assert found is not None
            node.start()
            await asyncio.to_thread(cluster.wait_ready, [node])


@three
async def test_acknowledged_writes_outlive_the_leader(start_cluster: StartCluster, target: str) -> None:
    """A write that was under way when the leader died may have either outcome at etcd; raftkv is asked again."""
    cluster = start(start_cluster, target)
    leader = cluster.leader()
    acknowledged: set[bytes] = set()
    unknown: set[bytes] = set()

    async def write(writer: int) -> None:
        for number in range(30):
            key = b"%d/%d" % (writer, number)
            try:
                await client.put(key)
            except OutcomeUnknownError:
                unknown.add(key)
            else:
                acknowledged.add(key)
            if len(acknowledged) >= 40 and leader.process.running:
                leader.kill()

    async with Client([leader.endpoint, *cluster.endpoints], timeout=30.0) as client:
        async with asyncio.TaskGroup() as tasks:
            for writer in range(4):
                tasks.create_task(write(writer))
        found = {key_value.key for key_value in (await client.range("", prefix=True)).kvs}
    assert acknowledged <= found <= acknowledged | unknown
    assert len(unknown) <= (8 if target == "etcd" else 0)


@three
async def test_node_that_falls_silent_is_left_for_another(start_cluster: StartCluster, target: str) -> None:
    cluster = start(start_cluster, target)
    leader = cluster.leader()
    silent = next(node for node in cluster.nodes if node is not leader)
    others = [node.endpoint for node in cluster.nodes if node is not silent]
    async with Client([silent.endpoint, *others], timeout=30.0, keepalive_after=0.1, keepalive_timeout=0.3) as client:
        await client.status(silent.endpoint)  # a connection is open when it falls silent
        silent.process.pause()
        try:
            assert await client.get("k") is None
        finally:
            silent.process.resume()


@three
def test_every_dead_endpoint_is_named(start_cluster: StartCluster, target: str, tmp_path: Path) -> None:
    cluster = start_cluster(TARGETS[target], options=OPTIONS.get(target))
    endpoint = cluster.endpoints[0]
    with BlockingClient([endpoint, "127.0.0.1:1"], timeout=0.3) as client:
        client.status(endpoint)
        cluster.nodes[0].kill()
        with pytest.raises(ConnectError) as caught:
            client.put("k")
    assert caught.value.reasons == {endpoint: "connection refused", "127.0.0.1:1": "connection refused"}
