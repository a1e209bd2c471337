"""The parts of a transaction, written as they read.

    await client.txn(
        compare=[Value("leader") == "node1", Version("job") > 0],
        success=[Put("job", "run"), Get("config/", prefix=True)],
        failure=[Get("leader")],
    )

A comparison is `==`, `!=`, `<` or `>`: the API has no other. One of a range or prefix holds if it holds for each key in it.
"""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import ClassVar, ParamSpec

from raftkv.client.request import Data, as_bytes, delete_request, key_range, put_request, range_request
from raftkv.pb import rpc

P = ParamSpec("P")


class _Comparison:
    """What of a key is compared; each operator makes the API's message."""

    __hash__ = None  # type: ignore[assignment]  # what compares to a message cannot be a key of a dict
    _target: ClassVar[rpc.Compare.CompareTarget]
    _field: ClassVar[str]

    def __init__(self, key: Data, range_end: Data | None = None, *, prefix: bool = False, from_key: bool = False) -> None:
        self._key, self._range_end = key_range(key, range_end, prefix=prefix, from_key=from_key)

    def __eq__(self, value: object) -> rpc.Compare:  # type: ignore[override]  # the point of the class
        return self._compare(rpc.Compare.EQUAL, value)

    def __ne__(self, value: object) -> rpc.Compare:  # type: ignore[override]  # the point of the class
        return self._compare(rpc.Compare.NOT_EQUAL, value)

    def __lt__(self, value: object) -> rpc.Compare:
        return self._compare(rpc.Compare.LESS, value)

    def __gt__(self, value: object) -> rpc.Compare:
        return self._compare(rpc.Compare.GREATER, value)

    def _compare(self, result: rpc.Compare.CompareResult, value: object) -> rpc.Compare:
        compare = rpc.Compare(key=self._key, range_end=self._range_end, target=self._target, result=result)
        setattr(compare, self._field, self._checked(value))
        return compare

    def _checked(self, value: object) -> int | bytes:
        if not isinstance(value, int):
            raise TypeError(f"{type(self).__name__} compares to an int, not {type(value).__name__}")
        return value


class Value(_Comparison):
    """The value of a key. A key that is not there has none: every comparison with it fails, `!=` too."""

    _target = rpc.Compare.VALUE
    _field = "value"

    def _checked(self, value: object) -> bytes:
        if not isinstance(value, str | bytes):
            raise TypeError(f"Value compares to str or bytes, not {type(value).__name__}")
        return as_bytes(value)


class Version(_Comparison):
    """How often a key was put since it was created; 0: it is not there."""

    _target = rpc.Compare.VERSION
    _field = "version"


class CreateRevision(_Comparison):
    """The revision that created a key; 0: it is not there."""

    _target = rpc.Compare.CREATE
    _field = "create_revision"


class ModRevision(_Comparison):
    """The revision that last put a key; 0: it is not there."""

    _target = rpc.Compare.MOD
    _field = "mod_revision"


class Lease(_Comparison):
    """The lease that a key hangs on; 0: none, or it is not there."""

    _target = rpc.Compare.LEASE
    _field = "lease"


def txn_request(
    compare: Iterable[rpc.Compare] = (), success: Iterable[rpc.RequestOp] = (), failure: Iterable[rpc.RequestOp] = ()
) -> rpc.TxnRequest:
    """Executes `success` if every comparison holds, else `failure`, in one step."""
    return rpc.TxnRequest(compare=compare, success=success, failure=failure)


def is_read(request: rpc.TxnRequest) -> bool:
    """Whether a transaction can change nothing, whichever branch it takes."""
    return all(_is_read_operation(operation) for branch in (request.success, request.failure) for operation in branch)


def _is_read_operation(operation: rpc.RequestOp) -> bool:
    kind = operation.WhichOneof("request")
    return kind == "request_range" or (kind == "request_txn" and is_read(operation.request_txn))


def _operation(field: str, build: Callable[P, object]) -> Callable[P, rpc.RequestOp]:
    """The builder of a request as the builder of an operation with that request."""

    @wraps(build)
    def operation(*args: P.args, **options: P.kwargs) -> rpc.RequestOp:
        return rpc.RequestOp(**{field: build(*args, **options)})  # type: ignore[arg-type]  # one field of many, by name

    return operation


Put = _operation("request_put", put_request)
Get = _operation("request_range", range_request)
Delete = _operation("request_delete_range", delete_request)
Txn = _operation("request_txn", txn_request)
