"""A leader that stood still and was replaced meanwhile answers no read from its own past (linearizability across SIGSTOP)."""

from raftkv.pb import rpc
from tests.conftest import StartCluster
from tests.harness.calls import Failure
from tests.harness.cluster import Cluster, Node
from tests.harness.raftkv import RaftkvCluster

FAST_ELECTIONS = {"heartbeat-interval": "50", "election-timeout": "500"}
ROUNDS = 3
READS = 20


def write_through(nodes: list[Node], cluster: Cluster, value: bytes) -> None:
    def written() -> bool:
        put = rpc.PutRequest(key=b"register", value=value)
        return any(not isinstance(node.caller.call(put, timeout_s=2.0), Failure) for node in nodes)

    cluster.wait_until(written, "the others elect a leader and write", watched=nodes[0])


def values_read_across_a_pause(cluster: Cluster, *, new: bytes) -> list[bytes]:
    """Stops the leader, hands it reads, has the others write, wakes it: what the reads then answered."""
    leader = cluster.leader()
    others = [node for node in cluster.nodes if node is not leader]
    leader.process.pause()
    reads = [leader.caller.future(rpc.RangeRequest(key=b"register"), timeout_s=20.0) for _ in range(READS)]
    write_through(others, cluster, new)
    leader.process.resume()
    answers = [rpc.RangeResponse.FromString(read.result()) for read in reads if read.exception() is None]
    return [answer.kvs[0].value for answer in answers]


def test_reads_of_a_leader_that_was_paused_and_replaced_are_not_stale(start_cluster: StartCluster) -> None:
    cluster = start_cluster(RaftkvCluster, size=3, options=FAST_ELECTIONS)
    write_through(cluster.nodes, cluster, b"0")
    for number in range(1, ROUNDS + 1):
        new = b"%d" % number
        assert set(values_read_across_a_pause(cluster, new=new)) <= {new}
        cluster.wait_ready()
