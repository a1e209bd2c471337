"""The multi-version store: the one place that answers and changes keys.

    revision          the newest one; an empty store has revision 1
    compact_revision  reads below it fail; -1 until the first compaction

    scrubbed_revision <= compact_revision <= revision

Everything happens on the event loop. Requests that change something come one at a time, in the log's order; reads and the
scrub may run between their slices. Nothing here looks at a clock, dice, the size of the disk or a hash order, so replicas
that apply the same requests are equal.

Every answer's header has the revision that belongs to it; the rest of the header is the caller's to fill.
"""

from collections.abc import Generator, Sequence
from typing import NamedTuple, TypeVar

from raftkv.errors import CompactedError, FutureRevisionError, LeaseNotFoundError
from raftkv.mvcc.changes import Wanted, read_changes
from raftkv.mvcc.compaction import scrub_step
from raftkv.mvcc.counted import Counted
from raftkv.mvcc.hashing import HistoryHash, hash_history, hash_tables
from raftkv.mvcc.index import KeyIndex
from raftkv.mvcc.layout import (
    CREATE,
    PROGRESS_ROW,
    UPDATE,
    VERSION_OVERHEAD,
    Event,
    Progress,
    pack_revision,
    versions_of,
)
from raftkv.mvcc.leased import Leased, NoneLeased
from raftkv.mvcc.measure import measure
from raftkv.mvcc.operations import Operations
from raftkv.mvcc.plain import plain_version
from raftkv.mvcc.ranges import read_key, read_range
from raftkv.mvcc.sight import Sight
from raftkv.mvcc.steps import SLICE_ROWS, Steps, begin
from raftkv.mvcc.transaction import LeaseExists, Transaction, next_version
from raftkv.mvcc.txn import lone_put, run_txn
from raftkv.pb.rpc import (
    CompactionRequest,
    CompactionResponse,
    DeleteRangeRequest,
    DeleteRangeResponse,
    PutRequest,
    PutResponse,
    RangeRequest,
    RangeResponse,
    TxnRequest,
    TxnResponse,
)
from raftkv.storage.engine import Table
from raftkv.storage.overlay import Overlay

GROUPS_PER_SLICE = 64
"""Each is a transaction of its own, however few keys it has."""

T = TypeVar("T")

_STATE, _LIVE, _HISTORY, _REVISIONS = Table.STATE, Table.LIVE, Table.HISTORY, Table.REVISIONS

WriteResponse = PutResponse | DeleteRangeResponse | TxnResponse | CompactionResponse


class Written(NamedTuple):
    """What a request did: its answer and its events, in order."""

    response: WriteResponse
    events: Sequence[Event] = ()


def _no_lease(_lease: int) -> bool:
    return False


