"""etcdctl works with raftkv as with etcd: the same commands print the same."""

from typing import Any

from tests.conformance.etcdctl import etcdctl, etcdctl_json, table_rows
from tests.conftest import StartCluster
from tests.harness.cluster import Cluster
from tests.harness.etcd import EtcdCluster
from tests.harness.raftkv import RaftkvCluster

TXN = 'mod("k/1") > "0"\nversion("k/2") = "1"\n\nput k/3 three\nget k/1\ndel k/2\n\nget k/9\n\n'
TXN_NOT_MET = 'value("k/1") = "else"\n\nput k/3 no\n\nget k/3\n\n'


def printed(cluster: Cluster) -> list[Any]:
    """The key-value commands, with each output format."""
    return [
        etcdctl(cluster, "put", "k/1", "one"),
        etcdctl_json(cluster, "put", "k/2", "two"),
        etcdctl(cluster, "put", "--prev-kv", "k/2", "zwei"),
        etcdctl(cluster, "get", "k/", "--prefix"),
        etcdctl_json(cluster, "get", "k/", "--prefix"),
        etcdctl_json(cluster, "get", "k/", "--prefix", "--keys-only", "--limit=1", "--order=DESCEND"),
        etcdctl(cluster, "get", "k/1", "--print-value-only", "--rev=2"),
        etcdctl(cluster, "get", "", "--from-key", "--count-only", "--write-out=fields").splitlines()[-1],
        etcdctl_json(cluster, "put", "k/2", "--ignore-value"),
        etcdctl_json(cluster, "txn", stdin=TXN_NOT_MET),
        etcdctl(cluster, "txn", stdin=TXN.replace('"1"', '"3"')),
        etcdctl_json(cluster, "del", "k/", "--prefix", "--prev-kv"),
        etcdctl(cluster, "del", "k/1"),
        etcdctl(cluster, "compact", "4"),
        etcdctl(cluster, "compact", "--physical", "5"),
    ]


def test_key_value_commands_print_the_same(start_cluster: StartCluster) -> None:
    etcd = start_cluster(EtcdCluster, options={"unsafe-no-fsync": "true"})
    assert printed(start_cluster(RaftkvCluster, size=3)) == printed(etcd)


def test_cluster_commands_see_three_nodes(start_cluster: StartCluster) -> None:
    cluster = start_cluster(RaftkvCluster, size=3)
    statuses = etcdctl_json(cluster, "endpoint", "status")
    assert [status["Endpoint"] for status in statuses] == cluster.endpoints
    assert len({status["Status"]["leader"] for status in statuses}) == 1
    assert all(status["Status"]["dbSize"] > 0 for status in statuses)
    assert len(table_rows(etcdctl(cluster, "endpoint", "status", "-w", "table"))) == 3
    assert etcdctl(cluster, "endpoint", "status", "-w", "fields").count('"Leader"') == 3
    assert [health["health"] for health in etcdctl_json(cluster, "endpoint", "health")] == [True] * 3
    assert etcdctl(cluster, "endpoint", "health").count("is healthy") == 3


def test_member_list_names_every_node_and_its_addresses(start_cluster: StartCluster) -> None:
    cluster = start_cluster(RaftkvCluster, size=3)
    members = etcdctl_json(cluster, "member", "list")["members"]
    found = {(member["name"], *member["peerURLs"], *member["clientURLs"]) for member in members}
    assert found == {(node.name, node.peer_url, node.client_url) for node in cluster.nodes}
    rows = table_rows(etcdctl(cluster, "member", "list", "-w", "table"))
    assert sorted(row[2] for row in rows) == [node.name for node in cluster.nodes]
    assert {row[1] for row in rows} == {"started"}
