"""No acknowledged write is lost and none is applied twice, however often the leader is killed."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from random import Random
from typing import Any

import pytest

from raftkv.pb import rpc
from tests.conformance.writers import PersistentClient, PutCounter, SharedLog, UniqueKeys, Writer
from tests.conftest import StartCluster
from tests.harness.cluster import Cluster
from tests.harness.raftkv import RaftkvCluster

KILLS = 20
WRITES_BETWEEN_KILLS = 25
FAST_ELECTIONS = {"heartbeat-interval": "50", "election-timeout": "500"}


class Crew:
    """Writers at work on threads of their own, until told to stop."""

    def __init__(self, pool: ThreadPoolExecutor, writers: Sequence[Writer]) -> None:
        self.writers = writers
        self._stopping = threading.Event()
        self._done: list[Future[None]] = [pool.submit(self._work, writer) for writer in writers]

    def acknowledged(self) -> int:
        """How many writes were acknowledged so far; raises what a writer raised."""
        for future in self._done:
            if future.done():
                future.result()
        return sum(writer.acknowledged for writer in self.writers)

    def stop(self) -> None:
        """Lets every writer finish the write it is at."""
        self._stopping.set()
        for future in self._done:
            future.result()

    def _work(self, writer: Writer) -> None:
        while not self._stopping.is_set():
            writer.step()


def writers(cluster: Cluster, random: Random) -> list[Writer]:
    def client() -> PersistentClient:
        return PersistentClient([node.caller for node in cluster.nodes], Random(random.randbytes(8)))

    return [
        UniqueKeys(client(), "a"),
        UniqueKeys(client(), "b"),
        PutCounter(client(), "a"),
        PutCounter(client(), "b"),
        SharedLog(client(), "a"),
        SharedLog(client(), "b"),
    ]


def kill_and_restart_leader(cluster: Cluster, crew: Crew) -> None:
    """The writers go on both while the node is away and after it is back."""
    leader = cluster.leader()
    leader.kill()
    await_writes(cluster, crew)
    leader.start()
    cluster.wait_ready([leader])
    await_writes(cluster, crew)


def await_writes(cluster: Cluster, crew: Crew) -> None:
    wanted = crew.acknowledged() + WRITES_BETWEEN_KILLS
    cluster.wait_until(lambda: crew.acknowledged() >= wanted, "the writers go on")


def rows_of(cluster: Cluster, number: int) -> dict[bytes, Any]:
    """Everything in the store as node `number` has it; being a linearizable read, it is up to date."""
    answer = cluster.nodes[number].caller.ask(rpc.RangeRequest(key=b"\x00", range_end=b"\x00"))
    return {row.key: row for row in answer.kvs}


@pytest.mark.timeout(110)
def test_acknowledged_writes_survive_twenty_kills_of_the_leader(start_cluster: StartCluster) -> None:
    cluster = start_cluster(RaftkvCluster, size=3, options=FAST_ELECTIONS)
    with ThreadPoolExecutor(max_workers=6) as pool:
        crew = Crew(pool, writers(cluster, Random(20)))
        try:
            for _ in range(KILLS):
                kill_and_restart_leader(cluster, crew)
        finally:
            crew.stop()
    for number in range(len(cluster.nodes)):
        rows = rows_of(cluster, number)
        for writer in crew.writers:
            writer.check(rows)
