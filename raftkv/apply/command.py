"""The body of a command: the request's own bytes behind the tag of its field in command.Command."""

from raftkv.pb.command import Command

_LENGTH_DELIMITED = 2


def _tag(field: str) -> bytes:
    number = Command.DESCRIPTOR.fields_by_name[field].number
    return _varint(number << 3 | _LENGTH_DELIMITED)


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


PUT = _tag("put")
DELETE_RANGE = _tag("delete_range")
TXN = _tag("txn")
COMPACT = _tag("compact")
ALARM = _tag("alarm")
SET_MEMBER = _tag("set_member")
CHANGE_MEMBER = _tag("change_member")
SET_DOWNGRADE = _tag("set_downgrade")


def body(tag: bytes, message: bytes) -> bytes:
    """An encoded message as the field of that tag."""
    return tag + _varint(len(message)) + message
