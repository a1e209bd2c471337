"""From JSON to a message: a plan for each message type, made once from its descriptor.

Rules and texts are those of the jsonpb of etcd 3.5's gateway:
- a field goes by its name in the .proto file or by that in camelCase; unknown fields are passed over; null is nothing
- 64-bit and 32-bit integers are numbers or strings, enums names or numbers, bytes base64
- fields are read in the order of the .proto file, so the first error and the last of a oneof are the same here and there

google.protobuf.json_format is not for texts of strangers (CVE-2026-0994: it nests as deep as they like).
"""

import re
from collections.abc import Callable
from functools import cache
from math import isinf
from typing import Any, Final, NamedTuple

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from raftkv.gateway.base64_text import decode
from raftkv.gateway.json_text import JsonError, Number, whole_value

MAX_DEPTH: Final = 64
"""Messages within messages. protobuf's own parser takes 100 levels; what is read here must fit into a command of the log."""

Scalar = Callable[[Any], Any]

_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,19})")
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_OBJECT: Final = "map[string]json.RawMessage"
_KINDS: Final[dict[type, str]] = {dict: "object", list: "array", str: "string", Number: "number", bool: "bool"}
_ABSENT: Final = object()


class _Field(NamedTuple):
    """How one field is read."""

    name: str
    camel_name: str
    repeated: bool
    scalar: Scalar | None
    """None: a message."""
    plan: "Callable[[], Plan]"
    """That message's plan; asked for late, for types contain themselves."""


class Plan:
    """How messages of one type are read."""

    __slots__ = ("_fields",)

    def __init__(self, descriptor: Descriptor) -> None:
        self._fields = [_field(field) for field in descriptor.fields]

    def fill(self, message: Message, value: Any, depth: int = 1) -> None:
        """Sets what a JSON value says.

        Raises:
            JsonError: it does not fit.
        """
        if value is None:
            return
        if type(value) is not dict:
            raise _misfit(value, _OBJECT)
        if depth > MAX_DEPTH:
            raise JsonError(f"raftkv: messages are nested more than {MAX_DEPTH} deep")
        for field in self._fields:
            given = value.get(field.camel_name, _ABSENT)
            if given is _ABSENT:
                given = value.get(field.name)
            if given is not None:
                _set(message, field, given, depth)


@cache
def plan_of(descriptor: Descriptor) -> Plan:
    """The plan for a message type, whose descriptor lives as long as the process."""
    return Plan(descriptor)


def check(message_type: type[Message]) -> None:
    """Makes the plans of a type and of all that it contains. Raises TypeError where there can be none."""
    descriptor: Any = message_type.DESCRIPTOR
    waiting, seen = [descriptor], {descriptor.full_name}
    while waiting:
        current = waiting.pop()
        plan_of(current)
        for field in current.fields:
            part = field.message_type
            if part is not None and part.full_name not in seen:
                seen.add(part.full_name)
                waiting.append(part)


def _field(field: FieldDescriptor) -> _Field:
    message_type, repeated = field.message_type, field.is_repeated
    if message_type is None:
        return _Field(field.name, field.json_name, repeated, _scalar(field), _no_plan)
    if message_type.GetOptions().map_entry:
        raise TypeError(f"{field.full_name}: the gateway knows no maps")
    return _Field(field.name, field.json_name, repeated, None, lambda: plan_of(message_type))


def _no_plan() -> Plan:
    raise AssertionError("a scalar has no plan")


def _set(message: Message, field: _Field, given: Any, depth: int) -> None:
    if field.repeated:
        if type(given) is not list:
            raise _misfit(given, "[]json.RawMessage")
        elements = getattr(message, field.name)
        if field.scalar is not None:
            elements.extend([field.scalar(element) for element in given])
            return
        plan = field.plan()
        for element in given:
            plan.fill(elements.add(), element, depth + 1)
    elif field.scalar is not None:
        setattr(message, field.name, field.scalar(given))
    else:
        part = getattr(message, field.name)
        part.SetInParent()
        field.plan().fill(part, given, depth + 1)


