"""Request heads: header blocks turned into method, path and fields (RFC 9113, section 8.3.1).

Clients send nearly the same head with each call. A head is checked and taken apart once and then recognised: by its block, as long
as the compression table stands still, else by its fields. The volatile fields, those that differ from call to call, are
set aside first.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

from raftkv.http2.frames import ErrorCode
from raftkv.http2.hpack import ENTRY_OVERHEAD, Decoder, Field
from raftkv.http2.violation import StreamProtocolError

VOLATILE: Final = frozenset({"grpc-timeout", "raftkv-request-id", "traceparent", "tracestate"})
MAX_KNOWN_HEADS: Final = 64
MAX_CACHED_BLOCK: Final = 1024

_NAME = re.compile(r":?[!-9;-@\[-~]+")
_BAD_VALUE = re.compile(r"[\0\r\n]|^[ \t]|[ \t]\Z")
_CONNECTION_SPECIFIC = frozenset({"connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"})
_PSEUDO = frozenset({":method", ":scheme", ":authority", ":path"})


class RequestHead:
    """What stays the same from one call of a method to the next on a connection."""

    __slots__ = ("authority", "content_length", "fields", "method", "oversized", "path", "pseudo_count", "route")

    def __init__(
        self, pseudo: dict[str, str], fields: tuple[Field, ...], *, content_length: int, oversized: bool = False
    ) -> None:
        self.method = pseudo[":method"]
        self.path = pseudo.get(":path", "")
        self.authority = pseudo.get(":authority", "")
        self.pseudo_count = len(pseudo)
        self.fields = fields
        """The regular fields, but the volatile ones."""
        self.content_length = content_length
        """-1: not given."""
        self.oversized = oversized
        """More than SETTINGS_MAX_HEADER_LIST_SIZE allows: to be answered with an error."""
        self.route: Any = None
        """Room for the layer above to keep what it found out about this head."""


class HeadReader:
    """Header blocks in, request heads out: one per connection, for the blocks depend on each other."""

    __slots__ = ("_blocks", "_decoder", "_heads", "_max_list_size")

    def __init__(self, max_list_size: int) -> None:
        self._decoder = Decoder()
        self._max_list_size = max_list_size
        self._blocks: dict[bytes, tuple[RequestHead, tuple[Field, ...]]] = {}
        """Valid only as long as the decoder's table does not change."""
        self._heads: dict[tuple[Field, ...], RequestHead] = {}

    def read(self, block: bytes) -> tuple[RequestHead, tuple[Field, ...]]:
        """The head, and the volatile fields. Raises CompressionError, or StreamProtocolError for a malformed request."""
        known = self._blocks.get(block)
        if known is not None:
            return known
        decoder = self._decoder
        changes = decoder.changes
        fields = decoder.decode(block)
        if decoder.changes != changes:
            self._blocks.clear()
        if len(fields) * ENTRY_OVERHEAD > self._max_list_size:
            return _oversized(fields), ()
        stable = tuple([field for field in fields if field[0] not in VOLATILE])
        volatile = () if len(stable) == len(fields) else self._volatile(fields)
        head = self._heads.get(stable) or self._parse(fields, stable)
        if volatile and not head.oversized and fields[head.pseudo_count - 1] != stable[head.pseudo_count - 1]:
            raise _malformed("a pseudo-header field after a regular one")
        if decoder.changes == changes and len(block) <= MAX_CACHED_BLOCK:
            if len(self._blocks) >= MAX_KNOWN_HEADS:
                self._blocks.clear()
            self._blocks[block] = head, volatile
        return head, volatile

    def trailers(self, block: bytes) -> None:
        """Checks trailers: only regular fields (section 8.1). gRPC clients have nothing to say in them."""
        fields = self._decoder.decode(block)
        self._blocks.clear()
        if _size(fields) > self._max_list_size:
            raise StreamProtocolError(ErrorCode.ENHANCE_YOUR_CALM, "trailers that are too large")
        for name, value in fields:
            _check_field(name, value)
            if name[0] == ":":
                raise _malformed("a pseudo-header field in trailers")

    def _volatile(self, fields: Sequence[Field]) -> tuple[Field, ...]:
        volatile = tuple([field for field in fields if field[0] in VOLATILE])
        for _, value in volatile:
            _check_value(value)
        return volatile

    def _parse(self, fields: Sequence[Field], stable: tuple[Field, ...]) -> RequestHead:
        if _size(fields) > self._max_list_size:
            return _oversized(fields)
        pseudo, regular = _check_head(fields)
        regular_and_stable = tuple([field for field in regular if field[0] not in VOLATILE])
        head = RequestHead(pseudo, regular_and_stable, content_length=_content_length(regular))
        if len(self._heads) >= MAX_KNOWN_HEADS:
            self._heads.clear()
        self._heads[stable] = head
        return head


def _size(fields: Sequence[Field]) -> int:
    return sum([len(name) + len(value) + ENTRY_OVERHEAD for name, value in fields])


def _oversized(fields: Sequence[Field]) -> RequestHead:
    """Not checked any further: a block of a few bytes can refer to megabytes."""
    pseudo = {name: value for name, value in fields if name in _PSEUDO}
    return RequestHead({":method": "", **pseudo}, (), content_length=-1, oversized=True)


def _malformed(text: str) -> StreamProtocolError:
    return StreamProtocolError(ErrorCode.PROTOCOL_ERROR, text)


def _check_field(name: str, value: str) -> None:
    """Sections 8.2.1 and 8.2.2."""
    if not _NAME.fullmatch(name):
        raise _malformed("a field name with characters that are not allowed")
    _check_value(value)
    if name in _CONNECTION_SPECIFIC or (name == "te" and value != "trailers"):
        raise _malformed(f"the connection-specific field {name}")


def _check_value(value: str) -> None:
    if _BAD_VALUE.search(value):
        raise _malformed("a field value with characters that are not allowed")


def _check_head(fields: Sequence[Field]) -> tuple[dict[str, str], list[Field]]:
    """Pseudo-header and regular fields of a request (section 8.3)."""
    pseudo: dict[str, str] = {}
    regular: list[Field] = []
    for name, value in fields:
        _check_field(name, value)
        if name[0] != ":":
            regular.append((name, value))
        elif regular:
            raise _malformed("a pseudo-header field after a regular one")
        elif name not in _PSEUDO or name in pseudo:
            raise _malformed("an unknown or repeated pseudo-header field")
        else:
            pseudo[name] = value
    _check_pseudo(pseudo)
    authority = pseudo.get(":authority")
    if authority is not None and any(name == "host" and value != authority for name, value in regular):
        raise _malformed("host and :authority differ")
    return pseudo, regular


def _check_pseudo(pseudo: dict[str, str]) -> None:
    """Section 8.3.1, and 8.5 for CONNECT."""
    method = pseudo.get(":method")
    if method == "CONNECT":
        if ":scheme" in pseudo or ":path" in pseudo or not pseudo.get(":authority"):
            raise _malformed("CONNECT takes :authority and neither :scheme nor :path")
        return
    path = pseudo.get(":path", "")
    if not method or not pseudo.get(":scheme") or not (path[:1] == "/" or (path == "*" and method == "OPTIONS")):
        raise _malformed("a request needs :method, :scheme and :path")


def _content_length(fields: Sequence[Field]) -> int:
    lengths = {value for name, value in fields if name == "content-length"}
    if not lengths:
        return -1
    text = lengths.pop()
    if lengths or not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise _malformed("an impossible content-length")
    return int(text)
