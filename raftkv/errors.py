"""Every error that raftkv raises, in one tree.

Three branches: the caller is wrong or out of luck (`RequestError`: it has a gRPC code and etcd's exact text, for clients
match on the text), the world is wrong (`ConfigError`, `StorageError`, `PeerError`), and we are wrong
(`assert`, never caught). Facts are fields; `retryable` says whether the same request may succeed later unchanged.

Codes and texts: etcd api/v3rpc/rpctypes/error.go.
"""

from collections.abc import Iterator, Mapping, Sequence
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


class MessageTooLargeError(RequestError):
    """A message above what the transport takes; the text says both sizes."""

    code = Code.RESOURCE_EXHAUSTED


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


class QuotaExceededError(RequestError):
    """A quota of a prefix has no room for this (docs/quotas.md). `used` of `limit` are taken, and `more` would be."""

    code = Code.RESOURCE_EXHAUSTED
    START: ClassVar[str] = "raftkv: quota of prefix "

    def __init__(
        self,
        prefix: bytes | str,
        role: str = "",
        *,
        what: str = "",
        limit: int = 0,
        used: int = 0,
        more: int = 0,
        code: Code | None = None,
    ) -> None:
        """A client that is told so has a text, in place of the prefix, and nothing else."""
        if isinstance(prefix, str):
            super().__init__(prefix, code=code)
            return
        name = prefix.decode(errors="backslashreplace")
        bound = f", for role {role}," if role else ""
        super().__init__(
            f'{self.START}"{name}"{bound} exceeded: {used} of {limit} {what} are used, and {more} more would be', code=code
        )
        self.prefix, self.role, self.what = prefix, role, what
        self.limit, self.used, self.more = limit, used, more


class QuotaNotFoundError(RequestError):
    """There is no quota of this prefix and role."""

    code = Code.NOT_FOUND
    text = "raftkv: quota not found"


class TooManyQuotasError(RequestError):
    """There are as many quotas as there may be."""

    code = Code.RESOURCE_EXHAUSTED
    text = "raftkv: too many quotas"


class LeaseNotFoundError(RequestError):
    """A lease that was never granted, has expired or was revoked."""

    code = Code.NOT_FOUND
    text = "etcdserver: requested lease not found"


class LeaseExistsError(RequestError):
    """A lease of this id was granted before."""

    code = Code.FAILED_PRECONDITION
    text = "etcdserver: lease already exists"


class LeaseTooLongError(RequestError):
    """A TTL above what etcd takes."""

    code = Code.OUT_OF_RANGE
    text = "etcdserver: too large lease TTL"


class MemberNotFoundError(RequestError):
    """No member has this id."""

    code = Code.NOT_FOUND
    text = "etcdserver: member not found"


class MemberExistsError(RequestError):
    """The id of a new member is taken."""

    code = Code.FAILED_PRECONDITION
    text = "etcdserver: member ID already exist"


class PeerUrlExistsError(RequestError):
    """Another member has this peer URL."""

    code = Code.FAILED_PRECONDITION
    text = "etcdserver: Peer URLs already exists"


class BadMemberUrlsError(InvalidArgumentError):
    """The peer URLs of a member are none at all, or not all URLs with a host and a port."""

    text = "etcdserver: given member URLs are invalid"


class NotLearnerError(RequestError):
    """Only a learner can be promoted."""

    code = Code.FAILED_PRECONDITION
    text = "etcdserver: can only promote a learner member"


class LearnerNotReadyError(RequestError):
    """The learner is too far behind to vote."""

    code = Code.FAILED_PRECONDITION
    text = "etcdserver: can only promote a learner member which is in sync with leader"
    retryable = True


class TooManyLearnersError(RequestError):
    """There are --max-learners already."""

    code = Code.FAILED_PRECONDITION
    text = "etcdserver: too many learner members in cluster"


