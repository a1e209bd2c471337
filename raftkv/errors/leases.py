"""Leases."""

from raftkv.errors.root import Code, RaftKVError, RequestError


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


class LeaseLostError(RaftKVError):
    """A lease is gone, or may be for all that is known here: what was done under it is no longer protected."""

    def __init__(self, lease_id: int, reason: str) -> None:
        super().__init__(f"lease {lease_id:x} is lost: {reason}")
        self.lease_id = lease_id
        self.reason = reason
