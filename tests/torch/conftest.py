"""Tests with torch itself: `make test-torch`, in an environment of its own, for torch is large. Elsewhere they are no tests."""

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from tests.harness.cluster import Cluster
from tests.harness.raftkv import RaftkvCluster

collect_ignore_glob = [] if find_spec("torch") else ["test_*.py"]


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three nodes, for all tests: each has jobs of its own, and whoever kills a node brings it back."""
    with RaftkvCluster(tmp_path_factory.mktemp("cluster"), size=3) as cluster:
        yield cluster


@pytest.fixture
def endpoints(cluster: Cluster) -> str:
    return ",".join(cluster.endpoints)
