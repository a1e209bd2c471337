"""`-w json`: the messages under their protobuf names, numbers as numbers, bytes in base64, zero values left out."""

from base64 import b64encode
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from raftkv.pb import rpc
from raftkv_cli.formats import go
from raftkv_cli.formats.answers import Answer, EndpointHealth, Healths, Printable, Statuses, Style


def render(answer: Answer, style: Style) -> bytes:
    """The answer as one line."""
    return go.dump_json(_value(answer, style)).encode() + b"\n"


def _value(answer: Answer, style: Style) -> object:
    match answer:
        case Statuses():
            return [{"Endpoint": item.endpoint, "Status": message_value(item.status)} for item in answer.items]
        case Healths():
            return [_health(item) for item in answer.items]
        case Printable():
            return answer.value()
        case rpc.MemberListResponse() if style.hex:
            return _members_in_hex(answer)
        case _:
            return message_value(answer)


def message_value(message: Message) -> dict[str, Any]:
    """A message as JSON has it: fields in their declared order; those of a oneof stand in an object under its name, as Go's structs do."""
    result: dict[str, Any] = {}
    for name, oneof, field in _layout(message.DESCRIPTOR):
        if field.message_type is not None and not field.is_repeated and not message.HasField(name):
            continue
        value = getattr(message, name)
        if oneof:
            if message.HasField(name):
                result[oneof] = {name: _single(field, value)}
        elif field.is_repeated:
            if value:
                result[name] = [_single(field, element) for element in value]
        elif value or field.message_type is not None:
            result[name] = _single(field, value)
    return result


@cache
def _layout(descriptor: Descriptor) -> list[tuple[str, str, FieldDescriptor]]:
    """Name, the oneof's name in Go or nothing, and the descriptor, of each field."""
    return [
        (field.name, field.containing_oneof.name.title() if field.containing_oneof else "", field)
        for field in descriptor.fields
    ]


def _single(field: FieldDescriptor, value: Any) -> Any:
    if field.message_type is not None:
        return message_value(value)
    return b64encode(value).decode() if field.type == FieldDescriptor.TYPE_BYTES else value


def _health(item: EndpointHealth) -> dict[str, Any]:
    health = {"endpoint": item.endpoint, "health": not item.error, "took": go.duration(item.seconds)}
    return health | {"error": item.error} if item.error else health


def _members_in_hex(answer: rpc.MemberListResponse) -> dict[str, Any]:
    """Ids in hexadecimal. This form of etcdctl's writes clientURLS, shows no learners and leaves no field of a member out."""
    ids = {"cluster_id": f"{answer.header.cluster_id:x}", "member_id": f"{answer.header.member_id:x}"}
    members = [
        {
            "ID": f"{member.ID:x}",
            "name": member.name,
            "peerURLs": list(member.peerURLs) or None,
            "clientURLS": list(member.clientURLs) or None,
        }
        for member in answer.members
    ]
    return {"header": ids | message_value(answer.header) | ids, "members": members}
