"""The example of the guide, run as it stands."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.test_guide import DOCS, run
from tests.harness.raftkv import RaftkvCluster


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[str]:
    with RaftkvCluster(tmp_path) as cluster:
        yield cluster.endpoints[0]


def test_example_of_the_guide_works(endpoint: str) -> None:
    run(DOCS / "rendezvous.md", endpoint)
