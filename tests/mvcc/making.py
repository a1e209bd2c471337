"""Requests in few words, and a store over an engine in memory."""

from typing import Any

from raftkv.mvcc import Store, Written, finish
from raftkv.pb import rpc
from raftkv.pb.kv import KeyValue
from raftkv.storage.memory import MemoryEngine
from raftkv.storage.overlay import Overlay


def new_store(state: Overlay | None = None, lease_exists: Any = None) -> Store:
    """A loaded store."""
    state = Overlay(MemoryEngine()) if state is None else state
    store = Store(state) if lease_exists is None else Store(state, lease_exists)
    finish(store.load())
    return store


def put(key: bytes, value: bytes = b"", **options: Any) -> rpc.PutRequest:
    return rpc.PutRequest(key=key, value=value, **options)


def delete(key: bytes, end: bytes = b"", **options: Any) -> rpc.DeleteRangeRequest:
    return rpc.DeleteRangeRequest(key=key, range_end=end, **options)


def get(key: bytes, end: bytes = b"", **options: Any) -> rpc.RangeRequest:
    return rpc.RangeRequest(key=key, range_end=end, **options)


def op(request: Any) -> rpc.RequestOp:
    """A request as an operation of a transaction."""
    match request:
        case rpc.RangeRequest():
            return rpc.RequestOp(request_range=request)
        case rpc.PutRequest():
            return rpc.RequestOp(request_put=request)
        case rpc.DeleteRangeRequest():
            return rpc.RequestOp(request_delete_range=request)
        case _:
            return rpc.RequestOp(request_txn=request)


def txn(*success: Any, compare: Any = (), failure: Any = ()) -> rpc.TxnRequest:
    return rpc.TxnRequest(
        compare=compare, success=[op(request) for request in success], failure=[op(request) for request in failure]
    )


def run(store: Store, request: Any) -> Any:
    """The store's answer, however many slices it takes."""
    match request:
        case rpc.RangeRequest():
            return finish(store.range(request))
        case rpc.PutRequest():
            return store.put(request).response
        case rpc.DeleteRangeRequest():
            return written(store.delete_range(request)).response
        case rpc.CompactionRequest():
            return store.compact(request).response
        case _:
            return written(store.txn(request)).response


def written(work: Any) -> Written:
    """What a request did, however many slices it takes."""
    result = finish(work)
    assert isinstance(result, Written)
    return result


def compact(store: Store, revision: int) -> None:
    """Compacts and removes the rows."""
    run(store, rpc.CompactionRequest(revision=revision))
    finish(store.scrub())


def keys(response: rpc.RangeResponse) -> list[bytes]:
    return [kv.key for kv in response.kvs]


def values(response: rpc.RangeResponse) -> dict[bytes, bytes]:
    return {kv.key: kv.value for kv in response.kvs}


def fields(kv: KeyValue) -> tuple[int, int, int, bytes]:
    """(create_revision, mod_revision, version, value)."""
    return kv.create_revision, kv.mod_revision, kv.version, kv.value