class NotEnoughStartedError(RequestError):
    """After the change, the members that were ever started would be no quorum."""

    code = Code.UNKNOWN  # etcd's server takes the error meant for its own clients
    text = "etcdserver: re-configuration failed due to not enough started members"


class BadTransfereeError(RequestError):
    """Who is to lead is no voting member."""

    code = Code.FAILED_PRECONDITION
    text = "etcdserver: bad leader transferee"


class WrongDowngradeFormatError(InvalidArgumentError):
    """The version to go down to is no version."""

    text = "etcdserver: wrong downgrade target version format"


class InvalidDowngradeTargetError(InvalidArgumentError):
    """A cluster goes down by one minor version, not further."""

    text = "etcdserver: invalid downgrade target version"


class DowngradeInProgressError(RequestError):
    """The cluster is being brought down already."""

    code = Code.FAILED_PRECONDITION
    text = "etcdserver: cluster has a downgrade job in progress"


class NoDowngradeError(RequestError):
    """There is no downgrade to cancel."""

    code = Code.FAILED_PRECONDITION
    text = "etcdserver: no inflight downgrade job"


class NotLeaderError(RequestError):
    """Only the leader can answer this request."""

    code = Code.FAILED_PRECONDITION
    text = "etcdserver: not leader"
    retryable = True


class LearnerError(RequestError):
    """A learner answers only status and serializable reads."""

    code = Code.UNAVAILABLE
    text = "etcdserver: rpc not supported for learner"


class JobNotFoundError(RequestError):
    """A job that nobody has joined yet, or that was removed."""

    code = Code.NOT_FOUND
    text = "raftkv: job not found"


class JobInUseError(RequestError):
    """A job that is to be removed, and is neither closed nor without nodes."""

    code = Code.FAILED_PRECONDITION
    text = "raftkv: nodes take part in the job: close it first"


class TooManyJobsError(RequestError):
    """There is no room for one more job; closed ones can be removed."""

    code = Code.RESOURCE_EXHAUSTED
    text = "raftkv: too many jobs"


class TooManyBarriersError(RequestError):
    """A world waits at too many barriers at the same time."""

    code = Code.RESOURCE_EXHAUSTED
    text = "raftkv: too many barriers"


class TooManyCheckpointsError(RequestError):
    """A world writes too many checkpoints at the same time."""

    code = Code.RESOURCE_EXHAUSTED
    text = "raftkv: too many checkpoints are being written"


class RoundOverError(RequestError):
    """What a node says is about a world that is over, or that it is not in."""

    code = Code.FAILED_PRECONDITION
    text = "raftkv: the round is over, or the node is not in its world"


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


class NotAllowedError(RequestError):
    """Refused for who asks, not for what: nothing was done, and another user, or the same with a fresh token, may succeed."""


class PermissionDeniedError(NotAllowedError):
    """The user may not do this."""

    code = Code.PERMISSION_DENIED
    text = "etcdserver: permission denied"


class UserEmptyError(NotAllowedError):
    """Authentication is on and the caller has not said who it is; or a user without a name."""

    code = Code.INVALID_ARGUMENT
    text = "etcdserver: user name is empty"


class InvalidAuthTokenError(NotAllowedError):
    """The token is unknown, has expired or was revoked: authenticate again."""

    code = Code.UNAUTHENTICATED
    text = "etcdserver: invalid auth token"


class AuthOldRevisionError(NotAllowedError):
    """Users or roles have changed since the caller was identified: authenticate again."""

    code = Code.INVALID_ARGUMENT
    text = "etcdserver: revision of auth store is old"


class AuthFailedError(NotAllowedError):
    """No such user, or not its password."""

    code = Code.INVALID_ARGUMENT
    text = "etcdserver: authentication failed, invalid user ID or password"


class NoPasswordUserError(RequestError):
    """A user that has no password cannot authenticate with one, only by certificate."""

    text = "auth: authentication failed, password was given for no password user"


