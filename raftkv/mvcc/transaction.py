"""A write request at work: it stages its changes privately, sees them itself, and hands them over all at once.

    checks on the state before -> operations, each staged -> commit (all) or an error (nothing)

All changes of a request have one main revision and are numbered by sub. An operation after a change sees the change and the
new revision, as in etcd (server/storage/mvcc/kvstore_txn.go).
"""

from collections.abc import Callable, Mapping, Sequence

from raftkv.errors import KeyNotFoundError
from raftkv.mvcc.counted import Tally
from raftkv.mvcc.creation import CreationOrders
from raftkv.mvcc.index import KeyIndex
from raftkv.mvcc.layout import CREATE, DELETE, UPDATE, VERSION_OVERHEAD, Event, bounds, pack_revision, versions_of
from raftkv.mvcc.ranges import created_at, read_key, read_range
from raftkv.mvcc.sight import Sight, Viewable, batches
from raftkv.mvcc.steps import Steps
from raftkv.pb.kv import KeyValue
from raftkv.pb.rpc import (
    DeleteRangeRequest,
    DeleteRangeResponse,
    PutRequest,
    PutResponse,
    RangeRequest,
    RangeResponse,
)
from raftkv.storage.engine import Reader, Rows, Table
from raftkv.storage.overlay import Overlay

_LIVE = Table.LIVE

LeaseExists = Callable[[int], bool]


def next_version(request: PutRequest, previous: bytes | None, revision: int) -> bytes:
    """The KeyValue that a put makes of the one before, encoded once for LIVE and HISTORY."""
    if previous is None:
        if request.ignore_value or request.ignore_lease:
            raise KeyNotFoundError
        return KeyValue(
            key=request.key,
            create_revision=revision,
            mod_revision=revision,
            version=1,
            value=request.value,
            lease=request.lease,
        ).SerializeToString()
    kv = KeyValue.FromString(previous)
    kv.mod_revision = revision
    kv.version += 1
    if not request.ignore_value:
        kv.value = request.value
    if not request.ignore_lease:
        kv.lease = request.lease
    return kv.SerializeToString()


