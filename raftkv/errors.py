"""Every error that raftkv raises, in one tree.

Three branches: the caller is wrong or out of luck (`RequestError`: it has a gRPC code and etcd's exact text, for clients
match on the text), the world is wrong (`ConfigError`, `StorageError`, `PeerError`), and we are wrong
(`assert`, never caught). Facts are fields; `retryable` says whether the same request may succeed later unchanged.

Codes and texts: etcd api/v3rpc/rpctypes/error.go.
"""

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

    code: ClassVar[Code] = Code.UNKNOWN
    text: ClassVar[str] = ""

    def __init__(self, text: str | None = None) -> None:
        super().__init__(text if text is not None else self.text)


# --- the request is malformed -------------------------------------------------------------------------------------


class InvalidArgumentError(RequestError):
    """The request cannot be right at any time."""

    code = Code.INVALID_ARGUMENT


class EmptyKeyError(InvalidArgumentError):
    """A key is needed and was left out."""

    text = "etcdserver: key is not provided"


class KeyNotFoundError(InvalidArgumentError):
    """ignore_value or ignore_lease on a key that is not there, or an empty operation in a transaction."""

    text = "etcdserver: key not found"


class ValueProvidedError(InvalidArgumentError):
    """ignore_value together with a value."""

    text = "etcdserver: value is provided"


class LeaseProvidedError(InvalidArgumentError):
    """ignore_lease together with a lease."""

    text = "etcdserver: lease is provided"


class TooManyOperationsError(InvalidArgumentError):
    """A transaction with more operations than --max-txn-ops."""

    text = "etcdserver: too many operations in txn request"


class DuplicateKeyError(InvalidArgumentError):
    """Two operations of one transaction would change the same key."""

    text = "etcdserver: duplicate key given in txn request"


class InvalidClientVersionError(InvalidArgumentError):
    """The metadata client-api-version is not text."""

    text = "etcdserver: invalid client api version"


class InvalidSortOptionError(InvalidArgumentError):
    """A sort order or target that does not exist."""

    text = "etcdserver: invalid sort option"


class RequestTooLargeError(InvalidArgumentError):
    """A request above --max-request-bytes."""

    text = "etcdserver: request is too large"


class InvalidRequestIdError(InvalidArgumentError):
    """The metadata raftkv-request-id does not read as client id and sequence."""

    text = "raftkv: invalid request id"


class InvalidStalenessError(InvalidArgumentError):
    """The metadata raftkv-max-staleness-ms is not a number of milliseconds."""

    text = "raftkv: invalid max staleness"


class MalformedRequestError(RequestError):
    """The bytes of the request do not parse as its message type."""

    code = Code.INTERNAL
    text = "raftkv: malformed request message"


# --- the request does not fit the present state -------------------------------------------------------------------


class CompactedError(RequestError):
    """The revision asked for was compacted away."""

    code = Code.OUT_OF_RANGE
    text = "etcdserver: mvcc: required revision has been compacted"


class FutureRevisionError(RequestError):
    """The revision asked for does not exist yet."""

    code = Code.OUT_OF_RANGE
    text = "etcdserver: mvcc: required revision is a future revision"


class NoSpaceError(RequestError):
    """The quota is used up; deletes and compactions still work, and disarming the alarm ends it."""

    code = Code.RESOURCE_EXHAUSTED
    text = "etcdserver: mvcc: database space exceeded"


class LeaseNotFoundError(RequestError):
    """A lease that was never granted, has expired or was revoked."""

    code = Code.NOT_FOUND
    text = "etcdserver: requested lease not found"


class MemberNotFoundError(RequestError):
    """No member has this id."""

    code = Code.NOT_FOUND
    text = "etcdserver: member not found"


class NotLeaderError(RequestError):
    """Only the leader can answer this request."""

    code = Code.FAILED_PRECONDITION
    text = "etcdserver: not leader"
    retryable = True


class LearnerError(RequestError):
    """A learner answers only status and serializable reads."""

    code = Code.UNAVAILABLE
    text = "etcdserver: rpc not supported for learner"


class RequestIdExpiredError(RequestError):
    """A retry of a request so old that whether it was applied is no longer known here."""

    code = Code.FAILED_PRECONDITION
    text = "raftkv: request id expired, its outcome is no longer known"


class AnswerNotKeptError(RequestError):
    """A retry of a request that was applied, whose answer was too large to be kept."""

    code = Code.FAILED_PRECONDITION
    text = "raftkv: request was already applied, its answer was too large to be kept"


class CorruptClusterError(RequestError):
    """Members disagree about the data; writes are refused until an operator has looked."""

    code = Code.DATA_LOSS
    text = "etcdserver: corrupt cluster"


class PermissionDeniedError(RequestError):
    """The user may not do this."""

    code = Code.PERMISSION_DENIED
    text = "etcdserver: permission denied"


# --- the server cannot serve now: try again ------------------------------------------------------------------------


class UnavailableError(RequestError):
    """The request may succeed a moment later, here or at another node."""

    code = Code.UNAVAILABLE
    retryable = True


class NoLeaderError(UnavailableError):
    """No leader is known, and the caller asked to be told at once."""

    text = "etcdserver: no leader"


class LeaderChangedError(UnavailableError):
    """The leader changed while a linearizable read was under way."""

    text = "etcdserver: leader changed"


class StoppedError(UnavailableError):
    """This node is shutting down."""

    text = "etcdserver: server stopped"


class RequestTimeoutError(UnavailableError):
    """The server's own time limit passed; a write may still be applied."""

    text = "etcdserver: request timed out"


class LeaderFailureTimeoutError(UnavailableError):
    """As RequestTimeoutError, and the leader was lost meanwhile."""

    text = "etcdserver: request timed out, possibly due to previous leader failure"


class TooStaleError(UnavailableError):
    """This node is further behind than raftkv-max-staleness-ms allows."""

    text = "raftkv: local state is staler than asked for"


class TooManyRequestsError(RequestError):
    """The node is behind with applying what is committed, or has too many requests in hand."""

    code = Code.RESOURCE_EXHAUSTED
    text = "etcdserver: too many requests"
    retryable = True


class DeadlineExceededError(RequestError):
    """The client's own deadline passed; a write may still be applied."""

    code = Code.DEADLINE_EXCEEDED
    text = "context deadline exceeded"


class UnimplementedError(RequestError):
    """No such method, or an option that this server does not offer."""

    code = Code.UNIMPLEMENTED


# --- the world is wrong ---------------------------------------------------------------------------------------------


class ConfigError(RaftKVError):
    """A flag, variable or file says something that cannot be: one line for the operator, exit 2."""


class StorageError(RaftKVError):
    """The disk failed or holds something that cannot be: the node stops, for it can promise nothing more."""


class DataDirLockedError(StorageError):
    """Another process has the data directory open."""

    def __init__(self, path: str) -> None:
        super().__init__(f"data directory {path} is in use by another process")
        self.path = path


class PeerError(RaftKVError):
    """A connection between nodes failed or was refused."""

    retryable = True
