"""JSON text to Python values, as Go's encoding/json reads it, for etcd's gateway is its reader.

A number stays its literal, for only the field it is meant for knows what it may be. What follows the first value is the
caller's affair. Python's C scanner reads; only when it refuses, `syntax` says why in Go's words.
"""

import json
import re
from typing import Any, Final

from raftkv.errors import InvalidArgumentError
from raftkv.gateway.syntax import STREAM_ENDS, TEXT_ENDS, Explanation, explain

MAX_COMMAS: Final = 100_000
"""A request with more values than this is no request of ours, and would hold up everybody's event loop."""
MAX_EXPLAINED_BYTES: Final = 64 * 1024
"""In longer texts errors are not searched for, for that takes longer than reading them."""
TOO_DEEP: Final = "invalid character '[' exceeded max depth"

_NOT_SPACE: Final = re.compile(r"[^ \t\r\n]")


class JsonError(InvalidArgumentError):
    """The text is not JSON, or not the JSON of the message that it should be."""


class Number(str):
    """The literal of a number."""

    __slots__ = ()


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


_DECODER: Final = json.JSONDecoder(parse_int=Number, parse_float=Number, parse_constant=_refuse_constant)


def first_value(data: bytes) -> Any:
    """The first JSON value of a text; None where there is none.

    Raises:
        JsonError: it is not well formed.
    """
    text = _text(data)
    begin = _NOT_SPACE.search(text)
    if begin is None:
        return None
    return _read(data, text, begin.start(), STREAM_ENDS)[0]


def whole_value(text: str) -> Any:
    """The one JSON value that a text is: for numbers in quotes.

    Raises:
        JsonError: it is not well formed, or not alone.
    """
    data = text.encode("utf-8", "replace")
    begin = _NOT_SPACE.search(text)
    if begin is None:
        raise JsonError(TEXT_ENDS)
    value, end = _read(data, text, begin.start(), TEXT_ENDS)
    more = _NOT_SPACE.search(text, end)
    if more is not None:
        raise JsonError(Explanation(more[0].encode("utf-8", "replace")[0], "after top-level value").text)
    return value


def _text(data: bytes) -> str:
    """Bytes that are not UTF-8 become U+FFFD, as in Go. Raises JsonError."""
    if data.count(b",") > MAX_COMMAS:
        raise JsonError("raftkv: too many values in one request")
    return data.decode("utf-8", "replace")


def _read(data: bytes, text: str, begin: int, at_end: str) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(text, begin)
    except RecursionError:
        raise JsonError(TOO_DEEP) from None
    except ValueError:
        if len(data) > MAX_EXPLAINED_BYTES:
            raise JsonError("raftkv: the request is not well-formed JSON") from None
        raise JsonError(explain(data, at_end)) from None
