"""The conversations of an election: who stands first in the line leads, and says so with the value of its key.

Layout and meaning are those of etcd's concurrency package; rpc/election.py serves these very functions, and the client's
`Election` is made of them.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import NamedTuple

from raftkv.errors import CompactedError, NoElectedLeaderError, NotElectedError, SessionExpiredError
from raftkv.pb import kv, rpc
from raftkv.recipes.line import Entry, Place, enter, wait_for_turn
from raftkv.recipes.protocol import KV
from raftkv.recipes.requests import created_at, delete, first_created, prefix_end, put, txn


class Sighting(NamedTuple):
    """A leader, as it was seen."""

    header: rpc.ResponseHeader
    key_value: kv.KeyValue


async def stand(store: KV, prefix: bytes, key: bytes, lease: int, value: bytes) -> Entry:
    """Becomes a candidate; one that is so already says the new value instead.

    Raises:
        NotElectedError: the candidacy ended in between.
    """
    entry = await enter(store, prefix, key, lease, value)
    if entry.value is not None and entry.value != value:
        await proclaim(store, entry.place, lease, value)
    return entry


async def win(store: KV, prefix: bytes, place: Place) -> None:
    """Returns when this candidate leads.

    Raises:
        NotElectedError: its candidacy ended meanwhile.
    """
    try:
        await wait_for_turn(store, prefix, place)
    except SessionExpiredError:
        raise NotElectedError from None


async def proclaim(store: KV, place: Place, lease: int, value: bytes) -> rpc.ResponseHeader:
    """Says a new value. Raises NotElectedError if the candidacy has ended."""
    response = await store.txn(txn([created_at(place.key, place.revision)], [put(place.key, value, lease)]))
    if not response.succeeded:
        raise NotElectedError
    return response.header


async def resign(store: KV, place: Place) -> rpc.ResponseHeader:
    """Ends the candidacy, if it has not ended."""
    response = await store.txn(txn([created_at(place.key, place.revision)], [delete(place.key)]))
    return response.header


async def current(store: KV, prefix: bytes) -> Sighting:
    """Who leads. Raises NoElectedLeaderError."""
    response = await store.range(first_created(prefix))
    if not response.kvs:
        raise NoElectedLeaderError
    return Sighting(response.header, response.kvs[0])


async def observe(store: KV, prefix: bytes) -> AsyncGenerator[Sighting, None]:
    """Every leader and every value it says, in order, from the present one on; to be closed.

    None is left out, however fast they follow each other: who led next is read as of the revision in which the one before
    went. Only where that revision has been compacted meanwhile does it go on with the present.

        read the oldest key as of R -- there is one --> tell it, watch it from R+1 -- deleted in D --> read as of D
              |                                                                                             ^
              '------- there is none --> watch the prefix from R+1 -- put in P --> read as of P ------------'
    """
    revision = 0
    while True:
        try:
            response = await store.range(first_created(prefix, revision))
            as_of = revision or response.header.revision
            if response.kvs:
                leader = response.kvs[0]
                yield Sighting(_header(response.header, as_of), leader)
                revision = 0
                async with aclosing(_reign(store, leader.key, as_of)) as reign:
                    async for sighting in reign:
                        if sighting.key_value.create_revision:
                            yield sighting
                        else:
                            revision = sighting.header.revision
            else:
                revision = await _first_put(store, prefix, as_of)
        except CompactedError:
            revision = 0


async def _reign(store: KV, key: bytes, revision: int) -> AsyncGenerator[Sighting, None]:
    """What a leader says after `revision`, and at last its end: a sighting of a key that is not there."""
    request = rpc.WatchCreateRequest(key=key, start_revision=revision + 1)
    async with aclosing(store.watch(request)) as responses:
        async for response in responses:
            for event in response.events:
                yield Sighting(_header(response.header, event.kv.mod_revision), event.kv)
                if event.type == kv.Event.DELETE:
                    return


async def _first_put(store: KV, prefix: bytes, revision: int) -> int:
    """The revision of the first put under the prefix after `revision`."""
    request = rpc.WatchCreateRequest(
        key=prefix,
        range_end=prefix_end(prefix),
        start_revision=revision + 1,
        filters=[rpc.WatchCreateRequest.NODELETE],
    )
    async with aclosing(store.watch(request)) as responses:
        async for response in responses:
            if response.events:
                return response.events[0].kv.mod_revision
    raise AssertionError("a watch ends with an error or not at all")


def _header(header: rpc.ResponseHeader, revision: int) -> rpc.ResponseHeader:
    """The header as of a revision."""
    as_of = rpc.ResponseHeader()
    as_of.CopyFrom(header)
    as_of.revision = revision
    return as_of
