"""The keys of one round of a job, as requests see them: reads, writes and waits, batched over all connections of an endpoint.

    /raftkv/store/<job>/<round>/<key>                   a key; the "/" that torch puts before every key is the one before <key>
    /raftkv/store/<job>/<round>/<key> <when pushed>     an item of the queue <key> (raftkv.apply.updates)

Any etcd client can read and watch them. Job and round are quoted as in a URL; in a key only what would be taken for something
else is: bytes up to the space, "%", and what is not ASCII.

All keys hang on one lease, which every endpoint of the round keeps alive: when the last of them has been gone for its time to
live, the keys are gone as well. No endpoint owns it, so none takes the others' keys along.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote, quote_from_bytes, unquote_to_bytes

from raftkv.client import Client, Get
from raftkv.errors import LeaseExistsError, RaftKVError
from raftkv.pb.kv import KeyValue
from raftkv.pb.rpc import RequestOp, TxnResponse
from raftkv.pb.update import Change, ChangeResult, UpdateResponse
from raftkv.tcpstore.arrivals import Arrivals
from raftkv.tcpstore.batches import Batch, Batches

ROOT = "/raftkv/store"
TTL_S = 120
_PLAIN = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) != "%")
_FOREIGN = "%%"
"""Before a key without torch's "/": no quoted key has it."""
_AFTER = b"!"
"""Behind a key: the end of the range of the key and its queue."""
CHANGES = 1024
"""In one proposal: what a node takes."""
READS = 64
"""In one read, which must fit into an answer even where values are as large as can be."""
READ_FLIGHTS = 4
BATCH_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Namespace:
    """Whose keys they are."""

    job: str
    round: str
    """Keys of one round are never seen in another."""
    ttl_s: int = TTL_S
    """Seconds for which the keys outlive the last endpoint."""

    @property
    def prefix(self) -> bytes:
        """Of all its keys."""
        return f"{ROOT}/{quote(self.job, safe='')}/{quote(self.round, safe='')}/".encode()

    @property
    def lease_id(self) -> int:
        """The same for all endpoints."""
        return int.from_bytes(hashlib.sha256(self.prefix).digest()[:8]) >> 1 or 1

    def key(self, name: bytes) -> bytes:
        """Where a key of the protocol lies."""
        quoted = quote_from_bytes(name.removeprefix(b"/"), safe=_PLAIN)
        return self.prefix + (quoted if name.startswith(b"/") else _FOREIGN + quoted).encode()

    def name(self, key: bytes) -> bytes:
        """The other way round."""
        quoted = key.removeprefix(self.prefix)
        foreign = quoted.startswith(_FOREIGN.encode())
        return unquote_to_bytes(quoted[2:]) if foreign else b"/" + unquote_to_bytes(quoted)


class Found(NamedTuple):
    """What a key holds."""

    value: bytes | None
    """None: there is no such key."""
    queued: bool
    """Whether its queue, where it is no key, has items."""
    revision: int
    """As of which that is so."""

    @property
    def is_there(self) -> bool:
        return self.queued or self.value is not None


class Item(NamedTuple):
    """What was popped from a queue."""

    key: bytes
    value: bytes


Written = tuple[Batch[Change, UpdateResponse], int]
"""Where the result of a change will be."""


