"""TCPStore's protocol: bytes to requests, answers to bytes; nothing in here waits.

A request is one byte, the query, and its arguments; integers are little-endian, a key or value is its length (u64) and its
bytes. Requests that change something without an answer (SET, APPEND, MULTI_SET, QUEUE_PUSH) are ordered by the connection alone.
After torch/csrc/distributed/c10d/TCPStoreBackend.hpp and TCPStoreLibUvBackend.cpp, torch 2.13.
"""

from collections.abc import Callable, Iterable
from enum import IntEnum
from struct import Struct
from typing import NamedTuple

from raftkv.errors import RaftKVError

MAGIC = 0x3C85F7CE
"""What the client sends with VALIDATE."""
MAX_REQUEST_BYTES = 64 * 1024 * 1024
MAX_KEYS = 1 << 20
"""In one request."""

_u32 = Struct("<I")
_u64 = Struct("<Q")
_i64 = Struct("<q")


class Query(IntEnum):
    """The first byte of a request."""

    VALIDATE = 0
    SET = 1
    COMPARE_SET = 2
    GET = 3
    ADD = 4
    CHECK = 5
    WAIT = 6
    GETNUMKEYS = 7
    DELETE_KEY = 8
    APPEND = 9
    MULTI_GET = 10
    MULTI_SET = 11
    CANCEL_WAIT = 12
    PING = 13
    QUEUE_PUSH = 14
    QUEUE_POP = 15
    QUEUE_LEN = 16
    LIST_KEYS = 17


STOP_WAITING = b"\0"
WAIT_CANCELED = b"\1"
READY = b"\0"
NOT_READY = b"\1"


class Request(NamedTuple):
    """One request. MULTI_SET has as many values as keys; COMPARE_SET's values are the expected and the new one."""

    query: Query
    keys: tuple[bytes, ...] = ()
    values: tuple[bytes, ...] = ()
    number: int = 0
    """VALIDATE: the magic; PING: the nonce; ADD: the amount."""


class ProtocolError(RaftKVError):
    """A client of a TCPStore sent what no such client sends."""


class _Incomplete(Exception):  # noqa: N818  # no error: more bytes are to come
    pass


class Decoder:
    """Bytes in, requests out."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._at = 0

    def feed(self, data: bytes) -> None:
        """Takes what has arrived."""
        self._buffer += data

    def next(self) -> Request | None:
        """The next request, or None until more has arrived.

        Raises:
            ProtocolError: No request looks like that; nothing can be said about what follows.
        """
        if self._at == len(self._buffer):
            return None
        start = self._at
        code = self._buffer[start]
        if code > Query.LIST_KEYS:
            raise ProtocolError(f"there is no query {code}")
        query = Query(code)
        self._at = start + 1
        try:
            request = _SHAPES[query](self, query)
        except _Incomplete:
            self._at = start
            self._forget()
            return None
        if self._at == len(self._buffer):
            self._forget()
        return request

    def _forget(self) -> None:
        """Gives up what was read."""
        del self._buffer[: self._at]
        self._at = 0

    def unpack(self, shape: Struct) -> int:
        """An integer."""
        end = self._at + shape.size
        if end > len(self._buffer):
            raise _Incomplete
        value: int = shape.unpack_from(self._buffer, self._at)[0]
        self._at = end
        return value

    def data(self) -> bytes:
        """A key or value."""
        length = self.unpack(_u64)
        if length > MAX_REQUEST_BYTES:
            raise ProtocolError(f"{length} bytes are more than the {MAX_REQUEST_BYTES} that are taken")
        end = self._at + length
        if end > len(self._buffer):
            raise _Incomplete
        value = bytes(memoryview(self._buffer)[self._at : end])
        self._at = end
        return value

    def count(self) -> int:
        """How many keys follow."""
        number = self.unpack(_u64)
        if number > MAX_KEYS:
            raise ProtocolError(f"{number} keys are more than the {MAX_KEYS} that are taken")
        return number


def _alone(_decoder: Decoder, query: Query) -> Request:
    return Request(query)


def _nonce(decoder: Decoder, query: Query) -> Request:
    return Request(query, number=decoder.unpack(_u32))


def _key(decoder: Decoder, query: Query) -> Request:
    return Request(query, (decoder.data(),))


def _key_value(decoder: Decoder, query: Query) -> Request:
    return Request(query, (decoder.data(),), (decoder.data(),))


def _key_two_values(decoder: Decoder, query: Query) -> Request:
    return Request(query, (decoder.data(),), (decoder.data(), decoder.data()))


def _key_number(decoder: Decoder, query: Query) -> Request:
    return Request(query, (decoder.data(),), number=decoder.unpack(_i64))


def _keys(decoder: Decoder, query: Query) -> Request:
    return Request(query, tuple(decoder.data() for _ in range(decoder.count())))


def _pairs(decoder: Decoder, query: Query) -> Request:
    pairs = [(decoder.data(), decoder.data()) for _ in range(decoder.count())]
    return Request(query, tuple(key for key, _ in pairs), tuple(value for _, value in pairs))


_SHAPES: dict[Query, Callable[[Decoder, Query], Request]] = {
    Query.VALIDATE: _nonce,
    Query.SET: _key_value,
    Query.COMPARE_SET: _key_two_values,
    Query.GET: _key,
    Query.ADD: _key_number,
    Query.CHECK: _keys,
    Query.WAIT: _keys,
    Query.GETNUMKEYS: _alone,
    Query.DELETE_KEY: _key,
    Query.APPEND: _key_value,
    Query.MULTI_GET: _keys,
    Query.MULTI_SET: _pairs,
    Query.CANCEL_WAIT: _alone,
    Query.PING: _nonce,
    Query.QUEUE_PUSH: _key_value,
    Query.QUEUE_POP: _key,
    Query.QUEUE_LEN: _key,
    Query.LIST_KEYS: _alone,
}


def encode(request: Request) -> bytes:
    """As a client sends it."""
    parts = [bytes((request.query,))]
    shape = _SHAPES[request.query]
    if shape is _nonce:
        parts.append(_u32.pack(request.number))
    elif shape is _pairs:
        parts.append(_u64.pack(len(request.keys)))
        for key, value in zip(request.keys, request.values, strict=True):
            parts += encode_bytes(key), encode_bytes(value)
    else:
        if shape is _keys:
            parts.append(_u64.pack(len(request.keys)))
        parts += map(encode_bytes, (*request.keys, *request.values))
        if shape is _key_number:
            parts.append(_i64.pack(request.number))
    return b"".join(parts)


def encode_bytes(value: bytes) -> bytes:
    """A key or value."""
    return _u64.pack(len(value)) + value


def encode_number(number: int) -> bytes:
    """The answer to what counts."""
    return _i64.pack(number)


def encode_nonce(nonce: int) -> bytes:
    """The answer to PING."""
    return _u32.pack(nonce)


def encode_list(values: Iterable[bytes]) -> bytes:
    """The answer to LIST_KEYS."""
    listed = list(values)
    return b"".join((_u64.pack(len(listed)), *map(encode_bytes, listed)))
