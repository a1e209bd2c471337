"""From a message to JSON, as etcd's gateway writes it.

Names are those of the .proto file; what is not set is left out; 64-bit integers are strings, bytes are base64, and enums are
their names.
"""

from binascii import b2a_base64
from collections.abc import Callable
from functools import cache
from json.encoder import encode_basestring_ascii
from math import isfinite, isnan
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

Out = list[str]
Writer = Callable[[Any, Out], None]

_EXACT: Final = 2.0**53
"""Below, every integer is a double."""


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
    writer = _SCALARS.get(field.type)
    if writer is None:
        raise TypeError(f"{field.full_name}: the gateway does not know its type")
    return writer


def _number(value: float) -> str:
    """A double; what JSON has no number for is a text, as in protobuf's JSON."""
    if isfinite(value):
        return repr(int(value)) if value.is_integer() and abs(value) < _EXACT else repr(value)
    return '"NaN"' if isnan(value) else '"Infinity"' if value > 0 else '"-Infinity"'


def _enum_writer(enum: EnumDescriptor) -> Writer:
    names = {value.number: f'"{value.name}"' for value in enum.values}
    return lambda value, out: out.append(names.get(value) or str(value))


def _quoted_integer(value: int, out: Out) -> None:
    out.append(f'"{value}"')


def _plain_integer(value: int, out: Out) -> None:
    out.append(str(value))


_SCALARS: Final[dict[int, Writer]] = {
    FieldDescriptor.TYPE_BOOL: lambda value, out: out.append("true" if value else "false"),
    FieldDescriptor.TYPE_BYTES: lambda value, out: out.append(f'"{b2a_base64(value, newline=False).decode()}"'),
    FieldDescriptor.TYPE_DOUBLE: lambda value, out: out.append(_number(value)),
    FieldDescriptor.TYPE_STRING: lambda value, out: out.append(encode_basestring_ascii(value)),
    FieldDescriptor.TYPE_INT32: _plain_integer,
    FieldDescriptor.TYPE_SINT32: _plain_integer,
    FieldDescriptor.TYPE_SFIXED32: _plain_integer,
    FieldDescriptor.TYPE_UINT32: _plain_integer,
    FieldDescriptor.TYPE_FIXED32: _plain_integer,
    FieldDescriptor.TYPE_INT64: _quoted_integer,
    FieldDescriptor.TYPE_SINT64: _quoted_integer,
    FieldDescriptor.TYPE_SFIXED64: _quoted_integer,
    FieldDescriptor.TYPE_UINT64: _quoted_integer,
    FieldDescriptor.TYPE_FIXED64: _quoted_integer,
}
