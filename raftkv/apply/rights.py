"""Who may have a command carried out, asked again when it is applied: between the asking and the applying users and roles may
have changed, and that the log's order decides is the only answer on which all replicas agree.

    KEYS       what it reads and writes, the user must be allowed to        raftkv.auth.access
    JOB        the user must be allowed to write all keys of the job that it is about
    KNOWN      any user
    ROOT       the role root
    NODE       a node that says so, or the role root
    OWN        the nodes' own, and the role root, where a caller has brought it about; any caller may look at alarms

A command without a rule is denied; a test finds each one that has none.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from raftkv.auth.state import NODE, Auth, Author
from raftkv.errors import PermissionDeniedError
from raftkv.pb.rendezvous import JobChange
from raftkv.pb.rpc import AlarmRequest, DeleteRangeRequest, PutRequest
from raftkv.rendezvous.layout import job_prefix, prefix_end


class Right(Enum):
    """What a command asks of its author."""

    KEYS = "keys"
    JOB = "job"
    KNOWN = "known"
    ROOT = "root"
    NODE = "node"
    OWN = "own"


RIGHTS: Final[Mapping[str, Right]] = {
    "put": Right.KEYS,
    "delete_range": Right.KEYS,
    "txn": Right.KEYS,
    "update": Right.KEYS,
    "lease_revoke": Right.KEYS,
    "lease_grant": Right.KNOWN,
    "compact": Right.NODE,
    "auth_enable": Right.ROOT,
    "auth_disable": Right.ROOT,
    "user_add": Right.ROOT,
    "user_delete": Right.ROOT,
    "user_change_password": Right.ROOT,
    "user_grant_role": Right.ROOT,
    "user_revoke_role": Right.ROOT,
    "role_add": Right.ROOT,
    "role_delete": Right.ROOT,
    "role_grant_permission": Right.ROOT,
    "role_revoke_permission": Right.ROOT,
    "set_quota": Right.ROOT,
    "remove_quota": Right.ROOT,
    "alarm": Right.OWN,
    "set_member": Right.OWN,
    "change_member": Right.OWN,
    "set_cluster_version": Right.OWN,
    "checkpoint_leases": Right.OWN,
    "expire_leases": Right.OWN,
    "set_downgrade": Right.OWN,
    "issue_token": Right.OWN,
    "rendezvous": Right.JOB,
    "rendezvous_timeouts": Right.OWN,
    "form_quorum": Right.OWN,
}
"""By the command's field in command.Command."""


def check_rights(auth: Auth, body: str, request: Any, author: Author) -> None:
    """Refuses a command whose author may not have it carried out, while authentication is on; raises as Auth.check does."""
    right = RIGHTS.get(body)
    if right is Right.KEYS:
        auth.check(author, request)
    elif right is Right.JOB:
        _check_job(auth, request, author)
    elif (
        right is Right.ROOT
        or (right is Right.NODE and author != NODE)
        or (right is Right.OWN and author.user and not _only_looks(request))
    ):
        auth.check_root(author)
    elif right is Right.KNOWN:
        auth.check_known(author)
    elif right is None:
        raise PermissionDeniedError


def _check_job(auth: Auth, change: JobChange, author: Author) -> None:
    """Who may write all keys of a job may do with it what it likes; and may hang its keys on a lease as those of any put."""
    kind = change.WhichOneof("change")
    prefix = job_prefix("" if kind is None else getattr(change, kind).job).encode()
    auth.check(author, DeleteRangeRequest(key=prefix, range_end=prefix_end(prefix)))
    if kind == "join":
        auth.check(author, PutRequest(key=prefix, lease=change.join.lease))


def _only_looks(request: Any) -> bool:
    """Alarms are asked for through the log too."""
    return isinstance(request, AlarmRequest) and request.action == AlarmRequest.GET
