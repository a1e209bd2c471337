"""A call as such: what it says of itself, how it ended, and what a client may conclude from that."""

from raftkv.errors.root import Code, InvalidArgumentError, RequestError


class MalformedRequestError(RequestError):
    """The bytes of the request do not parse as its message type."""

    code = Code.INTERNAL
    text = "raftkv: malformed request message"


class MessageTooLargeError(RequestError):
    """A message above what the transport takes; the text says both sizes."""

    code = Code.RESOURCE_EXHAUSTED


class InvalidClientVersionError(InvalidArgumentError):
    """The metadata client-api-version is not text."""

    text = "etcdserver: invalid client api version"


class InvalidRequestIdError(InvalidArgumentError):
    """The metadata raftkv-request-id does not read as client id and sequence."""

    text = "raftkv: invalid request id"


class InvalidStalenessError(InvalidArgumentError):
    """The metadata raftkv-max-staleness-ms is not a number of milliseconds."""

    text = "raftkv: invalid max staleness"


class RequestIdExpiredError(RequestError):
    """A retry of a request so old that whether it was applied is no longer known here."""

    code = Code.FAILED_PRECONDITION
    text = "raftkv: request id expired, its outcome is no longer known"


class AnswerNotKeptError(RequestError):
    """A retry of a request that was applied, whose answer was too large to be kept."""

    code = Code.FAILED_PRECONDITION
    text = "raftkv: request was already applied, its answer was too large to be kept"


class TooManyRequestsError(RequestError):
    """The node is behind with applying what is committed, or has too many requests in hand."""

    code = Code.RESOURCE_EXHAUSTED
    text = "etcdserver: too many requests"
    retryable = True


class DeadlineExceededError(RequestError):
    """The client's own deadline passed; a write may still be applied."""

    code = Code.DEADLINE_EXCEEDED
    text = "context deadline exceeded"


class CallCancelledError(RequestError):
    """The call ended before its answer, and not by its client."""

    code = Code.CANCELLED
    text = "raftkv: call cancelled"


class UnimplementedError(RequestError):
    """No such method, or an option that this server does not offer."""

    code = Code.UNIMPLEMENTED


class OutcomeUnknownError(RequestError):
    """A write that was sent and got no answer that says what became of it: it may have been applied, or still be."""

    text = "raftkv: the outcome of the write is unknown"


class WriteTimeoutError(OutcomeUnknownError, DeadlineExceededError):
    """The deadline passed after the write was sent: it may have been applied, or still be."""

    code = Code.DEADLINE_EXCEEDED