class AuthNotEnabledError(RequestError):
    """Authentication is off: there are no tokens."""

    code = Code.FAILED_PRECONDITION
    text = "etcdserver: authentication is not enabled"


class RootUserNotExistError(RequestError):
    """Authentication cannot be turned on without a user root."""

    code = Code.FAILED_PRECONDITION
    text = "etcdserver: root user does not exist"


class RootRoleNotExistError(RequestError):
    """Authentication cannot be turned on while root lacks the role root."""

    code = Code.FAILED_PRECONDITION
    text = "etcdserver: root user does not have root role"


class UserAlreadyExistsError(RequestError):
    """There is a user of that name."""

    code = Code.FAILED_PRECONDITION
    text = "etcdserver: user name already exists"


class UserNotFoundError(RequestError):
    """There is no user of that name."""

    code = Code.FAILED_PRECONDITION
    text = "etcdserver: user name not found"


class RoleEmptyError(InvalidArgumentError):
    """A role needs a name."""

    text = "etcdserver: role name is empty"


class RoleAlreadyExistsError(RequestError):
    """There is a role of that name."""

    code = Code.FAILED_PRECONDITION
    text = "etcdserver: role name already exists"


class RoleNotFoundError(RequestError):
    """There is no role of that name."""

    code = Code.FAILED_PRECONDITION
    text = "etcdserver: role name not found"


class RoleNotGrantedError(RequestError):
    """The user does not have this role."""

    code = Code.FAILED_PRECONDITION
    text = "etcdserver: role is not granted to the user"


class PermissionNotGivenError(InvalidArgumentError):
    """A grant without a permission."""

    text = "etcdserver: permission not given"


class PermissionNotGrantedError(RequestError):
    """The role does not have this permission."""

    code = Code.FAILED_PRECONDITION
    text = "etcdserver: permission is not granted to the role"


class InvalidAuthManagementError(InvalidArgumentError):
    """What would leave authentication on without its root, or a permission for no key."""

    text = "etcdserver: invalid auth management"


class VerifyOnlyError(RequestError):
    """This node has only the public key of --auth-token: it honours tokens and cannot sign them."""

    text = "auth: token signing attempted with verify-only key"


class SessionExpiredError(RequestError):
    """The place in the line was lost while waiting in it: its lease ended, or somebody deleted its key."""

    text = "mutex: session is expired"


class NotElectedError(RequestError):
    """The leadership that the request speaks of has ended."""

    text = "election: not leader"


class NoElectedLeaderError(RequestError):
    """Nobody leads in this election."""

    text = "election: no leader"


class MissingLeaderKeyError(RequestError):
    """Proclaim or Resign without saying whose leadership is meant."""

    text = '"leader" field must be provided'


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


class UnhealthyClusterError(UnavailableError):
    """Too many members are not there for the members to be changed."""

    text = "etcdserver: unhealthy cluster"


class TooStaleError(UnavailableError):
    """This node is further behind than raftkv-max-staleness-ms allows."""

    text = "raftkv: local state is staler than asked for"


class PeerUnreachableError(UnavailableError):
    """Another node that must be asked for the answer cannot be reached now."""

    text = "raftkv: the node to be asked cannot be reached"


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


# --- the world is wrong ---------------------------------------------------------------------------------------------


class ConfigError(RaftKVError):
    """A flag, variable or file says something that cannot be: one line for the operator, exit 2."""


class RemovedMemberError(RaftKVError):
    """This node was removed from its cluster for good: one line for the operator, and it ends."""

    def __init__(self, member_id: int) -> None:
        super().__init__(
            f"member {member_id:x} was permanently removed from the cluster; to take part again, "
            "this node needs an empty data directory and `raftkv member add`"
        )
        self.member_id = member_id


class StorageError(RaftKVError):
    """The disk failed or holds something that cannot be: the node stops, for it can promise nothing more."""


class DataDirLockedError(StorageError):
    """Another process has the data directory open."""

    def __init__(self, path: str) -> None:
        super().__init__(f"data directory {path} is in use by another process")
        self.path = path