class Space:
    """Made by `opened`."""

    def __init__(self, client: Client, namespace: Namespace, tasks: asyncio.TaskGroup) -> None:
        self._client = client
        self._namespace = namespace
        self._writes: Batches[Change, UpdateResponse] = Batches(
            self._update, max_items=CHANGES, max_bytes=BATCH_BYTES, flights=1
        )
        self._reads: Batches[RequestOp, TxnResponse] = Batches(
            self._read, max_items=READS, max_bytes=BATCH_BYTES, flights=READ_FLIGHTS
        )
        self._arrivals = Arrivals(client, self._look, tasks)

    # --- writes, in the order in which they are submitted

    def write(self, kind: Change.Kind, name: bytes, value: bytes = b"", *, expected: bytes = b"", amount: int = 0) -> Written:
        """Submits a change; `result` waits for what came of it."""
        key = self._namespace.key(name).removeprefix(self._namespace.prefix)
        change = Change(kind=kind, key=key, value=value, expected=expected, amount=amount)
        return self._writes.submit(change, len(key) + len(value) + len(expected))

    def put_back(self, item: Item) -> Written:
        """Submits that a popped item is where it was."""
        key = item.key.removeprefix(self._namespace.prefix)
        return self._writes.submit(Change(kind=Change.SET, key=key, value=item.value), len(key) + len(item.value))

    async def result(self, written: Written) -> ChangeResult:
        """What came of a change."""
        batch, place = written
        return (await batch.answered()).results[place]

    async def pop(self, name: bytes) -> Item | None:
        """The item at the front of a queue."""
        result = await self.result(self.write(Change.POP, name))
        return Item(result.item, result.value) if result.number else None

    # --- reads

    async def read(self, names: Sequence[bytes]) -> list[Found]:
        """What the keys hold, as of some moment since the call."""
        submitted = []
        for name in names:
            key = self._namespace.key(name)
            submitted.append((key, self._reads.submit(Get(key, key + _AFTER, limit=1), len(key))))
        return [_found(key, await batch.answered(), place) for key, (batch, place) in submitted]

    async def wait(self, names: Sequence[bytes]) -> list[Found]:
        """Waits until each key, or its queue, has been there; what it then held."""
        found = await self.read(names)
        missing = {name: held.revision for name, held in zip(names, found, strict=True) if not held.is_there}
        if not missing:
            return found
        keys = {name: self._namespace.key(name) for name in missing}
        futures = {name: self._arrivals.expect(key, key + _AFTER, missing[name]) for name, key in keys.items()}
        try:
            arrived = {name: _arrived(keys[name], await future) for name, future in futures.items()}
        finally:
            for future in futures.values():
                future.cancel()
        return [arrived.get(name, held) for name, held in zip(names, found, strict=True)]

    async def queue_length(self, name: bytes) -> int:
        """How many items a queue has."""
        return (await self._client.range(self._namespace.key(name) + b" ", prefix=True, count_only=True)).count

    async def names(self) -> list[bytes]:
        """All keys, without the queues."""
        found = await self._client.range(self._namespace.prefix, prefix=True, keys_only=True)
        return [self._namespace.name(kv.key) for kv in found.kvs if b" " not in kv.key]

    async def _look(self, key: bytes) -> tuple[KeyValue | None, int]:
        answer = await self._client.range(key, key + _AFTER, limit=1)
        return (answer.kvs[0] if answer.kvs else None), answer.header.revision

    # --- the cluster

    async def _update(self, changes: list[Change]) -> UpdateResponse:
        return await self._client.update(changes, prefix=self._namespace.prefix, lease=self._namespace.lease_id)

    async def _read(self, operations: list[RequestOp]) -> TxnResponse:
        return await self._client.txn(success=operations)

    async def run(self) -> None:
        """Sends what is submitted, until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._writes.run())
            tasks.create_task(self._reads.run())

    async def hold_lease(self, granted: "asyncio.Future[None]") -> None:
        """Keeps the lease alive until it is cancelled. What the clock here says of it does not count: the keys are there as
        long as the cluster keeps it. Raises LeaseLostError when it does not.
        """
        namespace = self._namespace
        try:
            await self._client.lease_grant(namespace.ttl_s, namespace.lease_id)
        except LeaseExistsError:
            pass  # another endpoint was here first
        except RaftKVError as error:
            granted.set_exception(error)
            return
        granted.set_result(None)
        while True:
            async with self._client.adopt_lease(namespace.lease_id) as lease:
                await lease.lost.wait()


def _found(key: bytes, answer: TxnResponse, place: int) -> Found:
    kvs, revision = answer.responses[place].response_range.kvs, answer.header.revision
    return _held(key, kvs[0], revision) if kvs else Found(None, queued=False, revision=revision)


def _arrived(key: bytes, put: KeyValue) -> Found:
    return _held(key, put, put.mod_revision)


def _held(key: bytes, first: KeyValue, revision: int) -> Found:
    """What a key holds, by the first of it and its queue."""
    is_key = first.key == key
    return Found(first.value if is_key else None, queued=not is_key, revision=revision)


@asynccontextmanager
async def opened(client: Client, namespace: Namespace) -> AsyncIterator[Space]:
    """A space in use. Its failure, as when its lease is gone, cancels the block and is raised from it."""
    async with asyncio.TaskGroup() as tasks:
        space = Space(client, namespace, tasks)
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        duties = [tasks.create_task(space.hold_lease(granted)), tasks.create_task(space.run())]
        try:
            await granted
            yield space
        finally:
            for duty in duties:
                duty.cancel()
