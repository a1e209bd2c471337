"""How a call's end is written down: header blocks of answers and errors (gRPC over HTTP/2, "Responses")."""

from functools import lru_cache
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from raftkv.errors import Code
from raftkv.http2 import hpack
from raftkv.http2.hpack import Field

_PRINTABLE: Final = "".join(chr(octet) for octet in range(0x20, 0x7F) if octet != ord("%"))
MAX_TEXT: Final = 4096
"""Characters of a grpc-message: clients limit what metadata they take."""


class StatusBlocks:
    """The header blocks of one server's answers: constants, or made once per error and then remembered."""

    __slots__ = ("_extra", "error", "headers", "ok")

    def __init__(self, extra: tuple[Field, ...]) -> None:
        self._extra = extra
        self.headers = hpack.encode((*_head(HTTPStatus.OK), *extra))
        """Before the messages of an answer."""
        self.ok = trailers(Code.OK, "")
        """After them."""
        self.error = lru_cache(maxsize=256)(self._error)
        """(code, text) -> an answer without messages in one block, or with another HTTP status for what is not gRPC."""

    def _error(self, code: Code, text: str, http_status: int = HTTPStatus.OK, more: tuple[Field, ...] = ()) -> bytes:
        return hpack.encode((*_head(http_status), *self._extra, *more, *_status(code, text)))


def _head(http_status: int) -> tuple[Field, ...]:
    return ((":status", str(int(http_status))), ("content-type", "application/grpc"))


def _status(code: Code, text: str) -> tuple[Field, ...]:
    status = ("grpc-status", str(int(code)))
    return (status, ("grpc-message", encode_text(text))) if text else (status,)


def trailers(code: Code, text: str) -> bytes:
    """The block that ends an answer which has messages."""
    return hpack.encode(_status(code, text))


def encode_text(text: str) -> str:
    """grpc-message: UTF-8, and whatever is not printable ASCII in percent signs."""
    return quote(text[:MAX_TEXT], safe=_PRINTABLE)