class Transaction(Sight):
    """A sight with changes of its own."""

    __slots__ = (
        "_index_changes",
        "_leased",
        "_live",
        "_staged_over",
        "events",
        "history",
        "leases",
        "revisions",
        "size",
        "tally",
    )

    def __init__(
        self, state: Viewable, index: KeyIndex, settled: int, compact_revision: int, leased: Mapping[bytes, int]
    ) -> None:
        """`leased`: the lease of each key that hangs on one."""
        super().__init__(state, index, settled, compact_revision)
        self.tally: Tally | None = None
        """To be told of each change."""
        self._leased = leased
        self.leases: dict[bytes, int] = {}
        """On which lease keys hang now, where that may have changed; 0: on none."""
        self.events: list[Event] = []
        self.size = 0
        """How much the kept versions grow."""
        self._live: Rows = {}
        self.history: Rows = {}
        self.revisions: Rows = {}
        self._index_changes: list[tuple[bytes, bytes | None, bool]] = []
        """In order: (key, _, True) adds the key, (first, end, False) removes the range."""
        self._staged_over: tuple[int, Reader, Reader] | None = None
        """For how many events, over which reader, the staged rows were laid, and what came out."""

    @property
    def revision(self) -> int:
        """One above the store's as soon as there is a change."""
        return self.settled + 1 if self.events else self.settled

    @property
    def rows(self) -> dict[Table, Rows]:
        """All that is staged."""
        return {_LIVE: self._live, Table.HISTORY: self.history, Table.REVISIONS: self.revisions}

    def reader(self) -> Reader:
        """The tables, with the staged rows of LIVE over them. The others need none: what is read there is older."""
        if not self.events:
            return self._reader
        if self._staged_over is None or self._staged_over[:2] != (len(self.events), self._reader):
            overlay = Overlay(self._reader)
            overlay.merge({_LIVE: self._live})
            self._staged_over = (len(self.events), self._reader, overlay)
        return self._staged_over[2]

    def get(self, key: bytes) -> bytes | None:
        """The KeyValue of a key, staged or not."""
        if key in self._live:
            return self._live[key]
        return self._reader.get(_LIVE, key)

    def exact_index(self) -> KeyIndex | None:
        """None as soon as keys came or went."""
        return None if self._index_changes else self.index

    def count(self, first: bytes, end: bytes | None) -> int:
        """How many keys of [first, end) are live, with the staged changes."""
        if not self._index_changes:
            return self.index.count(first, end)
        index = self.index.frozen()
        self.change_index(index)
        return index.count(first, end)

    def change_index(self, index: KeyIndex) -> None:
        """Makes the staged changes in an index."""
        for first, end, added in self._index_changes:
            if added:
                index.add(first)
            else:
                index.clear(first, end)

    def change_order(self, orders: CreationOrders) -> None:
        """Tells the orders of creation what came and went."""
        for key, encoded in self._live.items():
            if orders.concern(key):
                orders.note(key, created_at(encoded))

    @property
    def staged(self) -> Rows:
        return self._live

    def range(self, request: RangeRequest, response: RangeResponse) -> Steps[None]:
        """Reads, with what is staged."""
        if request.range_end:
            yield from read_range(self, request, response)
        else:
            read_key(self, request, response)

    def put(self, request: PutRequest, response: PutResponse) -> None:
        """Stages a put."""
        key = request.key
        if (request.lease or key in self._leased or key in self.leases) and not request.ignore_lease:
            self.leases[key] = request.lease
        previous = self.get(key)
        encoded = next_version(request, previous, self.settled + 1)
        if previous is None:
            self._index_changes.append((key, None, True))
        self._stage(key, encoded, previous)
        response.header.revision = self.settled + 1
        if previous is not None and request.prev_kv:
            response.prev_kv.MergeFromString(previous)

    def delete_range(self, request: DeleteRangeRequest, response: DeleteRangeResponse) -> Steps[None]:
        """Stages the deletion of all keys of a range."""
        doomed = yield from self._live_rows(request)
        response.deleted = len(doomed)
        if doomed:
            first, end = bounds(request.key, request.range_end)
            self._index_changes.append((first, end, False))
        for key, previous in doomed:
            self._stage(key, None, previous)
            if request.prev_kv:
                response.prev_kvs.add().MergeFromString(previous)
            self.spend(1, len(previous) if request.prev_kv else 0)
            if self.spent:
                yield from self.pause()
        response.header.revision = self.revision

    def delete_keys(self, keys: Sequence[bytes]) -> Steps[None]:
        """Stages the deletion of single keys, in this order."""
        for key in keys:
            previous = self.get(key)
            assert previous is not None, "a key that hangs on a lease is not there"
            self._index_changes.append((key, key + b"\0", False))
            self._stage(key, None, previous)
            self.spend(1)
            if self.spent:
                yield from self.pause()

    def _live_rows(self, request: DeleteRangeRequest) -> Steps[list[tuple[bytes, bytes]]]:
        if not request.range_end:
            encoded = self.get(request.key)
            return [] if encoded is None else [(request.key, encoded)]
        first, end = bounds(request.key, request.range_end)
        rows: list[tuple[bytes, bytes]] = []
        for batch in batches(self, _LIVE, first, end):
            rows += batch
            if self.spent:
                yield from self.pause()
        return rows

    def _stage(self, key: bytes, encoded: bytes | None, previous: bytes | None) -> None:
        if encoded is None and (key in self._leased or key in self.leases):
            self.leases[key] = 0
        if self.tally is not None:
            self.tally.note(key, encoded, previous)
        main, sub = self.settled + 1, len(self.events)
        row = pack_revision(main, sub)
        kind = DELETE if encoded is None else UPDATE if previous is not None else CREATE
        # A creation has nothing before it, also where the key was deleted in this very request, and history will say the same.
        before = None if kind == CREATE else self._reader.get(_LIVE, key) if key in self._live else previous
        self._live[key] = encoded
        self.history[versions_of(key) + row] = encoded or b""
        self.revisions[row] = kind + key
        self.size += len(key) + len(encoded or b"") + VERSION_OVERHEAD
        self.events.append(Event(key, main, encoded, before))