class SnapshotFileError(RaftKVError):
    """A file is no snapshot, or not a whole one."""


class PeerError(RaftKVError):
    """A connection between nodes failed or was refused."""

    retryable = True


# --- as a client sees it --------------------------------------------------------------------------------------------


class OutcomeUnknownError(RequestError):
    """A write that was sent and got no answer that says what became of it: it may have been applied, or still be."""

    text = "raftkv: the outcome of the write is unknown"


class WriteTimeoutError(OutcomeUnknownError, DeadlineExceededError):
    """The deadline passed after the write was sent: it may have been applied, or still be."""

    code = Code.DEADLINE_EXCEEDED


class ConnectError(RaftKVError):
    """No endpoint could be reached. `reasons`: for each endpoint, why not. Nothing was sent."""

    retryable = True

    def __init__(self, reasons: Mapping[str, str]) -> None:
        super().__init__("no endpoint answers: " + "; ".join(f"{endpoint}: {why}" for endpoint, why in reasons.items()))
        self.reasons = dict(reasons)


class ConnectionBrokenError(RaftKVError):
    """A connection could not be opened, or broke under a call. `sent`: whether the server may have seen the whole request."""

    retryable = True

    def __init__(self, endpoint: str, reason: str, *, sent: bool) -> None:
        super().__init__(f"{endpoint}: {reason}")
        self.endpoint = endpoint
        self.reason = reason
        self.sent = sent


class WatchCompactedError(CompactedError):
    """A watch asked for, or fell behind to, changes that were compacted away: list anew, and watch from there on.

    `compact_revision`: the oldest revision that can be watched from.
    """

    def __init__(self, compact_revision: int) -> None:
        super().__init__()
        self.compact_revision = compact_revision


class LeaseLostError(RaftKVError):
    """A lease is gone, or may be for all that is known here: what was done under it is no longer protected."""

    def __init__(self, lease_id: int, reason: str) -> None:
        super().__init__(f"lease {lease_id:x} is lost: {reason}")
        self.lease_id = lease_id
        self.reason = reason


class ClientClosedError(RaftKVError):
    """The client was closed before or during the call."""

    def __init__(self) -> None:
        super().__init__("the client is closed")


class JobClosedError(RaftKVError):
    """The job is over, so there will be no more rounds."""

    def __init__(self, job: str, outcome: str, reason: str) -> None:
        super().__init__(f"job {job} is closed ({outcome.lower()})" + (f": {reason}" if reason else ""))
        self.job = job
        self.outcome = outcome
        """SUCCEEDED, FAILED or CANCELED."""
        self.reason = reason


class NodeExcludedError(RaftKVError):
    """The node is kept out of the job."""

    def __init__(self, job: str, node: str) -> None:
        super().__init__(f"node {node} is excluded from job {job}")
        self.job = job
        self.node = node


class BarrierFailedError(RaftKVError):
    """Not all came to a barrier."""

    def __init__(self, name: str, missing: list[str], reason: str, *, ranks: Sequence[int] = ()) -> None:
        who = [f"{node} (rank {rank})" for node, rank in zip(missing, ranks, strict=False)] or missing
        more = f" and {len(who) - 10} more" if len(who) > 10 else ""
        super().__init__(f"barrier {name} failed: {reason or 'canceled'}; missing: {', '.join(who[:10])}{more}")
        self.name = name
        self.missing = missing
        """The names of the nodes that were not there."""
        self.missing_ranks = list(ranks)
        """Theirs, in the same order."""
        self.reason = reason


class RevisionMismatchError(RaftKVError):
    """A value is not at the revision at which it was to be changed: somebody was faster."""

    def __init__(self, name: str, expected: int, actual: int) -> None:
        super().__init__(f"{name} is at revision {actual}, not {expected}")
        self.name = name
        self.expected = expected
        self.actual = actual
        """0: it is not there."""


