"""Header compression (RFC 7541).

The decoder is on the hot path: a gRPC client sends nearly the same fields with every call, as one byte each into the tables, and
perhaps one literal (the timeout) that shifts the others by one. So the dynamic table is a plain list, newest last, which turns
HPACK's index into a negative index of the list, and entries are shared tuples that the layers above recognise by identity.

The encoder is stateless: it uses the static table and literals, never the peer's dynamic table, so a block that was made once
is valid on every connection and at any time, and an answer's header blocks are constants.
"""

from collections.abc import Iterable
from typing import Final

from raftkv.http2 import huffman
from raftkv.http2.violation import CompressionError

Field = tuple[str, str]
"""Name and value, one character per octet (latin-1)."""

ENTRY_OVERHEAD: Final = 32
"""What each field weighs beside its octets, in table sizes and header list sizes (section 4.1, RFC 9113 section 6.5.2)."""

DEFAULT_TABLE_SIZE: Final = 4096
MAX_TABLE_SIZE_UPDATES: Final = 2
"""More than the smallest and the last size since the previous block say nothing (section 4.2)."""
MAX_INTEGER: Final = 1 << 28
"""No length or index that we could use is as large."""

SIZE_UPDATE_TO_ZERO: Final = b"\x20"
"""Tells the peer that this encoder keeps nothing in its dynamic table (section 6.3)."""

STATIC_TABLE: Final[tuple[Field, ...]] = (
    ("", ""),
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
)
"""Appendix A; the index counts from one."""

_LAST_STATIC: Final = 61
_NAME_INDEX: Final = {name: index for index, (name, _) in reversed(list(enumerate(STATIC_TABLE))) if index}
_FIELD_INDEX: Final = {field: index for index, field in enumerate(STATIC_TABLE) if index}


class Decoder:
    """One direction's decoding state.

    `changes` counts what altered the dynamic table: as long as it stands still, equal blocks decode to equal fields.

    Invariant: 0 <= _size <= _max_size <= _limit, and _size is the sum of the entries' lengths plus 32 each.
    """

    __slots__ = ("_limit", "_max_size", "_size", "_table", "changes")

    def __init__(self, table_size: int = DEFAULT_TABLE_SIZE) -> None:
        self._table: list[Field] = []
        self._size = 0
        self._max_size = table_size
        self._limit = table_size
        self.changes = 0

    def decode(self, block: bytes) -> list[Field]:
        """The fields of one complete header block, in order. Raises CompressionError."""
        fields: list[Field] = []
        append, table = fields.append, self._table
        at, end = 0, len(block)
        try:
            if end and block[0] & 0xE0 == 0x20:
                at = self._update_sizes(block)
            while at < end:
                byte = block[at]
                if byte < 0x80:
                    field, at = self._literal(block, at, byte)
                    append(field)
                elif byte != 0xFF:
                    at += 1
                    index = byte & 0x7F
                    append(STATIC_TABLE[index] if index <= _LAST_STATIC else table[_LAST_STATIC - index])
                    if not index:
                        raise CompressionError("index 0")
                else:
                    index, at = _integer(block, at, 0x7F)
                    append(table[_LAST_STATIC - index])
        except IndexError:
            raise CompressionError("a header block that ends early, or an index beyond the tables") from None
        return fields

    def _literal(self, block: bytes, at: int, byte: int) -> tuple[Field, int]:
        """A field whose value, and perhaps name, is spelled out (section 6.2)."""
        indexed = byte & 0x40
        if not indexed and byte & 0x20:
            raise CompressionError("a table size update after a field")
        index, at = _integer(block, at, 0x3F if indexed else 0x0F)
        if index:
            name = STATIC_TABLE[index][0] if index <= _LAST_STATIC else self._table[_LAST_STATIC - index][0]
        else:
            name, at = _string(block, at)
        value, at = _string(block, at)
        field = (name, value)
        if indexed:
            self._add(field)
        return field, at

    def _add(self, field: Field) -> None:
        """A new entry; the oldest make room (section 4.4). One larger than the table empties it."""
        self.changes += 1
        self._table.append(field)
        self._size += len(field[0]) + len(field[1]) + ENTRY_OVERHEAD
        if self._size > self._max_size:
            self._evict()

    def _evict(self) -> None:
        table, excess, count = self._table, self._size - self._max_size, 0
        while excess > 0:
            name, value = table[count]
            excess -= len(name) + len(value) + ENTRY_OVERHEAD
            count += 1
        del table[:count]
        self._size = self._max_size + excess

    def _update_sizes(self, block: bytes) -> int:
        """Table size updates stand only at the beginning of a block (section 4.2)."""
        at = count = 0
        while at < len(block) and block[at] & 0xE0 == 0x20:
            size, at = _integer(block, at, 0x1F)
            count += 1
            if size > self._limit or count > MAX_TABLE_SIZE_UPDATES:
                raise CompressionError("a table size update above the limit, or too many of them")
            self._max_size = size
            self.changes += 1
            self._evict()
        return at


def _integer(block: bytes, at: int, mask: int) -> tuple[int, int]:
    """An integer whose prefix fills `mask`, and where it ends (section 5.1)."""
    value = block[at] & mask
    at += 1
    if value != mask:
        return value, at
    shift = 0
    while True:
        byte = block[at]
        at += 1
        value += (byte & 0x7F) << shift
        if value > MAX_INTEGER or shift > 28:
            raise CompressionError("an integer that is too large")
        if byte < 0x80:
            return value, at
        shift += 7


def _string(block: bytes, at: int) -> tuple[str, int]:
    """A string literal, and where it ends (section 5.2)."""
    coded = block[at] & 0x80
    length, at = _integer(block, at, 0x7F)
    end = at + length
    octets = block[at:end]
    if len(octets) != length:
        raise CompressionError("a string that ends early")
    return str(huffman.decode(octets) if coded else octets, "latin-1"), end


def encode(fields: Iterable[Field]) -> bytes:
    """A header block that depends on no state: static table and literals without indexing (section 6.2.2)."""
    parts = []
    for name, value in fields:
        index = _FIELD_INDEX.get((name, value))
        if index:
            parts.append(bytes((0x80 | index,)))
            continue
        index = _NAME_INDEX.get(name, 0)
        parts.append(_encode_integer(index, 0x0F))
        if not index:
            parts.append(_encode_string(name))
        parts.append(_encode_string(value))
    return b"".join(parts)


def _encode_integer(value: int, mask: int) -> bytes:
    if value < mask:
        return bytes((value,))
    octets = bytearray((mask,))
    value -= mask
    while value >= 0x80:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    octets.append(value)
    return bytes(octets)


def _encode_string(text: str) -> bytes:
    octets = text.encode("latin-1")
    return _encode_integer(len(octets), 0x7F) + octets
