"""How long nobody can write when the leader is gone: from the signal to the next acknowledged write.

Two ways to be gone: killed, where the kernel closes the leader's connections and its peers can see it, and stopped (SIGSTOP),
where nothing but silence tells, as when a machine or its network is lost.

A new write is sent every few milliseconds to the survivors in turn, without waiting for the ones before, so the answer does
not depend on a client's timeouts.
"""

import threading
from collections.abc import Callable
from typing import Any

from benchmarks.bench import Bench
from benchmarks.figures import Quantity, Row
from raftkv.clock import SystemClock
from raftkv.pb import rpc
from tests.harness.cluster import Cluster, Node, NotReadyError

PROBE_EVERY_S = 0.01
GIVE_UP_S = 30.0
CLOCK = SystemClock()

FAILOVER = Quantity("From the loss of the leader to the next acknowledged write, default timeouts", "ms", more_is_better=False)
KILLED = "killed: its connections close"
STOPPED = "stopped: its connections stay"


def run_failovers(bench: Bench, *, kills: int) -> None:
    """Kills and stops the leader of each target's cluster `kills` times each, and brings it back each time."""
    for target in bench.targets:
        bench.tell(f"failover: {target.target}, {kills} times each way")
        with bench.cluster(target, "failover") as cluster:
            for number in range(kills):
                for label, lose, bring_back in ((KILLED, Node.kill, Node.start), (STOPPED, _pause, _resume)):
                    leader = cluster.leader()
                    milliseconds = time_without(leader, cluster, lose) * 1000
                    bring_back(leader)
                    cluster.wait_ready()
                    bench.figures.add(Row(FAILOVER, label), target.target, milliseconds, round_number=number)


def time_without(leader: Node, cluster: Cluster, lose: Callable[[Node], None]) -> float:
    """Makes the leader go away and waits for a write; the seconds in between."""
    survivors = [node for node in cluster.nodes if node is not leader]
    acknowledged = threading.Event()
    moments: list[float] = []

    def note(future: Any) -> None:
        if not future.cancelled() and future.exception() is None:
            moments.append(CLOCK.now())
            acknowledged.set()

    lost_at = CLOCK.now()
    lose(leader)
    pending: list[Any] = []
    while not acknowledged.wait(PROBE_EVERY_S) and CLOCK.now() < lost_at + GIVE_UP_S:
        caller = survivors[len(pending) % len(survivors)].caller
        probe = caller.future(rpc.PutRequest(key=b"failover"), timeout_s=GIVE_UP_S)
        probe.add_done_callback(note)
        pending.append(probe)
    for probe in pending:
        probe.cancel()
    if not moments:
        raise NotReadyError(f"no write was acknowledged within {GIVE_UP_S} s")
    return min(moments) - lost_at


def _pause(node: Node) -> None:
    node.process.pause()


def _resume(node: Node) -> None:
    node.process.resume()
