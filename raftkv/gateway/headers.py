"""What HTTP headers mean to a call.

Authorization          the metadata authorization: the caller's token
Sec-WebSocket-Protocol Bearer, <token>: the same, for browsers, which let a page set no other header of a WebSocket
Grpc-Metadata-<Name>   the metadata <name>
Grpc-Timeout           when the caller gives up
Raftkv-<Name>          the metadata raftkv-<name>
Traceparent            the metadata traceparent: whose trace the request belongs to
Origin                 a web page asks: it may do so only of the host that it came from
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from raftkv.errors import InvalidArgumentError, MalformedRequestError, PermissionDeniedError
from raftkv.http2.metadata import RESERVED, parse_timeout, value_of
from raftkv.tracing.context import TRACEPARENT

METADATA_PREFIX: Final = "grpc-metadata-"
OWN_PREFIX: Final = "raftkv-"
AUTHORIZATION: Final = "authorization"
TAKEN_OVER: Final = frozenset({AUTHORIZATION, TRACEPARENT})
SOCKET_PROTOCOLS: Final = "Sec-WebSocket-Protocol"
BEARER: Final = "Bearer"


def metadata(headers: Mapping[str, str]) -> Mapping[str, str | bytes]:
    """What a handler sees.

    Raises:
        InvalidArgumentError: a binary header is not base64.
    """
    found: dict[str, str | bytes] = {}
    scheme, _, token = headers.get(SOCKET_PROTOCOLS, "").partition(",")
    if scheme.strip() == BEARER:
        found[AUTHORIZATION] = f"{BEARER} {token.strip()}"
    for header, value in headers.items():
        name = header.lower()
        if name.startswith(METADATA_PREFIX):
            name = name.removeprefix(METADATA_PREFIX)
        elif name not in TAKEN_OVER and not name.startswith(OWN_PREFIX):
            continue
        if name in RESERVED:
            continue
        try:
            found[name] = value_of(name, value)
        except MalformedRequestError:
            raise InvalidArgumentError(f"invalid binary header {header}") from None
    return found


def timeout_s(headers: Mapping[str, str]) -> float | None:
    """How long the caller waits; None: for ever.

    Raises:
        InvalidArgumentError: the header says something else.
    """
    text = headers.get("Grpc-Timeout")
    if not text:
        return None
    try:
        return parse_timeout(text)
    except MalformedRequestError:
        raise InvalidArgumentError(f"invalid grpc-timeout: {text}") from None


def check_origin(headers: Mapping[str, str]) -> None:
    """Refuses what a browser sends on behalf of another site (CSRF, CVE-2018-1098): it always says for whom it asks.

    Raises:
        PermissionDeniedError: another site's page asks.
    """
    origin = headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc.lower() != headers.get("Host", "").lower():
        raise PermissionDeniedError("raftkv: requests of other sites' pages are refused")
