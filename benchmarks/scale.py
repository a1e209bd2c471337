"""A store of a million keys: loading, memory, counting, paging, and starting a node that holds it."""

from benchmarks.bench import Bench
from benchmarks.figures import Quantity, Row
from benchmarks.load import LoadFailedError
from benchmarks.machine import resident_bytes
from raftkv.clock import SystemClock
from raftkv.pb import rpc
from tests.harness.calls import Failure
from tests.harness.cluster import Cluster, Node, NotReadyError

LOAD_LIMIT_S = 300.0
LOAD_CLIENTS = 20
READ_CLIENTS = 10
START_TIMEOUT_S = 120.0
CLOCK = SystemClock()

LOADING = Quantity("Keys written per second, in transactions of 100", "1/s", more_is_better=True)
MEMORY = Quantity("Resident memory of a node, the largest of three", "MiB", more_is_better=False)
START = Quantity("From the start of a node to its first answer from its own data", "s", more_is_better=False)
READS = Quantity("Reads of a large store, per second", "1/s", more_is_better=True)


def run_scale(bench: Bench, *, keys: int, seconds: float) -> None:
    """One cluster of each target, loaded and asked."""
    for target in bench.targets:
        bench.tell(f"scale: {target.target}, {keys:,} keys")
        with bench.cluster(target, "scale") as cluster:
            try:
                _fill(bench, cluster, keys=keys)
                _read(bench, cluster, keys=keys, seconds=seconds)
                bench.figures.add(Row(START, f"{keys:,} keys"), target.target, _restart(cluster, keys))
            except (LoadFailedError, NotReadyError) as error:
                bench.failed(f"{target.target}, {keys:,} keys", error)


def _fill(bench: Bench, cluster: Cluster, *, keys: int) -> None:
    label = f"{keys:,} keys"
    options = [f"-keys={keys}"]
    seen = bench.load.run("load", cluster.endpoints, clients=LOAD_CLIENTS, seconds=LOAD_LIMIT_S, options=options)
    if seen.errors:
        raise LoadFailedError(f"{seen.errors} errors while loading")
    cluster.wait_ready()  # a linearizable read of each node: all have applied everything
    largest = max(resident_bytes(node.process.pid) for node in cluster.nodes)
    bench.figures.add(Row(LOADING, label), cluster.target, seen.per_second)
    bench.figures.add(Row(MEMORY, label), cluster.target, largest / 2**20)


def _read(bench: Bench, cluster: Cluster, *, keys: int, seconds: float) -> None:
    options = [f"-keys={keys}"]
    for operation in ("count", "page", "range"):
        seen = bench.load.run(operation, cluster.endpoints, clients=READ_CLIENTS, seconds=seconds, options=options)
        bench.figures.add(Row(READS, f"{operation}, {keys:,} keys"), cluster.target, seen.per_second)


def _restart(cluster: Cluster, keys: int) -> float:
    """Ends a follower in the orderly way and starts it again; the seconds until it answers for its last key."""
    leader = cluster.leader()
    follower = next(node for node in cluster.nodes if node is not leader)
    follower.process.terminate()
    started_at = CLOCK.now()
    follower.start()
    cluster.wait_until(
        lambda: _has(follower, keys - 1), "the restarted node answers", watched=follower, timeout_s=START_TIMEOUT_S
    )
    return CLOCK.now() - started_at


def _has(node: Node, number: int) -> bool:
    read = rpc.RangeRequest(key=b"bench/%08d" % number, serializable=True)
    answer = node.caller.call(read, timeout_s=1.0)
    return not isinstance(answer, Failure) and answer.count == 1
