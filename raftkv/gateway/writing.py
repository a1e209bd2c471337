"""From a message to JSON, as etcd's gateway writes it.

Names are those of the .proto file; what is not set is left out; 64-bit integers are strings, bytes are base64, and enums are
their names.
"""

from binascii import b2a_base64
from collections.abc import Callable
from functools import cache
from json.encoder import encode_basestring_ascii
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

Out = list[str]
Writer = Callable[[Any, Out], None]

_QUOTED_INTEGERS: Final = frozenset(
    {
        FieldDescriptor.TYPE_INT64,
        FieldDescriptor.TYPE_UINT64,
        FieldDescriptor.TYPE_SINT64,
        FieldDescriptor.TYPE_FIXED64,
        FieldDescriptor.TYPE_SFIXED64,
    }
)
_PLAIN_INTEGERS: Final = frozenset(
    {
        FieldDescriptor.TYPE_INT32,
        FieldDescriptor.TYPE_UINT32,
        FieldDescriptor.TYPE_SINT32,
        FieldDescriptor.TYPE_FIXED32,
        FieldDescriptor.TYPE_SFIXED32,
    }
)


def to_json(message: Message) -> str:
    """The message as one line of JSON."""
    out: Out = []
    _write(message, out)
    return "".join(out)


def check(message_type: type[Message]) -> None:
    """Makes the writers of a type and of all that it contains. Raises TypeError where there is none."""
    descriptor: Any = message_type.DESCRIPTOR
    waiting, seen = [descriptor], {descriptor.full_name}
    while waiting:
        current = waiting.pop()
        _writers(current)
        for field in current.fields:
            part = field.message_type
            if part is not None and part.full_name not in seen:
                seen.add(part.full_name)
                waiting.append(part)


def _write(message: Message, out: Out) -> None:
    writers = _writers(message.DESCRIPTOR)
    opening = "{"
    for field, value in message.ListFields():
        name, write = writers[field.number]
        out.append(opening + name)
        write(value, out)
        opening = ","
    out.append("}" if opening == "," else "{}")


@cache
def _writers(descriptor: Descriptor) -> dict[int, tuple[str, Writer]]:
    """By number: the field's name with a colon, and how its value is written."""
    return {field.number: (f'"{field.name}":', _writer(field)) for field in descriptor.fields}


def _writer(field: FieldDescriptor) -> Writer:
    one = _write if field.message_type is not None else _scalar_writer(field)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        raise TypeError(f"{field.full_name}: the gateway knows no maps")
    if not field.is_repeated:
        return one

    def write_all(values: Any, out: Out) -> None:
        opening = "["
        for value in values:
            out.append(opening)
            one(value, out)
            opening = ","
        out.append("]")

    return write_all


def _scalar_writer(field: FieldDescriptor) -> Writer:
    if field.enum_type is not None:
        return _enum_writer(field.enum_type)
    if field.type in _QUOTED_INTEGERS:
        return lambda value, out: out.append(f'"{value}"')
    if field.type in _PLAIN_INTEGERS:
        return lambda value, out: out.append(str(value))
    if field.type == FieldDescriptor.TYPE_BOOL:
        return lambda value, out: out.append("true" if value else "false")
    if field.type == FieldDescriptor.TYPE_STRING:
        return lambda value, out: out.append(encode_basestring_ascii(value))
    if field.type == FieldDescriptor.TYPE_BYTES:
        return lambda value, out: out.append(f'"{b2a_base64(value, newline=False).decode()}"')
    raise TypeError(f"{field.full_name}: the gateway does not know its type")


def _enum_writer(enum: EnumDescriptor) -> Writer:
    names = {value.number: f'"{value.name}"' for value in enum.values}
    return lambda value, out: out.append(names.get(value) or str(value))
