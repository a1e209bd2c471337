"""The blocking twin of an asynchronous iterator."""

from collections.abc import AsyncIterator, Iterator
from typing import TypeVar

from raftkv.client.loop_thread import loop_thread

T = TypeVar("T")


def blocking_iterator(source: AsyncIterator[T]) -> Iterator[T]:
    """The same elements, each waited for when it is asked for. Who leaves before the end ends the source, too."""
    try:
        while True:
            try:
                element = loop_thread().run(_next(source))
            except StopAsyncIteration:
                return
            yield element
    finally:
        loop_thread().run(_close(source))


async def _next(source: AsyncIterator[T]) -> T:
    return await anext(source)


async def _close(source: AsyncIterator[object]) -> None:
    close = getattr(source, "aclose", None)  # a generator's; other iterators have nothing to close
    if close is not None:
        await close()
