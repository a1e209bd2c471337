"""Waiting until something under a prefix changes."""

from contextlib import aclosing

from raftkv.errors import CompactedError
from raftkv.pb import rpc
from raftkv.recipes.protocol import KV

PUTS = rpc.WatchCreateRequest.NODELETE
DELETES = rpc.WatchCreateRequest.NOPUT


async def changed(
    store: KV, key: bytes, range_end: bytes, revision: int, only: "rpc.WatchCreateRequest.FilterType | None" = None
) -> None:
    """Returns when a key of the range was changed after `revision`, or when that can no longer be told. `only`: PUTS, DELETES."""
    request = rpc.WatchCreateRequest(
        key=key, range_end=range_end, start_revision=revision + 1, filters=[] if only is None else [only]
    )
    try:
        async with aclosing(store.watch(request)) as responses:
            async for response in responses:
                if response.events:
                    return
    except CompactedError:
        return
    raise AssertionError("a watch ends with an error or not at all")
