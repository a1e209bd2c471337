"""The members of a cluster, and who leads them."""

from raftkv.errors.root import Code, InvalidArgumentError, RequestError, UnavailableError


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


class NotLeaderError(RequestError):
    """Only the leader can answer this request."""

    code = Code.FAILED_PRECONDITION
    text = "etcdserver: not leader"
    retryable = True


class LearnerError(RequestError):
    """A learner answers only status and serializable reads."""

    code = Code.UNAVAILABLE
    text = "etcdserver: rpc not supported for learner"


class CorruptClusterError(RequestError):
    """Members disagree about the data; writes are refused until an operator has looked."""

    code = Code.DATA_LOSS
    text = "etcdserver: corrupt cluster"


class UnhealthyClusterError(UnavailableError):
    """Too many members are not there for the members to be changed."""

    text = "etcdserver: unhealthy cluster"


class NoLeaderError(UnavailableError):
    """No leader is known, and the caller asked to be told at once."""

    text = "etcdserver: no leader"


class LeaderChangedError(UnavailableError):
    """The leader changed while a linearizable read was under way."""

    text = "etcdserver: leader changed"


class RequestTimeoutError(UnavailableError):
    """The server's own time limit passed; a write may still be applied."""

    text = "etcdserver: request timed out"


class LeaderFailureTimeoutError(UnavailableError):
    """As RequestTimeoutError, and the leader was lost meanwhile."""

    text = "etcdserver: request timed out, possibly due to previous leader failure"


class StoppedError(UnavailableError):
    """This node is shutting down."""

    text = "etcdserver: server stopped"


class TooStaleError(UnavailableError):
    """This node is further behind than raftkv-max-staleness-ms allows."""

    text = "raftkv: local state is staler than asked for"


class PeerUnreachableError(UnavailableError):
    """Another node that must be asked for the answer cannot be reached now."""

    text = "raftkv: the node to be asked cannot be reached"


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
