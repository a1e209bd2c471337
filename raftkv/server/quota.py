"""The quota: refuses what would grow the store beyond it, and raises the NOSPACE alarm.

It is decided before proposing, by the node that took the request; once the alarm stands in the log every replica refuses
alike. Apply never looks at a size, so replicas cannot disagree (etcd server/etcdserver/api/v3rpc/quota.go).
"""

from collections.abc import Callable, Iterable

from raftkv.errors import NoSpaceError
from raftkv.pb.rpc import PutRequest, RequestOp, TxnRequest

KEY_OVERHEAD_BYTES = 256
"""What a stored version costs besides key and value."""
SMALLEST_PUT_BYTES = 4
"""An encoded operation of a transaction that puts is at least so long."""


class Quota:
    """The room that is left."""

    def __init__(self, limit: int | None, size: Callable[[], int], raise_alarm: Callable[[], None]) -> None:
        """`size` is what is used now, in bytes; no limit: everything fits."""
        self.limit = limit
        self._size = size
        self._raise_alarm = raise_alarm

    def check_txn(self, request: TxnRequest, size: int) -> None:
        """Admits a transaction of `size` encoded bytes; its operations are looked at only where space is scarce.

        Raises:
            NoSpaceError: it does not fit.
        """
        most = size + size // SMALLEST_PUT_BYTES * KEY_OVERHEAD_BYTES
        if self.limit is not None and self._size() + most >= self.limit:
            self.check(cost_of_txn(request))

    def check(self, cost: int) -> None:
        """Admits a request that adds `cost` bytes.

        Raises:
            NoSpaceError: it does not fit.
        """
        if self.limit is not None and cost and self._size() + cost >= self.limit:
            self._raise_alarm()
            raise NoSpaceError


def cost_of_put(request: PutRequest) -> int:
    """Bytes that a put adds."""
    return KEY_OVERHEAD_BYTES + len(request.key) + len(request.value)


def cost_of_txn(request: TxnRequest) -> int:
    """Bytes that the dearer branch of a transaction adds."""
    return max(_cost_of_branch(request.success), _cost_of_branch(request.failure))


def _cost_of_branch(operations: Iterable[RequestOp]) -> int:
    total = 0
    for operation in operations:
        match operation.WhichOneof("request"):
            case "request_put":
                total += cost_of_put(operation.request_put)
            case "request_txn":
                total += cost_of_txn(operation.request_txn)
    return total
