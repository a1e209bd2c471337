"""Fixtures for tests that need real servers."""

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.harness.cluster import Cluster
from tests.harness.raftkv import RaftkvCluster

StartCluster = Callable[..., Cluster]


@pytest.fixture
def start_cluster(tmp_path: Path) -> Iterator[StartCluster]:
    """Starts clusters (`start_cluster(RaftkvCluster, size=3)`) that end with the test; their logs show when it fails."""
    started: list[Cluster] = []

    def start(target: type[Cluster], *, size: int = 1, options: Mapping[str, str] | None = None) -> Cluster:
        cluster = target(tmp_path / f"{target.target}-{len(started)}", size=size, options=options)
        started.append(cluster)
        cluster.start()
        return cluster

    yield start
    for cluster in started:
        sys.stdout.write(cluster.logs())  # shown by pytest for a failed test only
        cluster.stop()


@pytest.fixture
def raftkv_node(start_cluster: StartCluster) -> Cluster:
    """One raftkv node."""
    return start_cluster(RaftkvCluster)
