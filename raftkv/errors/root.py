"""The trunk of the tree: gRPC's codes, and the errors that say what kind of failure it is."""

from enum import IntEnum
from typing import ClassVar


class Code(IntEnum):
    """The gRPC status codes (grpc.github.io, statuscodes)."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class RaftKVError(Exception):
    """The root of everything that raftkv raises on purpose."""

    retryable: ClassVar[bool] = False


class RequestError(RaftKVError):
    """A request that is answered with an error: `code` and `text` go to the client as they are."""

    code: Code = Code.UNKNOWN
    text: ClassVar[str] = ""

    def __init__(self, text: str | None = None, *, code: Code | None = None) -> None:
        """`text` and `code` are the class's own where not given; a client that meets a status without a class gives both."""
        super().__init__(text if text is not None else self.text)
        if code is not None:
            self.code = code


class InvalidArgumentError(RequestError):
    """The request cannot be right at any time."""

    code = Code.INVALID_ARGUMENT


class UnavailableError(RequestError):
    """The request may succeed a moment later, here or at another node."""

    code = Code.UNAVAILABLE
    retryable = True


class NotAllowedError(RequestError):
    """Refused for who asks, not for what: nothing was done, and another user, or the same with a fresh token, may succeed."""
