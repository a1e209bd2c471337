"""Between protobuf and the checkers' own words: requests, answers, and the entries of the log.

Text is Latin-1: every byte has its letter, and their order is the same.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.message import Message

from raftkv.pb import kv, rpc
from raftkv.pb.command import Command
from raftkv.pb.raft import MembershipChange
from raftkv.raft.messages import Entry as LogEntry
from raftkv.raft.messages import EntryKind
from raftkv_jepsen.replay import Entry
from raftkv_jepsen.store import parse_request

Fields = dict[str, Any]
Step = tuple[str, Fields]

_RESULTS = {rpc.Compare.EQUAL: "=", rpc.Compare.GREATER: ">", rpc.Compare.LESS: "<", rpc.Compare.NOT_EQUAL: "!="}
_RESULT_NUMBERS = {sign: number for number, sign in _RESULTS.items()}
_TARGETS = {
    rpc.Compare.VERSION: ("version", "version"),
    rpc.Compare.CREATE: ("create", "create_revision"),
    rpc.Compare.MOD: ("mod", "mod_revision"),
    rpc.Compare.VALUE: ("value", "value"),
    rpc.Compare.LEASE: ("lease", "lease"),
}
_TARGET_NUMBERS = {name: (number, field) for number, (name, field) in _TARGETS.items()}


def text(data: bytes) -> str:
    """Bytes as text."""
    return data.decode("latin-1")


def data(letters: str) -> bytes:
    """And back."""
    return letters.encode("latin-1")


def row(key_value: kv.KeyValue) -> tuple[str, str, int, int, int, int]:
    """A key as the checkers have it."""
    return (
        text(key_value.key),
        text(key_value.value),
        key_value.create_revision,
        key_value.mod_revision,
        key_value.version,
        key_value.lease,
    )


# --- requests out ------------------------------------------------------------------------------------------------------


def message(f: str, fields: Fields) -> Message:  # noqa: PLR0911 (one for each kind of request)
    """The request that has these fields."""
    match f:
        case "range":
            return rpc.RangeRequest(
                key=data(fields["key"]),
                range_end=data(fields.get("range_end", "")),
                revision=fields.get("revision", 0),
                limit=fields.get("limit", 0),
                count_only=fields.get("count_only", False),
                serializable=fields.get("serializable", False),
            )
        case "put":
            return rpc.PutRequest(key=data(fields["key"]), value=data(fields["value"]), lease=fields.get("lease", 0))
        case "delete":
            return rpc.DeleteRangeRequest(key=data(fields["key"]), range_end=data(fields.get("range_end", "")))
        case "txn":
            return rpc.TxnRequest(
                compare=[_compare(*each) for each in fields.get("compare", ())],
                success=[_operation(*step) for step in fields.get("success", ())],
                failure=[_operation(*step) for step in fields.get("failure", ())],
            )
        case "compact":
            return rpc.CompactionRequest(revision=fields["revision"])
        case "lease_grant":
            return rpc.LeaseGrantRequest(ID=fields["id"], TTL=fields["ttl"])
        case "lease_revoke":
            return rpc.LeaseRevokeRequest(ID=fields["id"])
    raise AssertionError(f"no request {f}")


def _compare(key: str, target: str, result: str, operand: Any) -> rpc.Compare:
    number, field = _TARGET_NUMBERS[target]
    value = data(operand) if target == "value" else operand
    operands: dict[str, Any] = {field: value}
    return rpc.Compare(key=data(key), target=number, result=_RESULT_NUMBERS[result], **operands)


def _operation(f: str, fields: Fields) -> rpc.RequestOp:
    name = {"range": "request_range", "put": "request_put", "delete": "request_delete_range", "txn": "request_txn"}[f]
    return rpc.RequestOp(**{name: message(f, fields)})  # type: ignore[arg-type] # one field of several types


PATHS: dict[str, tuple[str, type[Message]]] = {
    "range": ("/etcdserverpb.KV/Range", rpc.RangeResponse),
    "put": ("/etcdserverpb.KV/Put", rpc.PutResponse),
    "delete": ("/etcdserverpb.KV/DeleteRange", rpc.DeleteRangeResponse),
    "txn": ("/etcdserverpb.KV/Txn", rpc.TxnResponse),
    "compact": ("/etcdserverpb.KV/Compact", rpc.CompactionResponse),
    "lease_grant": ("/etcdserverpb.Lease/LeaseGrant", rpc.LeaseGrantResponse),
    "lease_revoke": ("/etcdserverpb.Lease/LeaseRevoke", rpc.LeaseRevokeResponse),
}
"""Where each request goes, and what answers it."""


# --- answers in --------------------------------------------------------------------------------------------------------


def answer(f: str, response: Any) -> Fields:
    """What an answer says, with the revision of its header."""
    return {**_inner(f, response), "revision": response.header.revision}


def _inner(f: str, response: Any) -> Fields:
    told: Fields = {}
    match f:
        case "range":
            rows = tuple(row(each) for each in response.kvs)
            told = {"kvs": rows, "count": response.count, "more": response.more}
        case "put" if response.HasField("prev_kv"):
            told = {"prev": row(response.prev_kv)}
        case "delete":
            before = {"prev": tuple(row(each) for each in response.prev_kvs)} if response.prev_kvs else {}
            told = {"deleted": response.deleted, **before}
        case "txn":
            told = {"succeeded": response.succeeded, "responses": tuple(_answers(response.responses))}
        case "lease_grant":
            told = {"id": response.ID, "ttl": response.TTL}
    return told


_NESTED = {
    "response_range": "range",
    "response_put": "put",
    "response_delete_range": "delete",
    "response_txn": "txn",
}


def _answers(responses: Iterable[rpc.ResponseOp]) -> Iterator[Fields]:
    for each in responses:
        name = each.WhichOneof("response")
        assert name is not None, "an operation of a transaction has an answer"
        yield _inner(_NESTED[name], getattr(each, name))


# --- the log -----------------------------------------------------------------------------------------------------------


class Log:
    """Reads committed entries, in order."""

    def __init__(self) -> None:
        self._known: set[tuple[bytes, int]] = set()
        self._leases: set[int] = set()
        self.steps: list[Step] = []
        """What was read, by names and fields."""
        self.indexes: list[int] = []
        """Of the entry of each."""
        self.expired: list[tuple[int, int]] = []
        """Log index, lease: what ended because its time was up."""

    def read(self, entries: Iterable[LogEntry]) -> list[Entry]:
        """The requests in them that do something to the keys or the leases."""
        return [request for entry in entries for request in self._requests(entry)]

    def _requests(self, entry: LogEntry) -> Iterator[Entry]:
        raw = entry.data
        if entry.kind == EntryKind.MEMBERSHIP:
            raw = MembershipChange.FromString(raw).context
        command = Command.FromString(raw)
        body = command.WhichOneof("body")
        if body is None or self._seen(command):
            return
        for f, fields in self._read(body, getattr(command, body), entry):
            self.steps.append((f, fields))
            self.indexes.append(entry.index)
            yield Entry(parse_request(f, fields), expired=f == "lease_expire")

    def _seen(self, command: Command) -> bool:
        """Whether it was applied before, under the same request id."""
        if not command.HasField("request_id"):
            return False
        name = (command.request_id.client, command.request_id.sequence)
        if name in self._known:
            return True
        self._known.add(name)
        return False

    def _read(self, body: str, request: Any, entry: LogEntry) -> Iterator[Step]:
        match body:
            case "put" | "delete_range" | "txn":
                yield _step({"put": "put", "delete_range": "delete", "txn": "txn"}[body], request)
            case "compact":
                yield "compact", {"revision": request.revision}
            case "lease_grant":
                self._leases.add(request.ID)
                yield "lease_grant", {"id": request.ID, "ttl": request.TTL}
            case "lease_revoke":
                self._leases.discard(request.ID)
                yield "lease_revoke", {"id": request.ID}
            case "expire_leases" if request.term == entry.term:
                for lease in dict.fromkeys(request.ids):
                    if lease in self._leases:
                        self._leases.discard(lease)
                        self.expired.append((entry.index, lease))
                        yield "lease_expire", {"id": lease}


def _step(f: str, request: Any) -> Step:
    match f:
        case "put":
            fields: Fields = {"key": text(request.key), "value": text(request.value)}
            if request.lease:
                fields["lease"] = request.lease
            return f, fields
        case "delete":
            return f, _with_end({"key": text(request.key)}, request)
        case "range":
            fields = _with_end({"key": text(request.key)}, request)
            return f, fields | {"limit": request.limit} if request.limit else fields
    return f, {
        "compare": tuple(_condition(each) for each in request.compare),
        "success": tuple(_nested(each) for each in request.success),
        "failure": tuple(_nested(each) for each in request.failure),
    }


def _with_end(fields: Fields, request: Any) -> Fields:
    if request.range_end:
        fields["range_end"] = text(request.range_end)
    return fields


def _nested(operation: rpc.RequestOp) -> Step:
    name = operation.WhichOneof("request")
    assert name is not None, "an operation of a transaction asks something"
    f = {"request_range": "range", "request_put": "put", "request_delete_range": "delete", "request_txn": "txn"}[name]
    return _step(f, getattr(operation, name))


def _condition(compare: rpc.Compare) -> tuple[Any, ...]:
    name, field = _TARGETS[compare.target]
    operand = getattr(compare, field)
    found = (text(compare.key), name, _RESULTS[compare.result], text(operand) if name == "value" else operand)
    return (*found, text(compare.range_end)) if compare.range_end else found
