"""The examples of the guides to rendezvous and to training loops, run as they stand."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.test_guide import DOCS, run
from tests.harness.raftkv import RaftkvCluster


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[str]:
    with RaftkvCluster(tmp_path) as cluster:
        yield cluster.endpoints[0]


def test_examples_of_the_guides_work(endpoint: str) -> None:
    run(DOCS / "rendezvous.md", endpoint)
    run(DOCS / "training.md", endpoint)
