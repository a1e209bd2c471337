"""Many small requests as few large ones, without waiting for company: what comes while all flights are under way goes together.

    submit, submit, submit -> the batch that fills -> flies when one of the `flights` is free -> its answer, for all in it

With one flight the batches are in order, and so is what was submitted.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Batch(Generic[Item, Answer]):
    """Requests that fly together."""

    __slots__ = ("answer", "items", "size")

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.size = 0
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.answer.add_done_callback(_look)

    async def answered(self) -> Answer:
        """The answer to all of it; who is cancelled here disturbs nobody else. Raises what sending raised."""
        return self.answer.result() if self.answer.done() else await asyncio.shield(self.answer)


def _look(future: asyncio.Future[Any]) -> None:
    """So that a failure that nobody waited for is not reported as forgotten: whoever comes later still meets it."""
    if not future.cancelled():
        future.exception()


class Batches(Generic[Item, Answer]):
    """Bounds: a batch has at most `max_items`, and at most `max_bytes` unless one item alone has more."""

    def __init__(
        self, send: Callable[[list[Item]], Awaitable[Answer]], *, max_items: int, max_bytes: int, flights: int
    ) -> None:
        self._send = send
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._flights = flights
        self._filling: deque[Batch[Item, Answer]] = deque()
        self._news = asyncio.Event()

    def submit(self, item: Item, size: int) -> tuple[Batch[Item, Answer], int]:
        """The batch that the item flies with, and its place in there."""
        batch = self._filling[-1] if self._filling else None
        if batch is None or len(batch.items) >= self._max_items or batch.size + size > self._max_bytes:
            batch = Batch()
            self._filling.append(batch)
            self._news.set()
        batch.items.append(item)
        batch.size += size
        return batch, len(batch.items) - 1

    async def run(self) -> None:
        """Sends until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._flights):
                tasks.create_task(self._fly())

    async def _fly(self) -> None:
        while True:
            while not self._filling:
                self._news.clear()
                await self._news.wait()
            batch = self._filling.popleft()
            try:
                answer = await self._send(batch.items)
            except asyncio.CancelledError:
                batch.answer.cancel()
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, those who wait for the batch are to meet it
                batch.answer.set_exception(error)
            else:
                batch.answer.set_result(answer)
