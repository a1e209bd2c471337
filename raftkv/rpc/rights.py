"""Who may call what while authentication is on: one rule for each method of every service.

    OPEN    anybody: what comes before authentication, and what only tells that the process lives
    KNOWN   any user
    KEYS    any user; the keys that a request reads or writes are asked about where they are read or written: reads when they
            look at the state (`Access.check`), writes when they are applied (`raftkv.apply.rights`)
    EACH    as KEYS, for a stream whose every request is answered on its own, a refusal too
    ROOT    the role root

A method without a rule is for nobody; a test finds each one that has none. etcd learnt the list the hard way: for years
member lists, alarms, compactions and leases answered anybody (CVE-2026-33413).
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Final


class Right(Enum):
    """What a method asks of its caller."""

    OPEN = "open"
    KNOWN = "known"
    KEYS = "keys"
    EACH = "each"
    ROOT = "root"
    NOBODY = "nobody"


_AUTH, _KV, _LEASE = "etcdserverpb.Auth", "etcdserverpb.KV", "etcdserverpb.Lease"
_RENDEZVOUS = "raftkv.v1.Rendezvous"
_LIGHTHOUSE = "torchft.LighthouseService"
_QUOTAS = "raftkv.v1.Quotas"
_CLUSTER, _MAINTENANCE = "etcdserverpb.Cluster", "etcdserverpb.Maintenance"

_RULES: Final[Mapping[Right, Iterable[tuple[str, str]]]] = {
    Right.OPEN: (
        (_AUTH, "Authenticate"),
        ("grpc.health.v1.Health", "Check Watch"),
        ("grpc.reflection.v1.ServerReflection", "ServerReflectionInfo"),
        ("grpc.reflection.v1alpha.ServerReflection", "ServerReflectionInfo"),
    ),
    Right.KNOWN: (
        (_AUTH, "UserGet RoleGet"),  # of oneself; the handlers see to it
        (_CLUSTER, "MemberList"),
        (_LEASE, "LeaseGrant LeaseKeepAlive LeaseLeases"),
        (_MAINTENANCE, "Status Alarm"),  # to look at alarms; to change one needs the role root when it is applied
    ),
    Right.KEYS: (
        (_KV, "Range RangeStream Put DeleteRange Txn"),
        ("raftkv.v1.Updates", "Update"),
        (_QUOTAS, "Get List"),
        (_RENDEZVOUS, "Join Leave Report Close Remove Exclude Readmit Preempt AcknowledgePreemption Look Watch World List"),
        (_RENDEZVOUS, "Barrier CancelBarrier Barriers Announce Checkpoints Heartbeat Steps WatchSteps"),
        (_LIGHTHOUSE, "Quorum Heartbeat"),
        (_LEASE, "LeaseRevoke LeaseTimeToLive"),
        ("v3lockpb.Lock", "Lock Unlock"),
        ("v3electionpb.Election", "Campaign Proclaim Leader Observe Resign"),
    ),
    Right.EACH: (("etcdserverpb.Watch", "Watch"),),
    Right.ROOT: (
        (_KV, "Compact"),
        (_AUTH, "AuthEnable AuthDisable AuthStatus"),
        (_AUTH, "UserAdd UserList UserDelete UserChangePassword UserGrantRole UserRevokeRole"),
        (_AUTH, "RoleAdd RoleList RoleDelete RoleGrantPermission RoleRevokePermission"),
        (_QUOTAS, "Set Remove"),
        (_CLUSTER, "MemberAdd MemberRemove MemberUpdate MemberPromote"),
        (_MAINTENANCE, "Defragment Hash HashKV Snapshot MoveLeader Downgrade"),
    ),
}


def _paths(methods: Iterable[tuple[str, str]]) -> Iterator[str]:
    for service, names in methods:
        yield from (f"/{service}/{name}" for name in names.split())


RIGHTS: Final[Mapping[str, Right]] = {path: right for right, methods in _RULES.items() for path in _paths(methods)}
"""By the method's path."""