# --- scalars --------------------------------------------------------------------------------------------------------


def _misfit(value: Any, go_type: str) -> JsonError:
    return JsonError(f"json: cannot unmarshal {_KINDS[type(value)]} into Go value of type {go_type}")


def _scalar(field: FieldDescriptor) -> Scalar:
    if field.enum_type is not None:
        return _enum(field.enum_type)
    if field.type not in _SCALARS:
        raise TypeError(f"{field.full_name}: the gateway does not know its type")
    return _SCALARS[field.type]


def _integer(bits: int, *, signed: bool, go_type: str = "") -> Scalar:
    name = go_type or f"{'int' if signed else 'uint'}{bits}"
    lowest, highest = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)

    def read(value: Any) -> int:
        if type(value) is str:
            value = Number(value) if _INTEGER.fullmatch(value) else whole_value(value)
        if value is None:
            return 0
        if type(value) is not Number:
            raise _misfit(value, name)
        if _INTEGER.fullmatch(value) and lowest <= (number := int(value)) <= highest:
            return number
        raise JsonError(f"json: cannot unmarshal number {value} into Go value of type {name}")

    return read


def _enum(enum: EnumDescriptor) -> Scalar:
    numbers = {value.name: value.number for value in enum.values}
    by_number = _integer(32, signed=True, go_type="protoreflect.EnumNumber")
    full_name = enum.full_name

    def read(value: Any) -> int:
        if type(value) is not str:
            return int(by_number(value))
        if value not in numbers:
            quoted = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
            raise JsonError(f"unknown value {_go_quoted(quoted)} for enum {full_name}")
        return numbers[value]

    return read


def _go_quoted(text: str) -> str:
    """As Go's %q."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise _misfit(value, "bool")
    return value


def _string(value: Any) -> str:
    if value is None:
        return ""
    if type(value) is not str:
        raise _misfit(value, "string")
    return _LONE_SURROGATE.sub("\ufffd", value)


def _bytes(value: Any) -> bytes:
    if value is None:
        return b""
    if type(value) is not str:
        raise _misfit(value, "[]uint8")
    return decode(value)


def _double(value: Any) -> float:
    if type(value) is str:
        if value in _NO_NUMBERS:
            return float(value)
        value = whole_value(value)
    if value is None:
        return 0.0
    if type(value) is not Number:
        raise _misfit(value, "float64")
    number = float(value)
    if isinf(number):
        raise JsonError(f"json: cannot unmarshal number {value} into Go value of type float64")
    return number


_NO_NUMBERS: Final = frozenset({"NaN", "Infinity", "-Infinity"})
_INT32, _UINT32 = _integer(32, signed=True), _integer(32, signed=False)
_INT64, _UINT64 = _integer(64, signed=True), _integer(64, signed=False)
_SCALARS: Final[dict[int, Scalar]] = {
    FieldDescriptor.TYPE_BOOL: _boolean,
    FieldDescriptor.TYPE_BYTES: _bytes,
    FieldDescriptor.TYPE_DOUBLE: _double,
    FieldDescriptor.TYPE_STRING: _string,
    FieldDescriptor.TYPE_INT32: _INT32,
    FieldDescriptor.TYPE_SINT32: _INT32,
    FieldDescriptor.TYPE_SFIXED32: _INT32,
    FieldDescriptor.TYPE_UINT32: _UINT32,
    FieldDescriptor.TYPE_FIXED32: _UINT32,
    FieldDescriptor.TYPE_INT64: _INT64,
    FieldDescriptor.TYPE_SINT64: _INT64,
    FieldDescriptor.TYPE_SFIXED64: _INT64,
    FieldDescriptor.TYPE_UINT64: _UINT64,
    FieldDescriptor.TYPE_FIXED64: _UINT64,
}
