"""Checks of requests that need no state: done where a request comes in, before it is proposed.

The rules and their order are etcd's (server/etcdserver/api/v3rpc/key.go).
"""

from collections.abc import Sequence
from typing import NamedTuple

from raftkv.errors import (
    DuplicateKeyError,
    EmptyKeyError,
    InvalidSortOptionError,
    KeyNotFoundError,
    LeaseProvidedError,
    TooManyOperationsError,
    ValueProvidedError,
)
from raftkv.pb.rpc import (
    CompactionRequest,
    DeleteRangeRequest,
    PutRequest,
    RangeRequest,
    RequestOp,
    TxnRequest,
)

MAX_TXN_OPS = 128
"""etcd's default of --max-txn-ops."""

MAX_TXN_DEPTH = 32
"""Transactions nested in each other. A message may be nested 100 deep, a transaction takes two levels of that, and in the log it
lies one deeper than on the wire: what is proposed must be readable there."""

_SORT_ORDERS = range(RangeRequest.NONE, RangeRequest.DESCEND + 1)
_SORT_TARGETS = range(RangeRequest.KEY, RangeRequest.VALUE + 1)


def check_range(request: RangeRequest) -> None:
    """A key, and sort options that exist."""
    if not request.key:
        raise EmptyKeyError
    if request.sort_order not in _SORT_ORDERS or request.sort_target not in _SORT_TARGETS:
        raise InvalidSortOptionError


def check_put(request: PutRequest) -> None:
    """A key, and nothing given that is to be left as it is."""
    if not request.key:
        raise EmptyKeyError
    if request.ignore_value and request.value:
        raise ValueProvidedError
    if request.ignore_lease and request.lease:
        raise LeaseProvidedError


def check_delete_range(request: DeleteRangeRequest) -> None:
    """A key."""
    if not request.key:
        raise EmptyKeyError


def check_compaction(_request: CompactionRequest) -> None:
    """Nothing: which revisions may be compacted, only the state says."""


def check_txn(request: TxnRequest, max_operations: int = MAX_TXN_OPS) -> None:
    """Not too many operations, each one right in itself, and no key changed twice.

    etcd limits only what one level has. Ours may not have more in all than the limit's square either: finding collisions
    among the 200,000 operations that fit into a request would take seconds.
    """
    if _check_operations(request, max_operations, MAX_TXN_DEPTH) > max_operations**2:
        raise TooManyOperationsError
    for branch in (request.success, request.failure):
        if len(branch) > 1 or (branch and branch[0].HasField("request_txn")):  # one operation alone collides with nothing
            _changed_keys(branch)


def is_read_only(request: TxnRequest) -> bool:
    """Whether a transaction can be answered without the log: every operation is a range (a nested transaction is not)."""
    for branch in (request.success, request.failure):
        for operation in branch:
            if not operation.HasField("request_range"):
                return False
    return True


def is_serializable(request: TxnRequest) -> bool:
    """Whether a read-only transaction may be answered from local state: each of its ranges says so.

    One that only compares asks for nothing of the kind, so it is linearizable (etcd answers it from local state).
    """
    operations = [*request.success, *request.failure]
    return bool(operations) and all(operation.request_range.serializable for operation in operations)


def puts_anything(request: TxnRequest) -> bool:
    """Whether a transaction has a put in it, in whatever branch: then it needs space."""
    for branch in (request.success, request.failure):
        for operation in branch:
            if operation.HasField("request_put"):
                return True
            if operation.HasField("request_txn") and puts_anything(operation.request_txn):
                return True
    return False


def _check_operations(request: TxnRequest, max_operations: int, max_depth: int) -> int:
    """What a level has uses up the operations that its nested transactions may have. Returns how many there are in all."""
    operations = max(len(request.compare), len(request.success), len(request.failure))
    if operations > max_operations or not max_depth:
        raise TooManyOperationsError
    for compare in request.compare:
        if not compare.key:
            raise EmptyKeyError
    left = max_operations - operations
    total = 0
    for branch in (request.success, request.failure):
        for operation in branch:
            total += 1
            kind = operation.WhichOneof("request")
            if kind == "request_put":
                check_put(operation.request_put)
            elif kind == "request_range":
                check_range(operation.request_range)
            elif kind == "request_delete_range":
                check_delete_range(operation.request_delete_range)
            elif kind == "request_txn":
                total += _check_operations(operation.request_txn, left, max_depth - 1)
            else:
                raise KeyNotFoundError
    return total


class _Span(NamedTuple):
    """A deleted range. As in etcd, one that goes on to the last key (an end of one zero byte) does not collide with puts."""

    first: bytes
    end: bytes

    def holds(self, key: bytes) -> bool:
        return self.first <= key < self.end


def _changed_keys(operations: Sequence[RequestOp]) -> tuple[set[bytes], list[_Span]]:
    """The keys that a branch puts and the ranges that it deletes, nested branches included; raises where they collide.

    A put collides with a put, with a deletion on its own level or around it, and with one in a transaction nested before it
    or below it. The two branches of a nested transaction may put the same key, for only one of them is taken.
    """
    deletes = [_span(operation) for operation in operations if operation.HasField("request_delete_range")]
    puts: set[bytes] = set()
    for operation in operations:
        if operation.HasField("request_txn"):
            then_puts, then_deletes = _changed_keys(operation.request_txn.success)
            else_puts, else_deletes = _changed_keys(operation.request_txn.failure)
            _refuse(then_puts, puts, deletes)
            _refuse(else_puts, puts, deletes)
            puts |= then_puts | else_puts
            deletes += then_deletes + else_deletes
    own = [operation.request_put.key for operation in operations if operation.HasField("request_put")]
    own_puts = set(own)
    if len(own_puts) < len(own):
        raise DuplicateKeyError
    _refuse(own_puts, puts, deletes)
    return puts | own_puts, deletes


def _span(operation: RequestOp) -> _Span:
    request = operation.request_delete_range
    return _Span(request.key, request.range_end or request.key + b"\0")


def _refuse(new: set[bytes], puts: set[bytes], deletes: list[_Span]) -> None:
    if not new.isdisjoint(puts) or any(span.holds(key) for span in deletes for key in new):
        raise DuplicateKeyError
