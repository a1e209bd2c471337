"""How long nobody can write when the leader is killed: from SIGKILL to the next acknowledged write.

A new write is sent every few milliseconds to the survivors in turn, without waiting for the ones before, so the answer does
not depend on a client's timeouts.
"""

import threading
from typing import Any

from benchmarks.bench import Bench
from benchmarks.figures import Quantity, Row
from raftkv.clock import SystemClock
from raftkv.pb import rpc
from tests.harness.cluster import Cluster, NotReadyError

PROBE_EVERY_S = 0.01
GIVE_UP_S = 30.0
CLOCK = SystemClock()

FAILOVER = Quantity("From kill -9 of the leader to the next acknowledged write", "ms", more_is_better=False)
LABEL = "default timeouts"


def run_failovers(bench: Bench, *, kills: int) -> None:
    """Kills the leader of each target's cluster `kills` times, restarting it each time."""
    for target in bench.targets:
        bench.tell(f"failover: {target.target}, {kills} kills")
        with bench.cluster(target, "failover") as cluster:
            for number in range(kills):
                milliseconds = time_without_leader(cluster) * 1000
                bench.figures.add(Row(FAILOVER, LABEL), target.target, milliseconds, round_number=number)


def time_without_leader(cluster: Cluster) -> float:
    """Kills the leader, waits for a write, restarts the killed node; the seconds between the first two."""
    leader = cluster.leader()
    survivors = [node for node in cluster.nodes if node is not leader]
    acknowledged = threading.Event()
    moments: list[float] = []

    def note(future: Any) -> None:
        if not future.cancelled() and future.exception() is None:
            moments.append(CLOCK.now())
            acknowledged.set()

    killed_at = CLOCK.now()
    leader.kill()
    pending: list[Any] = []
    while not acknowledged.wait(PROBE_EVERY_S) and CLOCK.now() < killed_at + GIVE_UP_S:
        caller = survivors[len(pending) % len(survivors)].caller
        probe = caller.future(rpc.PutRequest(key=b"failover"), timeout_s=GIVE_UP_S)
        probe.add_done_callback(note)
        pending.append(probe)
    for probe in pending:
        probe.cancel()
    leader.start()
    cluster.wait_ready()
    if not moments:
        raise NotReadyError(f"no write was acknowledged within {GIVE_UP_S} s")
    return min(moments) - killed_at
