"""Leases as JSON, on etcd's paths and their older names, answered as etcd answers."""

import re
import urllib.error
import urllib.request

from tests.conftest import StartCluster
from tests.harness.cluster import Node
from tests.harness.etcd import EtcdCluster
from tests.harness.raftkv import RaftkvCluster

CALLS = (
    ("lease/grant", '{"ID":5,"TTL":60}'),
    ("lease/grant", '{"ID":5,"TTL":60}'),
    ("lease/grant", '{"ID":6,"TTL":"9000000001"}'),
    ("kv/put", '{"key":"Zm9v","lease":"5"}'),
    ("lease/keepalive", '{"ID":5}'),
    ("lease/keepalive", '{"ID":6}'),
    ("lease/keepalive", '{"ID":5}{"ID":7}'),
    ("lease/timetolive", '{"ID":5,"keys":true}'),
    ("kv/lease/timetolive", '{"ID":7}'),
    ("lease/leases", "{}"),
    ("kv/lease/leases", "{}"),
    ("kv/lease/revoke", '{"ID":5}'),
    ("lease/revoke", '{"ID":5}'),
    ("lease/leases", "{}"),
)
OWN = re.compile(r'"(cluster_id|member_id|raft_term)":"\d+"|"TTL":"[56]\d"')
"""What differs between clusters, and what is left of a minute."""


def answers(node: Node) -> list[tuple[int, str]]:
    found = []
    for path, body in CALLS:
        request = urllib.request.Request(f"{node.client_url}/v3/{path}", body.encode(), {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                found.append((response.status, OWN.sub("", response.read().decode())))
        except urllib.error.HTTPError as error:
            found.append((error.code, OWN.sub("", error.read().decode())))
    return found


def test_leases_are_served_as_etcd_serves_them(start_cluster: StartCluster) -> None:
    etcd = start_cluster(EtcdCluster, options={"unsafe-no-fsync": "true"}).nodes[0]
    raftkv = start_cluster(RaftkvCluster).nodes[0]
    assert answers(raftkv) == answers(etcd)
