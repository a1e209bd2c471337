"""The few requests that recipes are made of."""

from collections.abc import Iterable

from raftkv.pb import kv, rpc

ALL_KEYS = b"\x00"


def prefix_end(prefix: bytes) -> bytes:
    """The first key after all keys that start with `prefix`."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes((stem[-1] + 1,)) if stem else ALL_KEYS


def one(key: bytes, revision: int = 0) -> rpc.RangeRequest:
    """One key."""
    return rpc.RangeRequest(key=key, revision=revision)


def under(prefix: bytes, *, limit: int = 0, keys_only: bool = False) -> rpc.RangeRequest:
    """All keys under a prefix, by key."""
    return rpc.RangeRequest(key=prefix, range_end=prefix_end(prefix), limit=limit, keys_only=keys_only)


def first_created(prefix: bytes, revision: int = 0) -> rpc.RangeRequest:
    """The oldest key under a prefix."""
    return rpc.RangeRequest(
        key=prefix,
        range_end=prefix_end(prefix),
        limit=1,
        revision=revision,
        sort_order=rpc.RangeRequest.ASCEND,
        sort_target=rpc.RangeRequest.CREATE,
    )


def last_created_before(prefix: bytes, revision: int) -> rpc.RangeRequest:
    """The youngest key under a prefix among those older than `revision`."""
    return rpc.RangeRequest(
        key=prefix,
        range_end=prefix_end(prefix),
        limit=1,
        max_create_revision=revision - 1,
        sort_order=rpc.RangeRequest.DESCEND,
        sort_target=rpc.RangeRequest.CREATE,
    )


def created_at(key: bytes, revision: int) -> rpc.Compare:
    """Holds while the key is the one that was created at `revision`; with 0: while there is none."""
    return rpc.Compare(key=key, result=rpc.Compare.EQUAL, target=rpc.Compare.CREATE, create_revision=revision)


def changed_at(key: bytes, revision: int) -> rpc.Compare:
    """Holds while the key is as `revision` left it; with 0: while there is none."""
    return rpc.Compare(key=key, result=rpc.Compare.EQUAL, target=rpc.Compare.MOD, mod_revision=revision)


def none_under(prefix: bytes) -> rpc.Compare:
    """Holds while there is no key under the prefix."""
    return rpc.Compare(
        key=prefix,
        range_end=prefix_end(prefix),
        result=rpc.Compare.EQUAL,
        target=rpc.Compare.CREATE,
        create_revision=0,
    )


def get(request: rpc.RangeRequest) -> rpc.RequestOp:
    """The range as an operation."""
    return rpc.RequestOp(request_range=request)


def put(key: bytes, value: bytes, lease: int = 0) -> rpc.RequestOp:
    """Sets a key."""
    return rpc.RequestOp(request_put=rpc.PutRequest(key=key, value=value, lease=lease))


def delete(key: bytes) -> rpc.RequestOp:
    """Deletes a key."""
    return rpc.RequestOp(request_delete_range=rpc.DeleteRangeRequest(key=key))


def txn(
    compare: Iterable[rpc.Compare], success: Iterable[rpc.RequestOp] = (), failure: Iterable[rpc.RequestOp] = ()
) -> rpc.TxnRequest:
    """`success` if every comparison holds, else `failure`."""
    return rpc.TxnRequest(compare=compare, success=success, failure=failure)


def found(response: rpc.TxnResponse, position: int) -> kv.KeyValue | None:
    """The first key that the operation at `position`, a range, found."""
    kvs = response.responses[position].response_range.kvs
    return kvs[0] if kvs else None
