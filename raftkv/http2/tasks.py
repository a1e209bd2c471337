"""Who owns the handlers' tasks."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from raftkv.errors import StoppedError


class HandlerTasks:
    """The running handlers of a server. Unlike a TaskGroup, one that fails does not end the others.

    Nothing is lost: each task's outcome is looked at by its call, and `stop` waits for all of them.
    """

    __slots__ = ("_loop", "_stopped", "_tasks")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._stopped = False

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Runs `work` until it ends or `stop`. Raises StoppedError, and has not touched `work` then."""
        if self._stopped:
            raise StoppedError
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def stop(self) -> None:
        """Cancels what still runs, and waits for it; nothing starts any more."""
        self._stopped = True
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)
