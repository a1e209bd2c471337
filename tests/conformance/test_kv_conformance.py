"""Random requests, answered by a real etcd 3.5.1 and by raftkv, have to be answered alike.

`RAFTKV_CONFORMANCE_SEEDS=17,18 RAFTKV_CONFORMANCE_REQUESTS=5000` chooses other runs than the usual ones.
"""

import os

import pytest

from raftkv.errors import Code
from raftkv.pb import rpc
from tests.conformance.comparison import Comparison
from tests.conformance.generator import MANY_KEYS
from tests.conftest import StartCluster
from tests.harness.calls import Failure
from tests.harness.cluster import Cluster
from tests.harness.etcd import EtcdCluster
from tests.harness.raftkv import RaftkvCluster

SEEDS = tuple(int(seed) for seed in os.environ.get("RAFTKV_CONFORMANCE_SEEDS", "1,2").split(","))
REQUESTS = int(os.environ.get("RAFTKV_CONFORMANCE_REQUESTS", "1500"))
UNSYNCED = {"unsafe-no-fsync": "true"}


def test_etcd_agrees_with_itself(start_cluster: StartCluster) -> None:
    comparison = Comparison(start_cluster(EtcdCluster, options=UNSYNCED), start_cluster(EtcdCluster, options=UNSYNCED), seed=0)
    comparison.run(500)
    assert comparison.answered_ok > 350


@pytest.mark.parametrize("seed", SEEDS)
def test_one_node_answers_as_etcd(start_cluster: StartCluster, seed: int) -> None:
    etcd, raftkv = start_cluster(EtcdCluster, options=UNSYNCED), start_cluster(RaftkvCluster)
    Comparison(etcd, raftkv, seed=seed).run(REQUESTS)


def test_one_node_with_many_keys_answers_as_etcd(start_cluster: StartCluster) -> None:
    etcd, raftkv = start_cluster(EtcdCluster, options=UNSYNCED), start_cluster(RaftkvCluster)
    comparison = Comparison(etcd, raftkv, seed=SEEDS[0] + 2_000_000, keys=MANY_KEYS)
    comparison.fill(MANY_KEYS)
    comparison.run(REQUESTS // 5)


def test_three_nodes_answer_as_one_etcd(start_cluster: StartCluster) -> None:
    etcd, raftkv = start_cluster(EtcdCluster, options=UNSYNCED), start_cluster(RaftkvCluster, size=3)
    Comparison(etcd, raftkv, seed=SEEDS[0] + 1_000_000, serializable=False).run(REQUESTS // 2)


def test_sort_options_that_do_not_exist_are_refused(raftkv_node: Cluster) -> None:
    """etcd 3.5.1 crashes on an unknown target; the text is that of later releases."""
    caller = raftkv_node.nodes[0].caller
    order = rpc.RangeRequest(key=b"a", sort_order=3)  # type: ignore[arg-type]  # no such enum value, on purpose
    target = rpc.RangeRequest(key=b"a", sort_target=5)  # type: ignore[arg-type]  # as above
    refused = Failure(Code.INVALID_ARGUMENT, "etcdserver: invalid sort option")
    assert caller.call(order) == refused
    assert caller.call(target) == refused
