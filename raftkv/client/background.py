"""What a client does while nobody waits for it: the tasks behind watches and leases, and who ends them."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from raftkv.client import forked


class Background:
    """The tasks of one session. Unlike in a TaskGroup, nobody waits inside it: it is open from the first use to `stop`.

    The work handles its own failures; what it raises nevertheless is a mistake of ours, and goes to the loop's exception
    handler. A forked child keeps its copies of the tasks untouched (`forked`).
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False
        forked.keep(self)

    def start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Runs `work` until it ends or `stop`."""
        if self._stopped:
            work.close()
            return
        task = self._loop.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Cancels what still runs, and waits for it; nothing starts any more."""
        self._stopped = True
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._loop.call_exception_handler({"message": f"{task.get_name()} failed", "exception": error, "task": task})
