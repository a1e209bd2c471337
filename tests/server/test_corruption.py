"""Members compare their data: whoever differs is named, and whoever is only behind is not."""

import asyncio
import random

import pytest

from raftkv.apply.command import COMPACT, body
from raftkv.errors import CorruptClusterError, StorageError
from raftkv.mvcc.hashing import HistoryHash
from raftkv.pb import rpc
from raftkv.server.corruption import NOBODY, CorruptionCheck, find_culprits
from raftkv.storage.engine import Table
from tests.server.replicas import Cluster, Node, simulate, until


def found(checksum: int, revision: int = 5, compacted: int = -1) -> HistoryHash:
    return HistoryHash(checksum, revision, compacted)


@pytest.mark.parametrize(
    ("hashes", "culprits"),
    [
        ({1: found(7), 2: found(7), 3: found(7)}, set()),
        ({1: found(7), 2: found(8), 3: found(7)}, {2}),
        ({1: found(7), 2: found(8)}, {NOBODY}),
        ({1: found(7), 2: found(8), 3: found(9)}, {NOBODY}),
        ({1: found(7), 2: found(8, compacted=3), 3: found(7)}, set()),
        ({1: found(7)}, set()),
        ({}, set()),
    ],
)
def test_the_majority_decides_whose_data_is_wrong(hashes: dict[int, HistoryHash], culprits: set[int]) -> None:
    assert find_culprits(hashes) == culprits


async def filled(cluster: Cluster) -> dict[int, CorruptionCheck]:
    leader = await cluster.leader()
    for number in range(40):
        await leader.put(f"k{number % 10}", str(number))
    await cluster.agree()
    await asyncio.sleep(1)  # the rows are on disk
    return {node.node_id: CorruptionCheck(node.replica) for node in cluster.nodes.values()}


def spoil(node: Node) -> None:
    row = next(key for key, _ in node.engine.scan(Table.HISTORY))
    node.engine.corrupt(Table.HISTORY, row, random.Random(1))


def test_a_member_with_other_data_is_named_and_nothing_more_is_written() -> None:
    async def scenario(cluster: Cluster) -> None:
        checks = await filled(cluster)
        leader = await cluster.leader()
        assert await checks[leader.node_id].compare() == set()
        bad = next(node for node in cluster.nodes.values() if node is not leader)
        spoil(bad)
        assert await checks[leader.node_id].compare() == {bad.node_id}
        assert leader.replica.machine.alarms == {(bad.node_id, rpc.CORRUPT)}
        with pytest.raises(CorruptClusterError):
            await leader.put("k", "v")
        with pytest.raises(StorageError):
            await checks[bad.node_id].check_start()
        await checks[leader.node_id].check_start()

    simulate(scenario)


def test_what_one_member_has_scrubbed_and_another_has_not_makes_no_difference() -> None:
    async def scenario(cluster: Cluster) -> None:
        checks = await filled(cluster)
        leader = await cluster.leader()
        slow = next(node for node in cluster.nodes.values() if node is not leader)
        slow.replica._scrubber.stop()
        slow.replica._scrubber.wake = lambda: None  # type: ignore[method-assign] # it never gets round to it
        await leader.replica.propose(body(COMPACT, rpc.CompactionRequest(revision=35).SerializeToString()))
        await leader.replica.scrubbed()
        await cluster.agree()
        rows = [sum(1 for _ in node.replica.machine._state.scan(Table.HISTORY)) for node in (leader, slow)]
        assert rows[0] < rows[1]
        assert await checks[leader.node_id].compare() == set()

    simulate(scenario)


def test_the_leader_compares_by_itself_after_a_compaction() -> None:
    async def scenario(cluster: Cluster) -> None:
        checks = await filled(cluster)
        leader = await cluster.leader()
        bad = next(node for node in cluster.nodes.values() if node is not leader)
        watching = [cluster.tasks.create_task(check.keep_checking(0.0, 1.0)) for check in checks.values()]
        await asyncio.sleep(5)
        spoil_newest(bad)
        await asyncio.sleep(5)
        assert not leader.replica.machine.alarms
        await leader.replica.propose(body(COMPACT, rpc.CompactionRequest(revision=10).SerializeToString()))
        await until(lambda: leader.replica.machine.alarms == {(bad.node_id, rpc.CORRUPT)})
        for task in watching:
            task.cancel()

    simulate(scenario)


def spoil_newest(node: Node) -> None:
    row = [key for key, _ in node.engine.scan(Table.HISTORY)][-1]
    node.engine.corrupt(Table.HISTORY, row, random.Random(1))
