"""A gateway and a gRPC server on one port, with methods that tests choose."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.gateway.running import Running, StartGateway


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
