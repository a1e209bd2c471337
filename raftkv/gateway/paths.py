"""Where the gateway serves a method: etcd's rules, and the few names that follow none.

/etcdserverpb.KV/DeleteRange       /v3/kv/deleterange
/etcdserverpb.Lease/LeaseGrant     /v3/lease/grant           the service's name is not repeated
/etcdserverpb.Cluster/MemberAdd    /v3/cluster/member/add    a noun comes before the verb
"""

import re
from collections.abc import Mapping
from typing import Final

_EXCEPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "KV/Compact": ("kv/compaction",),
    "KV/RangeStream": (),
    "Watch/Watch": ("watch",),
    "Lease/LeaseRevoke": ("lease/revoke", "kv/lease/revoke"),
    "Lease/LeaseTimeToLive": ("lease/timetolive", "kv/lease/timetolive"),
    "Lease/LeaseLeases": ("lease/leases", "kv/lease/leases"),
    "Maintenance/MoveLeader": ("maintenance/transfer-leadership",),
    "Auth/UserChangePassword": ("auth/user/changepw",),
    "Auth/UserGrantRole": ("auth/user/grant",),
    "Auth/UserRevokeRole": ("auth/user/revoke",),
    "Auth/RoleGrantPermission": ("auth/role/grant",),
    "Auth/RoleRevokePermission": ("auth/role/revoke",),
}
_NOUN: Final = re.compile(r"(Member|User|Role)(?=[A-Z])")


def paths(method_path: str) -> tuple[str, ...]:
    """The paths of a gRPC method, `/package.Service/Method`; none for gRPC's own services."""
    full_service, _, method = method_path[1:].partition("/")
    package, _, service = full_service.rpartition(".")
    if package.partition(".")[0] == "grpc":
        return ()
    known = _EXCEPTIONS.get(f"{service}/{method}")
    if known is not None:
        return tuple(f"/v3/{path}" for path in known)
    shorter = method.removeprefix(service)
    if shorter[:1].isupper():
        method = shorter
    verb = _NOUN.sub(r"\1/", method)
    return (f"/v3/{service}/{verb}".lower(),)
