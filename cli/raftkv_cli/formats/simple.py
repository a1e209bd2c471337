"""`-w simple`: the keys and values themselves, one line each; lists as comma-separated lines."""

from collections.abc import Iterable, Iterator

from raftkv.pb import kv, rpc
from raftkv_cli.formats import go
from raftkv_cli.formats.answers import Answer, EndpointHealth, Healths, Printable, Statuses, Style, member_row, status_row


def render(answer: Answer, style: Style) -> bytes:
    """The answer as lines."""
    return b"".join(line + b"\n" for line in _lines(answer, style))


def unhealthy_line(item: EndpointHealth) -> str:
    """What stderr says of an endpoint that is not well."""
    return f"{item.endpoint} is unhealthy: failed to commit proposal: {item.error}"


def _lines(answer: Answer, style: Style) -> Iterator[bytes]:
    match answer:
        case rpc.TxnResponse():
            yield from _transaction(answer, style)
        case rpc.RangeResponse() | rpc.PutResponse() | rpc.DeleteRangeResponse():
            yield from _operation(answer, style)
        case rpc.MemberListResponse():
            yield from (", ".join(member_row(member)).encode() for member in answer.members)
        case rpc.AlarmResponse():
            yield from (_alarm(alarm).encode() for alarm in answer.alarms)
        case Statuses():
            yield from (", ".join(status_row(item, go.size(item.status.dbSize))).encode() for item in answer.items)
        case Printable():
            yield from answer.lines(style)
        case Healths():
            yield from (_healthy(item).encode() for item in answer.items if not item.error)


def _operation(answer: rpc.RangeResponse | rpc.PutResponse | rpc.DeleteRangeResponse, style: Style) -> Iterator[bytes]:
    match answer:
        case rpc.RangeResponse():
            if style.count_only:
                yield str(answer.count).encode()
            yield from pair_lines(answer.kvs, style)
        case rpc.PutResponse():
            yield b"OK"
            if answer.HasField("prev_kv"):
                yield from pair_lines([answer.prev_kv], style)
        case rpc.DeleteRangeResponse():
            yield str(answer.deleted).encode()
            yield from pair_lines(answer.prev_kvs, style)


def _transaction(answer: rpc.TxnResponse, style: Style) -> Iterator[bytes]:
    yield b"SUCCESS" if answer.succeeded else b"FAILURE"
    for each in answer.responses:
        yield b""
        match each.WhichOneof("response"):
            case "response_range":
                yield from _operation(each.response_range, style)
            case "response_put":
                yield from _operation(each.response_put, style)
            case "response_delete_range":
                yield from _operation(each.response_delete_range, style)
            case "response_txn":
                yield from _transaction(each.response_txn, style)


def pair_lines(pairs: Iterable[kv.KeyValue], style: Style) -> Iterator[bytes]:
    """Keys and values, a line each."""
    for pair in pairs:
        if not style.values_only:
            yield go.hex_escaped(pair.key) if style.hex else pair.key
        yield go.hex_escaped(pair.value) if style.hex else pair.value


def _alarm(alarm: rpc.AlarmMember) -> str:
    """In protobuf's text form, which omits what is zero and ends each field with a blank."""
    member = f"memberID:{alarm.memberID} " if alarm.memberID else ""
    return f"{member}alarm:{rpc.AlarmType.Name(alarm.alarm)} " if alarm.alarm else member


def _healthy(item: EndpointHealth) -> str:
    return f"{item.endpoint} is healthy: successfully committed proposal: took = {go.duration(item.seconds)}"
