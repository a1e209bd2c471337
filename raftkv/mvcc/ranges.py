r"""A Range request: which rows, in which order, how many, and the count.

    rows in key order -> filters -> sort -> limit -> keys_only
                    \-> count: all keys of the range, whatever the filters and the limit take away

The rules are etcd's (server/etcdserver/txn/range.go), with its quirk: a sort target other than KEY without a sort order
sorts ascending, but only the first limit + 1 rows in key order (unless there are filters).

What a range costs does not depend on the size of the store: in key order it reads limit + 1 rows, and the count comes from
the index. Only sorting by another target reads the whole range; but not again and again where one key is wanted by its age,
as locks do (raftkv.mvcc.creation).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from operator import attrgetter, itemgetter
from typing import Any

from raftkv.mvcc.creation import MAX_LOADED, MIN_KEYS, CreationOrder
from raftkv.mvcc.layout import CREATE, DELETE, bounds, versions_of
from raftkv.mvcc.sight import Sight, batches, live_at, version_at
from raftkv.mvcc.steps import SLICE_ROWS, Steps
from raftkv.pb.kv import KeyValue
from raftkv.pb.rpc import RangeRequest, RangeResponse
from raftkv.storage.engine import Table

POINT_READS = 4
"""Up to so many rows are fetched one by one; a scan costs as much before its first row."""

MAX_STAGED = 16
"""Keys that a transaction may have changed where it asks for the oldest."""
NO_REVISION = 2**63 - 1
"""Above all that there will ever be."""

NO_LIMIT = 2**31
"""From here on a limit is as good as none: no answer has so many rows."""

_LIVE = Table.LIVE

Filter = Callable[[KeyValue], bool]

_SORT_VALUES: dict[int, Callable[[KeyValue], Any]] = {
    RangeRequest.VERSION: attrgetter("version"),
    RangeRequest.CREATE: attrgetter("create_revision"),
    RangeRequest.MOD: attrgetter("mod_revision"),
    RangeRequest.VALUE: attrgetter("value"),
}

_first = itemgetter(0)


def read_key(sight: Sight, request: RangeRequest, response: RangeResponse) -> None:
    """Answers a range of one key, by far the most common: one lookup, and sorting and limits say nothing about it."""
    at = sight.resolve(request.revision)
    key, reader = request.key, sight.reader()
    found = reader.get(_LIVE, key) if at == sight.revision else version_at(reader, versions_of(key), at)
    response.header.revision = sight.revision
    if found is None:
        return
    response.count = 1
    if not request.count_only:
        passes = _filter(request)
        if passes is None or passes(KeyValue.FromString(found)):
            _take(response, found, keys_only=request.keys_only)


def read_range(sight: Sight, request: RangeRequest, response: RangeResponse) -> Steps[None]:
    """Answers a range of any kind. The caller releases the sight."""
    selection = _select(sight, request)
    response.header.revision = sight.revision
    # An unlimited read of the past passes every row anyway and counts them on the way.
    counts_rows = selection.at != sight.revision and not selection.limit and not request.count_only
    if not counts_rows:
        response.count = yield from count_at(sight, selection.first, selection.end, selection.at)
    if not request.count_only and not _take_one_by_creation(sight, selection, request, response):
        choose = _choose_in_key_order if selection.value_of is None else _choose_sorted
        passed = yield from choose(sight, selection, response)
        if counts_rows:
            response.count = passed


def count_at(sight: Sight, first: bytes, end: bytes | None, revision: int) -> Steps[int]:
    """How many keys of [first, end) existed at a revision."""
    if revision == sight.revision:
        return sight.count(first, end)
    now = sight.index.count(first, end)
    if sight.settled - revision <= 2 * now + SLICE_ROWS:
        return (yield from _count_back(sight, first, end, revision, now))
    count = 0
    for found in live_at(sight, first, end, revision, reverse=False):
        count += len(found)
        if sight.spent:
            yield from sight.pause()
    return count


def _count_back(sight: Sight, first: bytes, end: bytes | None, revision: int, now: int) -> Steps[int]:
    """The count now, with every change since the revision undone."""
    count = now
    oldest, newest = [(number + 1).to_bytes(8, "big") for number in (revision, sight.settled)]
    for batch in batches(sight, Table.REVISIONS, oldest, newest):
        for _, change in batch:
            kind, key = change[:1], change[1:]
            if key >= first and (end is None or key < end):
                count += (kind == DELETE) - (kind == CREATE)
        if sight.spent:
            yield from sight.pause()
    return count


@dataclass(slots=True)
class _Selection:
    """A range request, understood."""

    first: bytes
    end: bytes | None
    at: int
    """The revision to read at."""
    limit: int
    """0: none."""
    passes: Filter | None
    value_of: Callable[[KeyValue], Any] | None
    """What to sort by; None: the key."""
    reverse: bool
    keys_only: bool
    enough: int
    """After so many passed rows nothing can change but the count; 0: all rows matter. One above the limit, for `more`."""

    @property
    def wanted(self) -> int:
        """How many rows to read at most, 0: nobody knows."""
        return self.enough if self.passes is None else 0


def _select(sight: Sight, request: RangeRequest) -> _Selection:
    first, end = bounds(request.key, request.range_end)
    limit = request.limit if 0 < request.limit < NO_LIMIT else 0
    order = request.sort_order
    passes, value_of = _filter(request), _SORT_VALUES.get(request.sort_target)
    cut_before_sort = order == RangeRequest.NONE and passes is None
    return _Selection(
        first=first,
        end=end,
        at=sight.resolve(request.revision),
        limit=limit,
        passes=passes,
        value_of=value_of,
        reverse=order == RangeRequest.DESCEND,
        keys_only=request.keys_only,
        enough=limit + 1 if limit and (value_of is None or cut_before_sort) else 0,
    )


def _filter(request: RangeRequest) -> Filter | None:
    """Whether a KeyValue is within the revisions asked for; None: all are. Zero is no bound, a negative one is (as in etcd)."""
    max_mod, min_mod = request.max_mod_revision, request.min_mod_revision
    max_create, min_create = request.max_create_revision, request.min_create_revision
    if not (max_mod or min_mod or max_create or min_create):
        return None

    def passes(kv: KeyValue) -> bool:
        mod, create = kv.mod_revision, kv.create_revision
        return not (
            (max_mod and mod > max_mod)
            or (min_mod and mod < min_mod)
            or (max_create and create > max_create)
            or (min_create and create < min_create)
        )

    return passes


def _choose_in_key_order(sight: Sight, selection: _Selection, response: RangeResponse) -> Steps[int]:
    """Fills kvs and more; returns how many rows were read."""
    passes, limit, enough = selection.passes, selection.limit, selection.enough
    read = taken = 0
    for batch in _rows(sight, selection, reverse=selection.reverse):
        if sight.spent:
            yield from sight.pause()
        for encoded in batch:
            read += 1
            if passes is not None and not passes(KeyValue.FromString(encoded)):
                continue
            if enough and taken == limit:
                response.more = True
                return read
            _take(response, encoded, keys_only=selection.keys_only)
            taken += 1
    return read


def _choose_sorted(sight: Sight, selection: _Selection, response: RangeResponse) -> Steps[int]:
    """The same by another target than the key: runs of a slice each are sorted as they come and merged at the end."""
    passes, value_of, reverse = selection.passes, selection.value_of, selection.reverse
    assert value_of is not None
    limit, enough = selection.limit, selection.enough
    runs: list[list[tuple[Any, bytes]]] = []
    read = matching = 0
    for batch in _rows(sight, selection, reverse=False):
        if sight.spent:
            yield from sight.pause()
        part = batch[: enough - read] if enough else batch
        read += len(part)
        parsed = [(KeyValue.FromString(encoded), encoded) for encoded in part]
        run = [(value_of(kv), encoded) for kv, encoded in parsed if passes is None or passes(kv)]
        matching += len(run)
        run.sort(key=_first, reverse=reverse)
        runs.append(run[:limit] if limit else run)
        if enough and read == enough:
            break
    response.more = 0 < limit < matching
    in_order = merge(*map(_drain, runs), key=_first, reverse=reverse)
    for _, encoded in islice(in_order, limit or None):
        _take(response, encoded, keys_only=selection.keys_only)
        sight.spend(1, len(encoded))
        if sight.spent:
            yield from sight.pause()
    return read


def _take_one_by_creation(sight: Sight, selection: _Selection, request: RangeRequest, response: RangeResponse) -> bool:
    """Answers who came first, or last before a revision, from an order that is kept; False: that must be found out by sorting.

    What the transaction itself has staged lies over the order: few keys, and each is looked at.
    """
    staged = sight.staged
    if not _asks_one_by_creation(sight, selection, request) or len(staged) > MAX_STAGED:
        return False
    order = _creation_order(sight, selection.first, selection.end)
    if order is None:
        return False
    low, high = request.min_create_revision, request.max_create_revision or NO_REVISION
    own = [(created_at(encoded), key) for key, encoded in staged.items() if encoded is not None and order.covers(key)]
    candidates = [one for one in own if low <= one[0] <= high]
    hidden = [key for key in staged if key in order.created and low <= order.created[key] <= high]
    matching = order.count(low, high) - len(hidden) + len(candidates)
    settled = order.youngest(low, high, staged) if selection.reverse else order.oldest(low, high, staged)
    if settled is not None:
        candidates.append(settled)
    if candidates:
        _, key = min(candidates, key=_age_descending if selection.reverse else None)
        encoded = sight.get(key)
        assert encoded is not None, f"the order has {key!r}, the table has not"
        _take(response, encoded, keys_only=selection.keys_only)
    response.more = matching > 1
    return True


def _asks_one_by_creation(sight: Sight, selection: _Selection, request: RangeRequest) -> bool:
    """Whether one key is wanted of those there are now, by nothing but its create revision."""
    return (
        selection.limit == 1
        and request.sort_target == RangeRequest.CREATE
        and not selection.enough
        and selection.at == sight.revision
        and not (request.min_mod_revision or request.max_mod_revision)
    )


def _creation_order(sight: Sight, first: bytes, end: bytes | None) -> CreationOrder | None:
    """The kept order of a range; where there is none and the range is neither small nor large, it is kept from now on."""
    orders = sight.index.by_creation
    if orders is None:
        return None
    order = orders.find(first, end)
    if order is None and MIN_KEYS <= sight.index.count(first, end) <= MAX_LOADED:
        order = CreationOrder(first, end)
        for key, encoded in sight.settled_rows(first, end):
            order.note(key, created_at(encoded))
        orders.keep(order)
        sight.spend(len(order.created))
    return order


def created_at(encoded: bytes | None) -> int:
    """The create revision of a KeyValue; 0: there is none."""
    return 0 if encoded is None else KeyValue.FromString(encoded).create_revision


def _age_descending(one: tuple[int, bytes]) -> tuple[int, bytes]:
    return -one[0], one[1]


def _drain(run: list[tuple[Any, bytes]]) -> Iterator[tuple[Any, bytes]]:
    """The run in order, freed as it goes: to free a million rows at once would take a tenth of a second."""
    run.reverse()
    while run:
        yield run.pop()


def _rows(sight: Sight, selection: _Selection, *, reverse: bool) -> Iterator[list[bytes]]:
    """The KeyValues of the range in key order, in lists."""
    first, end, wanted = selection.first, selection.end, selection.wanted
    if selection.at != sight.revision:
        return live_at(sight, first, end, selection.at, reverse=reverse)
    index = sight.exact_index()
    if index is not None:
        keys = list(islice(index.keys(first, end, reverse=reverse), wanted or POINT_READS + 1))
        if len(keys) <= POINT_READS:
            return iter([[_present(sight, key) for key in keys]])
        if wanted:
            # The bounds spare the overlay from sorting whatever else is pending in the range.
            first, end = (keys[-1], keys[0] + b"\0") if reverse else (keys[0], keys[-1] + b"\0")
    return _values(batches(sight, _LIVE, first, end, reverse=reverse))


def _values(lists: Iterator[list[tuple[bytes, bytes]]]) -> Iterator[list[bytes]]:
    for rows in lists:
        yield [value for _, value in rows]


def _present(sight: Sight, key: bytes) -> bytes:
    encoded = sight.reader().get(_LIVE, key)
    assert encoded is not None, f"the index has {key!r}, the table has not"
    return encoded


def _take(response: RangeResponse, encoded: bytes, *, keys_only: bool) -> None:
    """Adds a KeyValue to the answer; a value that is not wanted does not even reach the answer's memory."""
    if keys_only:
        kv = KeyValue.FromString(encoded)
        kv.value = b""
        response.kvs.append(kv)
    else:
        response.kvs.add().MergeFromString(encoded)
