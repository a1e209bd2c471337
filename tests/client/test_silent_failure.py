"""A connection that breaks when nobody waits any more (Ctrl-C) is no news for anybody."""

import asyncio
import gc
from typing import Any

from raftkv.client.exchange import fail
from raftkv.errors import ConnectionBrokenError


async def test_a_failure_that_nobody_waits_for_is_silent() -> None:
    loop, told = asyncio.get_running_loop(), list[dict[str, Any]]()
    loop.set_exception_handler(lambda _, context: told.append(context))
    future: asyncio.Future[None] = loop.create_future()
    fail(future, ConnectionBrokenError("h:1", "closed", sent=False))
    del future
    gc.collect()
    assert told == []
