"""Every test of the server runs on both event loops."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import uvloop

from tests.http2.echo import Echo
from tests.http2.running import Running, StartServer


def pytest_asyncio_loop_factories(
    config: pytest.Config,
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"stock": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
async def start() -> AsyncIterator[StartServer]:
    """Starts servers on free ports, which end with the test."""
    started: list[Running] = []

    async def start_server(**options: object) -> Running:
        running = Running(Echo(), **options)
        started.append(running)
        await running.start()
        return running

    yield start_server
    for running in started:
        await running.stop()
