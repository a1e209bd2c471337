"""Plain puts, a key and a value and no more, read and encoded by hand: nearly all writes are, and every node applies every one.

What is made here is byte for byte what protobuf makes: fields in the order of their numbers, zeros left out.

    PutRequest   0A key 12 value                            and nothing behind
    KeyValue     0A key 10 create 18 mod 20 version 2A value 30 lease
"""

from raftkv.pb.kv import KeyValue

_KEY, _PUT_VALUE = 0x0A, 0x12
_CREATE, _MOD, _VERSION = 0x10, 0x18, 0x20
_MORE = 0x80

PlainPut = tuple[bytes, bytes]
"""Key and value."""


def varint(value: int) -> bytes:
    """A protobuf varint of a number that is not negative."""
    if value < _MORE:
        return bytes((value,))
    parts = bytearray()
    while value >= _MORE:
        parts.append(value & 0x7F | _MORE)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at `at`, and where it ends. Raises IndexError where the data ends before."""
    byte = data[at]
    at += 1
    if byte < _MORE:
        return byte, at
    value = byte & 0x7F
    shift = 7
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < _MORE:
            return value, at
        shift += 7


def read_plain_put(data: bytes, at: int) -> PlainPut | None:
    """The PutRequest that is the rest of `data` from `at` on; None where it has more to it than key and value."""
    end = len(data)
    if at >= end or data[at] != _KEY:
        return None
    length, at = read_varint(data, at + 1)
    key = data[at : at + length]
    at += length
    if at >= end:
        return (key, b"") if at == end else None
    if data[at] != _PUT_VALUE:
        return None
    length, at = read_varint(data, at + 1)
    return (key, data[at:]) if at + length == end else None


def plain_version(key: bytes, value: bytes, previous: bytes | None, revision: int) -> bytes:
    """The encoded KeyValue that a plain put makes of the one before it."""
    length = varint(len(key))
    stored = b"*" + varint(len(value)) + value if value else b""
    if previous is None:
        number = varint(revision)
        return b"\n" + length + key + b"\x10" + number + b"\x18" + number + b" \x01" + stored
    at = 1 + len(length) + len(key)
    create, at = _field(previous, at, _CREATE)
    _, at = _field(previous, at, _MOD)
    version, _ = _field(previous, at, _VERSION)
    return b"\n" + length + key + b"\x10" + varint(create) + b"\x18" + varint(revision) + b" " + varint(version + 1) + stored


def _field(data: bytes, at: int, tag: int) -> tuple[int, int]:
    assert data[at] == tag, f"a stored KeyValue without its field {tag >> 3}: {KeyValue.FromString(data)}"
    return read_varint(data, at + 1)
