"""The waiting line: fair, cheap, and the ground of every lock and election here.

Each who waits puts a key of its own under one prefix; the revision that created it is its place. Whoever has no older key
before it has its turn. All others watch one key each, the youngest of those before them, so a departure wakes one of them
and not all (what ZooKeeper's recipes call avoiding the herd).

    key              create revision
    name/694d81      17               <- has its turn; 17 is its fencing token
    name/694d7e      23                  watches name/694d81
    name/694d9a      24                  watches name/694d7e

The order is that of create revisions, never of keys or of later changes; the keys hang on leases, so the dead leave by
themselves. Layout as in etcd's concurrency package: this line and etcd's clients stand in one.
"""

from contextlib import aclosing, suppress
from typing import NamedTuple

from raftkv.errors import CompactedError, ForeignKeyError, SessionExpiredError
from raftkv.pb import kv, rpc
from raftkv.recipes.protocol import KV
from raftkv.recipes.requests import created_at, delete, first_created, found, get, last_created_before, one, put, txn


class Place(NamedTuple):
    """A place in a line."""

    key: bytes
    revision: int
    """That created the key."""


class Entry(NamedTuple):
    """How somebody came to a place."""

    place: Place
    header: rpc.ResponseHeader
    value: bytes | None
    """What the key had before, if it was there already."""
    first: bool
    """Whether nobody is before."""


async def enter(store: KV, prefix: bytes, key: bytes, lease: int, value: bytes = b"") -> Entry:
    """Stands in line, or finds the place that the key has already. Asking twice changes nothing more than asking once."""
    head = get(first_created(prefix))
    request = txn([created_at(key, 0)], [put(key, value, lease), head], [get(one(key)), head])
    response = await store.txn(request)
    oldest = found(response, 1)
    if response.succeeded:
        place, before = Place(key, response.header.revision), None
    else:
        known = found(response, 0)
        assert known is not None, "the comparison says that there is a key"
        place, before = Place(key, known.create_revision), known.value
    return Entry(place, response.header, before, oldest is None or oldest.create_revision == place.revision)


async def wait_for_turn(store: KV, prefix: bytes, place: Place, *, only_leased: bool = False) -> rpc.ResponseHeader:
    """Returns when nobody is before this place; the header is of the read that found it so, and found the place still held.

    `prefix`: those who count, which may be fewer than the whole line. `only_leased`: refuse to wait for a key that hangs on no
    lease, for it is no waiter's.

    Raises:
        ForeignKeyError: there is such a key.
        SessionExpiredError: the place was lost while waiting.
    """
    while True:
        response = await store.txn(txn([], [get(one(place.key)), get(last_created_before(prefix, place.revision))]))
        own, before = found(response, 0), found(response, 1)
        if own is None or own.create_revision != place.revision:
            raise SessionExpiredError
        if before is None:
            return response.header
        if only_leased and not before.lease:
            raise ForeignKeyError(before.key)
        await gone(store, before, response.header.revision)


async def gone(store: KV, key_value: kv.KeyValue, revision: int) -> None:
    """Returns when a key that was there at `revision` has been deleted, or that can no longer be told."""
    with suppress(CompactedError):
        await deleted(store, key_value.key, revision)


async def deleted(store: KV, key: bytes, revision: int) -> None:
    """Returns when a key is deleted after `revision`. Raises CompactedError."""
    request = rpc.WatchCreateRequest(key=key, start_revision=revision + 1, filters=[rpc.WatchCreateRequest.NOPUT])
    async with aclosing(store.watch(request)) as responses:
        async for response in responses:
            if response.events:
                return
    raise AssertionError("a watch ends with an error or not at all")


async def leave(store: KV, place: Place) -> rpc.TxnResponse:
    """Gives the place up; whoever has a later place under the same key keeps it."""
    return await store.txn(txn([created_at(place.key, place.revision)], [delete(place.key)]))


async def withdraw(store: KV, key: bytes) -> None:
    """Takes back an `enter` of a key that is this caller's alone, whatever became of it."""
    await store.txn(txn([], [delete(key)]))
