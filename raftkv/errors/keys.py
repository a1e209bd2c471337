"""Keys, their revisions and transactions on them."""

from raftkv.errors.root import Code, InvalidArgumentError, RequestError


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


class InvalidSortOptionError(InvalidArgumentError):
    """A sort order or target that does not exist."""

    text = "etcdserver: invalid sort option"


class RequestTooLargeError(InvalidArgumentError):
    """A request above --max-request-bytes."""

    text = "etcdserver: request is too large"


class CompactedError(RequestError):
    """The revision asked for was compacted away."""

    code = Code.OUT_OF_RANGE
    text = "etcdserver: mvcc: required revision has been compacted"


class WatchCompactedError(CompactedError):
    """A watch asked for, or fell behind to, changes that were compacted away: list anew, and watch from there on.

    `compact_revision`: the oldest revision that can be watched from.
    """

    def __init__(self, compact_revision: int) -> None:
        super().__init__()
        self.compact_revision = compact_revision


class FutureRevisionError(RequestError):
    """The revision asked for does not exist yet."""

    code = Code.OUT_OF_RANGE
    text = "etcdserver: mvcc: required revision is a future revision"


class NoSpaceError(RequestError):
    """The quota is used up; deletes and compactions still work, and disarming the alarm ends it."""

    code = Code.RESOURCE_EXHAUSTED
    text = "etcdserver: mvcc: database space exceeded"
