"""What locks and elections have in common on a node: a lease for callers that bring none, and no trace of those who give up."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from raftkv.errors import CompactedError, RequestError
from raftkv.recipes.line import withdraw
from raftkv.recipes.protocol import KV
from raftkv.rpc.method import Call

SESSION_TTL_S = 60
"""As etcd's sessions have it; nobody keeps the lease alive."""

Answered = TypeVar("Answered")


def unmapped(handler: Callable[[Any, Call], Awaitable[Answered]]) -> Callable[[Any, Call], Awaitable[Answered]]:
    """The handler, with code Unknown for every refusal and only the text to tell which: etcd hands its own client's errors on
    like that here.
    """

    async def answered(request: Any, call: Call) -> Answered:
        try:
            return await handler(request, call)
        except RequestError as error:
            raise RequestError(str(error)) from error

    return answered


@asynccontextmanager
async def own_lease(store: KV, lease: int) -> AsyncGenerator[int, None]:
    """The caller's lease, or a new one, which goes with the block if that fails."""
    if lease:
        yield lease
        return
    granted = (await store.grant(SESSION_TTL_S)).ID
    try:
        yield granted
    except BaseException:
        with suppress(RequestError):  # it ends by itself
            await store.revoke(granted)
        raise


@asynccontextmanager
async def no_trace(store: KV, key: bytes) -> AsyncGenerator[None, None]:
    """Deletes the key that the block puts if the block is cancelled, or fails so that the key may be there."""
    try:
        yield
    except BaseException as error:
        if not isinstance(error, RequestError) or error.retryable or isinstance(error, CompactedError):
            with suppress(RequestError):  # then the lease cleans up
                await withdraw(store, key)
        raise
