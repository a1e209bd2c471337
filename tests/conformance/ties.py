"""The part of a sorted range's order that is promised.

etcd sorts with Go's sort.Sort, which leaves rows that compare as equal in no particular order (it differs from one Go release
to the next), and cuts at the limit afterwards. So among rows with the same sort key any order is right, and where the cut
goes through such a group, any choice from it. Here each group is put into the order of its keys, and of a group that was cut
only the sort keys and the number of rows remain.
"""

from itertools import groupby
from operator import attrgetter

from google.protobuf.message import Message

from raftkv.pb import rpc
from raftkv.pb.kv import KeyValue

_SORTED_BY: dict[int, str] = {
    rpc.RangeRequest.VERSION: "version",
    rpc.RangeRequest.CREATE: "create_revision",
    rpc.RangeRequest.MOD: "mod_revision",
    rpc.RangeRequest.VALUE: "value",
}


def settle_ties(request: Message, response: Message) -> None:
    """Rewrites every range response inside `response`; the two need to belong together."""
    if isinstance(request, rpc.RangeRequest) and isinstance(response, rpc.RangeResponse):
        _settle_range(request, response)
    elif isinstance(request, rpc.TxnRequest) and isinstance(response, rpc.TxnResponse):
        operations = request.success if response.succeeded else request.failure
        for operation, answer in zip(operations, response.responses, strict=False):
            _settle_operation(operation, answer)


def _settle_operation(operation: rpc.RequestOp, answer: rpc.ResponseOp) -> None:
    if operation.HasField("request_range"):
        _settle_range(operation.request_range, answer.response_range)
    elif operation.HasField("request_txn"):
        settle_ties(operation.request_txn, answer.response_txn)


def _settle_range(request: rpc.RangeRequest, response: rpc.RangeResponse) -> None:
    name = _SORTED_BY.get(request.sort_target)
    if name is None:
        return
    if name == "value" and request.keys_only:
        groups = [list(response.kvs)]  # the values that decided the order are not shown
    else:
        groups = [list(group) for _, group in groupby(response.kvs, attrgetter(name))]
    settled = [sorted(group, key=attrgetter("key")) for group in groups]
    if response.more and settled:
        settled[-1] = [KeyValue(**{name: getattr(row, name)}) for row in settled[-1]]
    response.ClearField("kvs")
    response.kvs.extend(row for group in settled for row in group)