class NodeUnfitError(RaftKVError):
    """A node did not pass its own checks, so it has not joined."""

    def __init__(self, job: str, node: str, failures: list[str]) -> None:
        super().__init__(f"{node} is not fit for job {job}: {'; '.join(failures)}")
        self.job = job
        self.node = node
        self.failures = failures
        """What did not pass, a sentence each."""


class RendezvousTimeoutError(RaftKVError):
    """There was no world in time."""

    retryable = True

    def __init__(self, job: str, seconds: float) -> None:
        super().__init__(f"no round of job {job} was formed within {seconds:g} s")
        self.job = job


class RecipeError(RaftKVError):
    """What the recipes (locks, elections and the like) raise beyond the errors of requests."""


class LostError(RecipeError):
    """What was held is held no more: its lease ran out, or its key was deleted. Whoever waited may hold it already."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} is lost: {reason}")
        self.name = name
        self.reason = reason


class HeldAlreadyError(RecipeError):
    """The task that asks for a lock holds it already: it would wait for itself."""

    def __init__(self, name: str) -> None:
        super().__init__(f"this task holds {name} already, and would wait for itself")
        self.name = name


class ForeignKeyError(RecipeError):
    """Among the keys of those who wait there is one without a lease: data, where only locks belong. Nobody would take it away."""

    def __init__(self, key: bytes) -> None:
        super().__init__(f"{key!r} is no waiter's key, for it hangs on no lease: keep data away from the names of locks")
        self.key = key


class NotAcquiredError(RecipeError):
    """Somebody else holds it, and the caller did not want to wait."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is held by another")
        self.name = name


# --- the consensus core declines: the driver retries or translates ---------------------------------------------------


class RaftError(RaftKVError):
    """raftkv.raft cannot do now what it was asked for."""


class ProposalDroppedError(RaftError):
    """The proposals were not appended and will not be."""

    retryable = True


class ReadDroppedError(RaftError):
    """No read index can be had now: no leader is known, or too many reads wait."""

    retryable = True


class TransferDroppedError(RaftError):
    """Leadership cannot be handed over: this is not the leader, or the target is no voter."""


class CompactedLogError(RaftError):
    """The entry was compacted; a snapshot has what it did."""

    def __init__(self, index: int) -> None:
        super().__init__(f"entry {index} is compacted")
        self.index = index


class UnavailableLogError(RaftError):
    """The log does not reach that far."""

    def __init__(self, index: int) -> None:
        super().__init__(f"entry {index} is not in the log yet")
        self.index = index


# --- from a status back to the class that names it ------------------------------------------------------------------------


def _classes(root: type[RequestError]) -> Iterator[type[RequestError]]:
    for child in root.__subclasses__():
        yield child
        yield from _classes(child)


BY_TEXT: Mapping[str, type[RequestError]] = {error.text: error for error in reversed([*_classes(RequestError)]) if error.text}
"""The text is an error's identity (etcd client/v3 matches on it too); a class above is in here without being told."""

BY_CODE: Mapping[Code, type[RequestError]] = {
    Code.INVALID_ARGUMENT: InvalidArgumentError,
    Code.DEADLINE_EXCEEDED: DeadlineExceededError,
    Code.UNIMPLEMENTED: UnimplementedError,
    Code.UNAVAILABLE: UnavailableError,
}
"""For texts that have no class: the class that says what the code means."""

_CODES: Mapping[int, Code] = {int(code): code for code in Code}


def error_of_status(code: int, text: str) -> RequestError:
    """The error that another process answered with: a gRPC status other than OK, with its text."""
    known = _CODES.get(code, Code.UNKNOWN)
    if text.startswith(QuotaExceededError.START):
        return QuotaExceededError(text, code=known)
    error = BY_TEXT.get(text) or BY_CODE.get(known, RequestError)
    return error(text or f"the server answered {known.name} without a text", code=known)
