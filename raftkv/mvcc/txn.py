"""A Txn request: compares, the path that they choose, its checks, its execution.

    compares of all nested levels, on the state before -> path
    puts of the path, then ranges of the path           -> an error, and nothing was done
    operations of the path in order                     -> responses

As in etcd (server/etcdserver/txn/txn.go).
"""

from collections.abc import Sequence
from typing import NamedTuple

from raftkv.errors import CompactedError, FutureRevisionError, KeyNotFoundError, LeaseNotFoundError
from raftkv.mvcc.layout import bounds
from raftkv.mvcc.sight import batches
from raftkv.mvcc.steps import Steps
from raftkv.mvcc.transaction import LeaseExists, Transaction
from raftkv.pb.kv import KeyValue
from raftkv.pb.rpc import Compare, PutRequest, RangeRequest, RequestOp, TxnRequest, TxnResponse
from raftkv.storage.engine import Reader, Table

_EMPTY = KeyValue()


class _Path(NamedTuple):
    """The branch that a transaction takes, and the paths of the transactions nested in it, in order."""

    succeeded: bool
    operations: Sequence[RequestOp]
    nested: list["_Path"]


def run_txn(transaction: Transaction, request: TxnRequest, response: TxnResponse, lease_exists: LeaseExists) -> Steps[None]:
    """Stages what the request does. A RequestError leaves the transaction unfit for commit."""
    path = yield from _choose_path(transaction, request)
    _check_puts(transaction, path, lease_exists)
    _check_ranges(transaction, path)
    yield from _execute(transaction, path, response)
    response.header.revision = transaction.revision


def lone_put(request: TxnRequest, state: Reader) -> tuple[bool, PutRequest] | None:
    """Whether the compares hold, and the put that then is all there is to do; None where there is more or less to it.

    Compare one key, then put one: locks, counters and elections do it all day, and need no staging.
    """
    if len(request.success) > 1 or len(request.failure) > 1:
        return None
    succeeded = True
    for compare in request.compare:
        if compare.range_end:
            return None
        if succeeded and not _holds_for_key(compare, state.get(Table.LIVE, compare.key)):
            succeeded = False
    operations = request.success if succeeded else request.failure
    if not operations or not operations[0].HasField("request_put"):
        return None
    put = operations[0].request_put
    return None if put.lease or put.ignore_value or put.ignore_lease else (succeeded, put)


def _choose_path(transaction: Transaction, request: TxnRequest) -> Steps[_Path]:
    succeeded = True
    for compare in request.compare:
        if not (yield from _holds(transaction, compare)):
            succeeded = False
            break
    operations = request.success if succeeded else request.failure
    requests = [operation.request_txn for operation in operations if operation.HasField("request_txn")]
    nested = []
    for nested_request in requests:
        path = yield from _choose_path(transaction, nested_request)
        nested.append(path)
    return _Path(succeeded, operations, nested)


def _holds(transaction: Transaction, compare: Compare) -> Steps[bool]:
    """Whether all keys of the compare satisfy it. Where there is none, it is put to an empty KeyValue, but no value is ever
    equal, unequal, above or below that of a missing key.
    """
    if not compare.range_end:
        return _holds_for_key(compare, transaction.get(compare.key))
    first, end = bounds(compare.key, compare.range_end)
    if not transaction.count(first, end):
        return _holds_missing(compare)
    for batch in batches(transaction, Table.LIVE, first, end):
        if not all(_holds_for(compare, KeyValue.FromString(encoded)) for _, encoded in batch):
            return False
        if transaction.spent:
            yield from transaction.pause()
    return True


def _holds_for_key(compare: Compare, encoded: bytes | None) -> bool:
    return _holds_missing(compare) if encoded is None else _holds_for(compare, KeyValue.FromString(encoded))


def _holds_missing(compare: Compare) -> bool:
    return compare.target != Compare.VALUE and _holds_for(compare, _EMPTY)


def _holds_for(compare: Compare, kv: KeyValue) -> bool:
    """A target that does not exist compares as equal, a result that does not exist holds: etcd's compareKV."""
    order = _order(compare, kv)
    match compare.result:
        case Compare.EQUAL:
            return order == 0
        case Compare.NOT_EQUAL:
            return order != 0
        case Compare.GREATER:
            return order > 0
        case Compare.LESS:
            return order < 0
        case _:
            return True


def _order(compare: Compare, kv: KeyValue) -> int:
    """Above zero: the key's value is greater. A target_union that does not fit the target reads as zero or empty."""
    match compare.target:
        case Compare.VALUE:
            return (kv.value > compare.value) - (kv.value < compare.value)
        case Compare.VERSION:
            return kv.version - compare.version
        case Compare.CREATE:
            return kv.create_revision - compare.create_revision
        case Compare.MOD:
            return kv.mod_revision - compare.mod_revision
        case Compare.LEASE:
            return kv.lease - compare.lease
        case _:
            return 0


def _check_puts(transaction: Transaction, path: _Path, lease_exists: LeaseExists) -> None:
    nested = iter(path.nested)
    for operation in path.operations:
        if operation.HasField("request_put"):
            _check_put(transaction, operation.request_put, lease_exists)
        elif operation.HasField("request_txn"):
            _check_puts(transaction, next(nested), lease_exists)


def _check_put(transaction: Transaction, put: PutRequest, lease_exists: LeaseExists) -> None:
    if (put.ignore_value or put.ignore_lease) and transaction.get(put.key) is None:
        raise KeyNotFoundError
    if put.lease and not lease_exists(put.lease):
        raise LeaseNotFoundError


def _check_ranges(transaction: Transaction, path: _Path) -> None:
    nested = iter(path.nested)
    for operation in path.operations:
        if operation.HasField("request_range"):
            _check_range(transaction, operation.request_range)
        elif operation.HasField("request_txn"):
            _check_ranges(transaction, next(nested))


def _check_range(transaction: Transaction, request: RangeRequest) -> None:
    """Stricter than Range itself: below zero is compacted, except that -1 is not before the first compaction (as in etcd)."""
    if request.revision > transaction.settled:
        raise FutureRevisionError
    if request.revision and request.revision < transaction.compact_revision:
        raise CompactedError


def _execute(transaction: Transaction, path: _Path, response: TxnResponse) -> Steps[None]:
    response.succeeded = path.succeeded
    nested = iter(path.nested)
    for operation in path.operations:
        answer = response.responses.add()
        match operation.WhichOneof("request"):
            case "request_put":
                transaction.put(operation.request_put, answer.response_put)
            case "request_range":
                yield from transaction.range(operation.request_range, answer.response_range)
            case "request_delete_range":
                yield from transaction.delete_range(operation.request_delete_range, answer.response_delete_range)
            case "request_txn":
                answer.response_txn.header.SetInParent()
                yield from _execute(transaction, next(nested), answer.response_txn)
        transaction.spend(1)
        if transaction.spent:
            yield from transaction.pause()
