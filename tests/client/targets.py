"""The servers that the client is tested against."""

import pytest

from tests.harness.cluster import Cluster
from tests.harness.etcd import EtcdCluster
from tests.harness.raftkv import RaftkvCluster

TARGETS: dict[str, type[Cluster]] = {"etcd": EtcdCluster, "raftkv": RaftkvCluster}
OPTIONS = {"etcd": {"unsafe-no-fsync": "true"}}

at_etcd = pytest.mark.parametrize("cluster", ["etcd"], indirect=True)
"""For tests of the client that need leases or watches of a server."""
