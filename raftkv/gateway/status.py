"""How a call's end looks in HTTP: the status of each gRPC code, and the bodies (grpc-gateway 1.16)."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from raftkv.errors import Code, RequestError

HTTP_STATUS: Final[Mapping[Code, HTTPStatus]] = {
    Code.OK: HTTPStatus.OK,
    Code.CANCELLED: HTTPStatus.REQUEST_TIMEOUT,
    Code.UNKNOWN: HTTPStatus.INTERNAL_SERVER_ERROR,
    Code.INVALID_ARGUMENT: HTTPStatus.BAD_REQUEST,
    Code.DEADLINE_EXCEEDED: HTTPStatus.GATEWAY_TIMEOUT,
    Code.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Code.ALREADY_EXISTS: HTTPStatus.CONFLICT,
    Code.PERMISSION_DENIED: HTTPStatus.FORBIDDEN,
    Code.RESOURCE_EXHAUSTED: HTTPStatus.TOO_MANY_REQUESTS,
    Code.FAILED_PRECONDITION: HTTPStatus.BAD_REQUEST,
    Code.ABORTED: HTTPStatus.CONFLICT,
    Code.OUT_OF_RANGE: HTTPStatus.BAD_REQUEST,
    Code.UNIMPLEMENTED: HTTPStatus.NOT_IMPLEMENTED,
    Code.INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
    Code.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.DATA_LOSS: HTTPStatus.INTERNAL_SERVER_ERROR,
    Code.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
}


def error_body(error: RequestError) -> str:
    """The answer to a call that failed."""
    text = str(error)
    return json.dumps({"error": text, "code": int(error.code), "message": text}, separators=(",", ":"))


def error_line(error: RequestError) -> str:
    """The last line of a stream that failed."""
    status = HTTP_STATUS[error.code]
    reason = {
        "grpc_code": int(error.code),
        "http_code": int(status),
        "message": str(error),
        "http_status": status.phrase,
    }
    return json.dumps({"error": reason}, separators=(",", ":")) + "\n"
