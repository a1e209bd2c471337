"""Servers for the client's tests: one for the tests of a file, and keys of its own for each test."""

from collections.abc import AsyncIterator, Iterator

import pytest

from raftkv.client import Client
from tests.client.targets import OPTIONS, TARGETS
from tests.harness.cluster import Cluster


@pytest.fixture(scope="module", params=TARGETS)
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One node, shared by the tests of a file."""
    directory = tmp_path_factory.mktemp("cluster")
    with TARGETS[request.param](directory, options=OPTIONS.get(request.param)) as cluster:
        yield cluster


@pytest.fixture
def endpoint(cluster: Cluster) -> str:
    return cluster.endpoints[0]


@pytest.fixture
async def client(endpoint: str) -> AsyncIterator[Client]:
    async with Client(endpoint, timeout=20.0) as client:
        yield client


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    """The start of keys that no other test uses."""
    return f"{request.node.name}/"
