"""What a request would read and write, asked of the request as the client sent it.

One walk for everything: single requests, transactions with all that is nested in them, watches, leases. It looks at raw
ranges, before anything rewrites them (CVE-2026-73499), at both branches of every transaction, taken or not
(CVE-2026-33343), and at what comes along with a put: the previous value is read, and a key that is hung on a lease brings
the lease's other keys into its owner's hands (CVE-2026-44283). What it does not know is denied.
"""

from collections.abc import Callable, Iterable
from typing import Any

from raftkv.auth.permissions import Permissions
from raftkv.pb.rpc import (
    Compare,
    DeleteRangeRequest,
    LeaseRevokeRequest,
    LeaseTimeToLiveRequest,
    PutRequest,
    RangeRequest,
    RequestOp,
    TxnRequest,
    WatchCreateRequest,
)
from raftkv.pb.update import UpdateRequest

LeaseKeys = Callable[[int], Iterable[bytes]]
"""The keys that hang on a lease; none, where there is no such lease."""


def is_allowed(allowed: Permissions, request: Any, lease_keys: LeaseKeys) -> bool:
    """Whether whoever has these permissions may make this request."""
    rule = _RULES.get(type(request))
    return allowed.is_root or (rule is not None and rule(allowed, request, lease_keys))


def _put(allowed: Permissions, request: PutRequest, lease_keys: LeaseKeys) -> bool:
    if not allowed.may_write(request.key) or (request.prev_kv and not allowed.may_read(request.key)):
        return False
    return not request.lease or _writes_all(allowed, lease_keys(request.lease))


def _range(allowed: Permissions, request: RangeRequest | WatchCreateRequest | Compare, _lease_keys: LeaseKeys) -> bool:
    return allowed.may_read(request.key, request.range_end)


def _delete_range(allowed: Permissions, request: DeleteRangeRequest, _lease_keys: LeaseKeys) -> bool:
    return allowed.may_write(request.key, request.range_end) and (
        not request.prev_kv or allowed.may_read(request.key, request.range_end)
    )


def _txn(allowed: Permissions, request: TxnRequest, lease_keys: LeaseKeys) -> bool:
    return (
        all(_range(allowed, compare, lease_keys) for compare in request.compare)
        and all(_operation(allowed, operation, lease_keys) for operation in request.success)
        and all(_operation(allowed, operation, lease_keys) for operation in request.failure)
    )


def _operation(allowed: Permissions, operation: RequestOp, lease_keys: LeaseKeys) -> bool:
    kind = operation.WhichOneof("request")
    return kind is not None and is_allowed(allowed, getattr(operation, kind), lease_keys)


def _lease_revoke(allowed: Permissions, request: LeaseRevokeRequest, lease_keys: LeaseKeys) -> bool:
    return _writes_all(allowed, lease_keys(request.ID))


def _lease_time_to_live(allowed: Permissions, request: LeaseTimeToLiveRequest, lease_keys: LeaseKeys) -> bool:
    return not request.keys or all(allowed.may_read(key) for key in lease_keys(request.ID))


def _update(allowed: Permissions, request: UpdateRequest, lease_keys: LeaseKeys) -> bool:
    """Each key with its queue: the answers tell what they held."""
    if request.lease and not _writes_all(allowed, lease_keys(request.lease)):
        return False
    keys = {request.prefix + change.key for change in request.changes}
    return all(allowed.may_read(key, key + b"!") and allowed.may_write(key, key + b"!") for key in keys)


def _writes_all(allowed: Permissions, keys: Iterable[bytes]) -> bool:
    return all(allowed.may_write(key) for key in keys)


_RULES: dict[type[Any], Callable[[Permissions, Any, LeaseKeys], bool]] = {
    RangeRequest: _range,
    PutRequest: _put,
    DeleteRangeRequest: _delete_range,
    TxnRequest: _txn,
    WatchCreateRequest: _range,
    LeaseRevokeRequest: _lease_revoke,
    LeaseTimeToLiveRequest: _lease_time_to_live,
    UpdateRequest: _update,
}
