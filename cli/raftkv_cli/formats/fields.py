"""`-w fields`: a line `"Name" : value` for every field, texts quoted as Go quotes them."""

from collections.abc import Iterable, Iterator

from raftkv.pb import kv, rpc
from raftkv_cli.formats import go
from raftkv_cli.formats.answers import (
    Answer,
    EndpointHealth,
    EndpointStatus,
    Field,
    Healths,
    Printable,
    Statuses,
    Style,
    header_fields,
)

_END: Field = ("", "")
"""Printed as an empty line."""


def render(answer: Answer, style: Style) -> bytes:  # noqa: ARG001 - every format takes a style
    """The answer as lines; an empty line ends each element of a list of members, alarms or endpoints."""
    lines = (f'"{name}" : {value}\n' if name else "\n" for name, value in _fields(answer))
    return "".join(lines).encode("utf-8", "surrogateescape")


def _fields(answer: Answer) -> Iterator[Field]:
    match answer:
        case rpc.TxnResponse():
            yield from _transaction(answer)
        case rpc.RangeResponse() | rpc.PutResponse() | rpc.DeleteRangeResponse():
            yield from _operation(answer)
        case Printable():
            yield from answer.fields()
        case _:
            yield from _list(answer)


def _list(answer: rpc.MemberListResponse | rpc.AlarmResponse | Statuses | Healths) -> Iterator[Field]:
    match answer:
        case rpc.MemberListResponse():
            yield from header_fields(answer.header)
            elements = map(_member, answer.members)
        case rpc.AlarmResponse():
            if answer.HasField("header"):
                yield from header_fields(answer.header)
            elements = map(_alarm, answer.alarms)
        case Statuses():
            elements = map(_status, answer.items)
        case Healths():
            elements = map(_health, answer.items)
    for element in elements:
        yield from element
        yield _END


def _operation(answer: rpc.RangeResponse | rpc.PutResponse | rpc.DeleteRangeResponse) -> Iterator[Field]:
    yield from header_fields(answer.header)
    match answer:
        case rpc.RangeResponse():
            yield from pair_fields(answer.kvs, "")
            yield from (("More", _truth(answer.more)), ("Count", answer.count))
        case rpc.PutResponse():
            if answer.HasField("prev_kv"):
                yield from pair_fields([answer.prev_kv], "Prev")
        case rpc.DeleteRangeResponse():
            yield "Deleted", answer.deleted
            yield from pair_fields(answer.prev_kvs, "Prev")


def _transaction(answer: rpc.TxnResponse) -> Iterator[Field]:
    yield from header_fields(answer.header)
    yield "Succeeded", _truth(answer.succeeded)
    for each in answer.responses:
        match each.WhichOneof("response"):
            case "response_range":
                yield from _operation(each.response_range)
            case "response_put":
                yield from _operation(each.response_put)
            case "response_delete_range":
                yield from _operation(each.response_delete_range)
            case "response_txn":
                yield from _transaction(each.response_txn)


def pair_fields(pairs: Iterable[kv.KeyValue], prefix: str) -> Iterator[Field]:
    """The fields of keys with their values; `prefix` says that they are previous ones."""
    for pair in pairs:
        yield f"{prefix}Key", go.quote(pair.key)
        yield f"{prefix}CreateRevision", pair.create_revision
        yield f"{prefix}ModRevision", pair.mod_revision
        yield f"{prefix}Version", pair.version
        yield f"{prefix}Value", go.quote(pair.value)
        yield f"{prefix}Lease", pair.lease


def _member(member: rpc.Member) -> Iterator[Field]:
    yield "ID", member.ID
    yield "Name", go.quote(member.name)
    yield from (("PeerURL", go.quote(url)) for url in member.peerURLs)
    yield from (("ClientURL", go.quote(url)) for url in member.clientURLs)
    yield "IsLearner", _truth(member.isLearner)


def _alarm(alarm: rpc.AlarmMember) -> Iterator[Field]:
    yield "MemberID", alarm.memberID
    yield "AlarmType", rpc.AlarmType.Name(alarm.alarm)


def _status(item: EndpointStatus) -> Iterator[Field]:
    status = item.status
    yield from header_fields(status.header)
    yield "Version", go.quote(status.version)
    yield "DBSize", status.dbSize
    yield "Leader", status.leader
    yield "IsLearner", _truth(status.isLearner)
    yield "RaftIndex", status.raftIndex
    yield "RaftTerm", status.raftTerm
    yield "RaftAppliedIndex", status.raftAppliedIndex
    yield "Errors", f"[{' '.join(status.errors)}]"
    yield "Endpoint", go.quote(item.endpoint)


def _health(item: EndpointHealth) -> Iterator[Field]:
    yield "Endpoint", go.quote(item.endpoint)
    yield "Health", _truth(not item.error)
    yield "Took", go.duration(item.seconds)
    yield "Error", item.error


def _truth(value: bool) -> str:  # noqa: FBT001 - it is the thing to be written
    return "true" if value else "false"
