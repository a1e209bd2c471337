"""As test_kv_conformance, with nodes that are killed and started again between the requests: what was recovered from disk, from
the log or from a snapshot of the leader answers as an etcd that never went away.
"""

from raftkv.pb import rpc
from tests.conformance.comparison import Comparison
from tests.conftest import StartCluster
from tests.harness.cluster import Cluster, Node
from tests.harness.etcd import EtcdCluster
from tests.harness.raftkv import RaftkvCluster

UNSYNCED = {"unsafe-no-fsync": "true"}
SHORT_LOG = {"snapshot-count": "40", "heartbeat-interval": "50", "election-timeout": "500"}
RESTARTS = 6
REQUESTS_BETWEEN = 120
MORE_THAN_THE_LOG_KEEPS = 5_200
IN_FLIGHT = 400


def write_the_same_again_and_again(cluster: Cluster, times: int) -> None:
    """Writes one key `times` times, many at once: whatever their order, the result is the same."""
    caller = cluster.leader().caller
    for start in range(0, times, IN_FLIGHT):
        puts = [caller.future(rpc.PutRequest(key=b"same")) for _ in range(min(IN_FLIGHT, times - start))]
        for put in puts:
            put.result()


def restart(cluster: Cluster, node: Node) -> None:
    node.start()
    cluster.wait_ready([node])


def test_node_answers_as_etcd_after_each_kill(start_cluster: StartCluster) -> None:
    etcd = start_cluster(EtcdCluster, options=UNSYNCED)
    raftkv = start_cluster(RaftkvCluster, options=SHORT_LOG)
    comparison = Comparison(etcd, raftkv, seed=31)
    for _ in range(RESTARTS):
        comparison.send(REQUESTS_BETWEEN)
        raftkv.nodes[0].kill()
        restart(raftkv, raftkv.nodes[0])
        comparison.read_history()


def test_nodes_that_missed_writes_answer_as_etcd_after_catching_up(start_cluster: StartCluster) -> None:
    etcd = start_cluster(EtcdCluster, options=UNSYNCED)
    raftkv = start_cluster(RaftkvCluster, size=3, options=SHORT_LOG)
    comparison = Comparison(etcd, raftkv, seed=32, serializable=False)
    for number in range(RESTARTS):
        node = raftkv.nodes[number % 3]
        node.kill()
        raftkv.wait_ready([other for other in raftkv.nodes if other is not node])
        comparison.send(REQUESTS_BETWEEN)
        restart(raftkv, node)
        comparison.read_history()


def test_node_that_needs_a_snapshot_answers_as_etcd(start_cluster: StartCluster) -> None:
    etcd = start_cluster(EtcdCluster, options=UNSYNCED)
    raftkv = start_cluster(RaftkvCluster, size=3, options=SHORT_LOG)
    comparison = Comparison(etcd, raftkv, seed=33, serializable=False)
    comparison.send(REQUESTS_BETWEEN)
    raftkv.nodes[0].kill()
    raftkv.wait_ready(raftkv.nodes[1:])
    for cluster in (etcd, raftkv):
        write_the_same_again_and_again(cluster, MORE_THAN_THE_LOG_KEEPS)
    restart(raftkv, raftkv.nodes[0])
    assert "sending snapshot" in raftkv.logs()
    comparison.send(REQUESTS_BETWEEN)
    comparison.read_history()