class Store:
    """Keys, their versions, and the requests on them. `load` comes first, and again after a snapshot was installed."""

    def __init__(self, state: Overlay, lease_exists: LeaseExists = _no_lease, leased: Leased | None = None) -> None:
        self._state = state
        self._lease_exists = lease_exists
        self._leased: Leased = leased if leased is not None else NoneLeased()
        self._lease_by_key = self._leased.by_key
        self.counted: Counted | None = None
        """Who counts what the live keys take; None: nobody."""
        self.operations = Operations()
        self._index = KeyIndex()
        self._restore(Progress())

    # --- counters ---------------------------------------------------------------------------------------------------

    @property
    def key_count(self) -> int:
        """How many keys are live."""
        return len(self._index)

    @property
    def scrub_pending(self) -> bool:
        """Whether rows may be left of what was compacted."""
        return self.scrubbed_revision != self.compact_revision

    def load(self) -> Steps[None]:
        """Takes up what the tables hold."""
        row = self._state.get(_STATE, PROGRESS_ROW)
        self._restore(Progress() if row is None else Progress.decode(row))
        index, keys = KeyIndex(), []
        for key, _ in self._state.scan(_LIVE):
            keys.append(key)
            if len(keys) == 2 * SLICE_ROWS:
                index.extend(keys)
                keys = []
                yield
        index.extend(keys)
        self._index = self._state.live_keys = index

    def record(self) -> None:
        """Stores the counters. To be called before the tables' changes are sealed."""
        progress = Progress(self.revision, self.compact_revision, self.size_in_use, self.scrubbed_revision, *self._scrub_cursor)
        self._state.put(_STATE, PROGRESS_ROW, progress.encode())

    def _restore(self, progress: Progress) -> None:
        self.revision = progress.revision
        self.compact_revision = progress.compact_revision
        self.size_in_use = progress.size
        """Bytes of all kept versions: keys, encoded KeyValues, and a fixed overhead for each."""
        self.scrubbed_revision = progress.scrubbed_revision
        """The last compaction whose rows are all gone."""
        self._scrub_cursor = (progress.cursor_main, progress.cursor_sub)

    # --- reads ------------------------------------------------------------------------------------------------------

    def range(self, request: RangeRequest, pieces: list[bytes] | None = None) -> RangeResponse | Steps[RangeResponse]:
        """Answers a Range request as of now, however long it takes.

        Where `pieces` is given, each slice of a long answer is encoded and moved there; what is returned is the rest. One
        after the other they are the encoded answer.
        """
        self.operations.ranges += 1
        sight = Sight(self._state, self._index, self.revision, self.compact_revision)
        if request.range_end:
            return begin(_range(sight, request, pieces))
        response = RangeResponse()
        read_key(sight, request, response)
        return response

    def hash(self, revision: int) -> HistoryHash | Steps[HistoryHash]:
        """A checksum of all kept versions up to a revision (zero: of all), which is the same on every replica."""
        sight = self._sight()
        return begin(_released(sight, hash_history(sight, sight.resolve(revision))))

    def hash_all(self) -> int | Steps[int]:
        """A checksum of everything that is replicated, as it lies here."""
        sight = self._sight()
        return begin(_released(sight, hash_tables(sight)))

    def measure(self, first: bytes, end: bytes | None) -> Steps[tuple[int, int]]:
        """The bytes of the live keys in [first, end) with their values, and how many they are."""
        sight = self._sight()
        return _released(sight, measure(sight, first, end))

    def skip_revisions(self, count: int) -> None:
        """Goes on at a later revision: for data that was restored, where clients may have seen later ones than it has."""
        self.revision += count

    def sight(self) -> Sight:
        """The store at this moment, for who asks what no request can: to be used at once, or pinned, and then released."""
        return self._sight()

    def _sight(self) -> Sight:
        return Sight(self._state, self._index, self.revision, self.compact_revision)

    def read_txn(self, request: TxnRequest) -> TxnResponse | Steps[TxnResponse]:
        """Answers a Txn request of which every operation is a range, without going through the log."""
        return begin(self._read_txn(request))

    def changes(
        self, first: int, last: int, *, previous: bool = False, wanted: Wanted | None = None
    ) -> Generator[list[Event], None, None]:
        """The events of the revisions first to last, in order, in lists that are a slice of work each; the first list may be
        empty. It is the state of this call that is read, whatever is compacted meanwhile. `previous`: with the KeyValues before; `wanted` decides by key.
        """
        if first < self.compact_revision:
            raise CompactedError
        changes = self._changes(max(0, first), min(last, self.revision), wanted or (lambda _: previous))
        next(changes)  # so that it is pinned now, and released when it is dropped
        return changes

    def _changes(self, first: int, last: int, wanted: Wanted) -> Generator[list[Event], None, None]:
        sight = Sight(self._state, self._index, self.revision, self.compact_revision)
        try:
            sight.pin()
            yield []
            yield from read_changes(sight, first, last, wanted)
        finally:
            sight.release()

    def _read_txn(self, request: TxnRequest) -> Steps[TxnResponse]:
        transaction = self._transaction()
        response = TxnResponse()
        try:
            yield from run_txn(transaction, request, response, self._lease_exists)
        finally:
            transaction.release()
        assert not transaction.events, "a transaction that writes did not go through the log"
        self.operations.count_txn(response)
        return response

    # --- changes, in the log's order ----------------------------------------------------------------------------------

    def put(self, request: PutRequest) -> Written:
        """Sets a key."""
        response, event = self._put(request)
        return Written(response, [event])

    def _put(self, request: PutRequest) -> tuple[PutResponse, Event]:
        lease = request.lease
        if lease and not self._lease_exists(lease):
            raise LeaseNotFoundError
        key, main = request.key, self.revision + 1
        previous = self._state.get(_LIVE, key)
        event = self._set(key, next_version(request, previous, main), previous)
        response = PutResponse()
        response.header.revision = main
        if request.prev_kv and previous is not None:
            response.prev_kv.MergeFromString(previous)
        if (lease or key in self._lease_by_key) and not request.ignore_lease:
            self._leased.hang(key, lease)
        return response, event

    def put_plain(self, key: bytes, value: bytes) -> Event:
        """Sets a key to a value: a put of which nothing else is asked. Its answer has the event's revision and no more."""
        previous = self._state.get(_LIVE, key)
        event = self._set(key, plain_version(key, value, previous, self.revision + 1), previous)
        if key in self._lease_by_key:
            self._leased.hang(key, 0)
        return event

    def _set(self, key: bytes, encoded: bytes, previous: bytes | None) -> Event:
        """A transaction of one put, without the staging: the three rows go in together."""
        if self.counted is not None:
            self.counted.put(key, encoded, previous)
        state, main = self._state, self.revision + 1
        row = pack_revision(main, 0)
        state.put(_LIVE, key, encoded)
        state.put(_HISTORY, versions_of(key) + row, encoded)
        if previous is None:
            state.put(_REVISIONS, row, CREATE + key)
            self._index.add(key)
            if self._index.by_creation:
                self._index.by_creation.note(key, main)
        else:
            state.put(_REVISIONS, row, UPDATE + key)
        self.size_in_use += len(key) + len(encoded) + VERSION_OVERHEAD
        self.revision = main
        self.operations.puts += 1
        return Event(key, main, encoded, previous)

    def delete_range(self, request: DeleteRangeRequest) -> Written | Steps[Written]:
        """Deletes all keys of a range."""
        return begin(self._delete_range(request))

    def delete_each(self, groups: Sequence[Sequence[bytes]]) -> Steps[list[Event]]:
        """Deletes groups of live keys, each group in a revision of its own, and all of them at once. No key is in two groups."""
        transactions: list[Transaction] = []
        try:
            for number, group in enumerate([group for group in groups if group]):
                transaction = self._transaction(self.revision + number)
                transactions.append(transaction)
                yield from transaction.delete_keys(group)
                if number % GROUPS_PER_SLICE == GROUPS_PER_SLICE - 1:
                    yield
        finally:
            for transaction in transactions:
                transaction.release()
        for transaction in transactions:
            self._take_over(transaction)
        return [event for transaction in transactions for event in transaction.events]

    def txn(self, request: TxnRequest) -> Written | Steps[Written]:
        """Runs a transaction."""
        decided = lone_put(request, self._state)
        if decided is None:
            return begin(self._txn(request))
        succeeded, put = decided
        event = self.put_plain(put.key, put.value)
        response = TxnResponse(succeeded=succeeded)
        response.header.revision = self.revision
        answer = response.responses.add().response_put
        answer.header.revision = self.revision
        if put.prev_kv and event.previous is not None:
            answer.prev_kv.MergeFromString(event.previous)
        return Written(response, [event])

    def compact(self, request: CompactionRequest) -> Written:
        """Gives up everything below a revision; `scrub` removes the rows."""
        if request.revision <= self.compact_revision:
            raise CompactedError
        if request.revision > self.revision:
            raise FutureRevisionError
        # The walk may be among the changes at the old revision; those that it has passed there are now to be seen again.
        self._scrub_cursor = min(self._scrub_cursor, (max(0, self.compact_revision), 0))
        self.compact_revision = request.revision
        response = CompactionResponse()
        response.header.revision = self.revision
        return Written(response)

    def scrub(self) -> Steps[None]:
        """Removes what compactions gave up, in steps that are each complete in themselves: between two of them the tables
        may be sealed. Ends when nothing is left to do. One at a time.
        """
        while self.scrub_pending:
            target = self.compact_revision
            cursor, freed = scrub_step(self._state, self._scrub_cursor, target)
            self.size_in_use -= freed
            if cursor is None:
                self.scrubbed_revision, cursor = target, (target, 0)
            self._scrub_cursor = cursor
            self.record()
            yield

    def _delete_range(self, request: DeleteRangeRequest) -> Steps[Written]:
        transaction = self._transaction()
        response = DeleteRangeResponse()
        try:
            yield from transaction.delete_range(request, response)
        finally:
            transaction.release()
        self.operations.deletes += 1
        return self._commit(transaction, response)

    def _txn(self, request: TxnRequest) -> Steps[Written]:
        transaction = self._transaction()
        response = TxnResponse()
        try:
            yield from run_txn(transaction, request, response, self._lease_exists)
        finally:
            transaction.release()
        self.operations.count_txn(response)
        return self._commit(transaction, response)

    def _transaction(self, settled: int | None = None) -> Transaction:
        """One after `settled`, which is the newest revision, or what that will be when those before it are committed."""
        transaction = self._uncounted(self.revision if settled is None else settled)
        if self.counted is not None:
            transaction.tally = self.counted.tally()
        return transaction

    def _uncounted(self, settled: int) -> Transaction:
        return Transaction(self._state, self._index, settled, self.compact_revision, self._lease_by_key)

    def _commit(self, transaction: Transaction, response: WriteResponse) -> Written:
        self._take_over(transaction)
        return Written(response, transaction.events)

    def _take_over(self, transaction: Transaction) -> None:
        assert transaction.settled == self.revision, "two requests changed the store at the same time"
        if transaction.events:
            if transaction.tally is not None:
                transaction.tally.settle()
            self._state.merge(transaction.rows)
            transaction.change_index(self._index)
            if self._index.by_creation:
                transaction.change_order(self._index.by_creation)
            for key, lease in transaction.leases.items():
                self._leased.hang(key, lease)
            self.size_in_use += transaction.size
            self.revision = transaction.revision


def _released(sight: Sight, steps: Steps[T]) -> Steps[T]:
    try:
        return (yield from steps)
    finally:
        sight.release()


def _range(sight: Sight, request: RangeRequest, pieces: list[bytes] | None) -> Steps[RangeResponse]:
    response = RangeResponse()
    try:
        for _ in read_range(sight, request, response):
            if pieces is not None and response.kvs:
                pieces.append(response.SerializeToString())
                response.ClearField("kvs")
            yield
    finally:
        sight.release()
    return response
