"""Random messages of any type, from their descriptors: plausible ones, hostile ones, and bytes that are none."""

import random
from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

MAX_DEPTH = 6
KEYS = (b"", b"\0", b"a", b"b", b"ab", b"a\xff", b"\xff", b"\xff\xff", b"lock/", b"x" * 300)
VALUES = (*KEYS, b"v" * 5000)
WORDS = ("", "root", "alice", "r", "a", "\0", "é", "http://127.0.0.1:1", "https://[::1]:2", "htp:/x", "3.5.0", "3.6", "x" * 300)
SMALL = (0, 0, 1, 1, 2, 3, 5, 10, -1)
EDGES = (2**31 - 1, 2**31, 2**32, 2**62, 2**63 - 1, -(2**31), -(2**63))
_TYPES = FieldDescriptor

Value = Callable[[random.Random], Any]


def _signed(bits: int) -> Value:
    return lambda chance: _within(chance.choice(SMALL if chance.random() < 0.8 else EDGES), -(2 ** (bits - 1)), 2 ** (bits - 1))


def _unsigned(bits: int) -> Value:
    return lambda chance: _within(chance.choice(SMALL if chance.random() < 0.8 else EDGES), 0, 2**bits)


def _within(number: int, low: int, end: int) -> int:
    return (number - low) % (end - low) + low


_SCALARS: dict[int, Value] = {
    _TYPES.TYPE_INT64: _signed(64),
    _TYPES.TYPE_SINT64: _signed(64),
    _TYPES.TYPE_INT32: _signed(32),
    _TYPES.TYPE_UINT64: _unsigned(64),
    _TYPES.TYPE_FIXED64: _unsigned(64),
    _TYPES.TYPE_UINT32: _unsigned(32),
    _TYPES.TYPE_FIXED32: _unsigned(32),
    _TYPES.TYPE_BOOL: lambda chance: chance.random() < 0.5,
    _TYPES.TYPE_BYTES: lambda chance: (
        chance.choice(VALUES) if chance.random() < 0.9 else chance.randbytes(chance.randrange(20))
    ),
    _TYPES.TYPE_STRING: lambda chance: chance.choice(WORDS),
    _TYPES.TYPE_DOUBLE: lambda chance: chance.choice((0.0, 1.5, float("inf"), float("nan"))),
}


def message(descriptor: Any, chance: random.Random, depth: int = 0) -> Message:
    """A message with each field set, or not; recursive ones end at MAX_DEPTH."""
    made: Message = GetMessageClass(descriptor)()
    chosen = {oneof.name: chance.choice(oneof.fields).name for oneof in descriptor.oneofs}
    for field in descriptor.fields:
        oneof = field.containing_oneof
        wanted = chosen[oneof.name] == field.name if oneof is not None else True
        if not wanted or chance.random() < 0.3 or (field.message_type is not None and depth >= MAX_DEPTH):
            continue
        if field.is_repeated:
            for _ in range(_length(chance, depth)):
                _append(made, field, chance, depth)
        elif field.message_type is not None:
            getattr(made, field.name).CopyFrom(message(field.message_type, chance, depth + 1))
        else:
            setattr(made, field.name, _scalar(field, chance))
    return made


def _length(chance: random.Random, depth: int) -> int:
    return chance.choice((0, 1, 1, 2, 3)) if depth or chance.random() < 0.98 else 130


def _append(made: Message, field: FieldDescriptor, chance: random.Random, depth: int) -> None:
    repeated: Any = getattr(made, field.name)
    if field.message_type is not None:
        repeated.add().CopyFrom(message(field.message_type, chance, depth + 1))
    else:
        repeated.append(_scalar(field, chance))


def _scalar(field: FieldDescriptor, chance: random.Random) -> Any:
    if field.enum_type is not None:
        numbers: Sequence[int] = [value.number for value in field.enum_type.values]
        return chance.choice(numbers) if chance.random() < 0.9 else chance.choice((99, -1, 2**31 - 1))
    return _SCALARS[field.type](chance)


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Bytes that were a message."""
    form = chance.randrange(5)
    if form == 0:
        return chance.randbytes(chance.randrange(60))
    if form == 1:
        return data[: chance.randrange(len(data) + 1)]
    if form == 2 and data:
        at = chance.randrange(len(data))
        return data[:at] + bytes((data[at] ^ (1 << chance.randrange(8)),)) + data[at + 1 :]
    if form == 3:
        at = chance.randrange(len(data) + 1)
        return data[:at] + chance.randbytes(4) + data[at:]
    return data + b"\x0a\xff\xff\xff\xff\x0f"  # a field that is longer than everything
