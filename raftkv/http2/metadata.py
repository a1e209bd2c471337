"""What request headers mean to gRPC: metadata, timeout, encodings (gRPC over HTTP/2, "Requests")."""

import base64
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from raftkv.errors import MalformedRequestError
from raftkv.http2.hpack import Field

RESERVED: Final = frozenset(
    {
        "content-type",
        "te",
        "grpc-timeout",
        "grpc-encoding",
        "grpc-accept-encoding",
        "grpc-message-type",
        "grpc-status",
        "grpc-message",
    }
)
"""Headers that belong to the protocol: handlers do not see them."""

_UNITS: Final = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
MAX_TIMEOUT_DIGITS: Final = 8


def parse_timeout(text: str) -> float:
    """Seconds of a grpc-timeout. Raises MalformedRequestError."""
    digits, unit = text[:-1], _UNITS.get(text[-1:])
    if unit is None or not 0 < len(digits) <= MAX_TIMEOUT_DIGITS or not (digits.isascii() and digits.isdigit()):
        raise MalformedRequestError(f"malformed grpc-timeout: {text!r}")
    return int(digits) * unit


def metadata(fields: Iterable[Field]) -> Mapping[str, str | bytes]:
    """What a handler sees; the last of equal names wins. Raises MalformedRequestError."""
    return MappingProxyType({name: value_of(name, value) for name, value in fields if name not in RESERVED})


def value_of(name: str, value: str) -> str | bytes:
    """Text, or the bytes of a `-bin` field: base64 with or without padding, the last of values joined by commas."""
    if not name.endswith("-bin"):
        return value
    last = value.rpartition(",")[2].strip()
    try:
        return base64.b64decode(last + "=" * (-len(last) % 4), validate=True)
    except ValueError:  # binascii.Error, or a character that is not ASCII
        raise MalformedRequestError(f"malformed binary metadata in header {name!r}") from None
