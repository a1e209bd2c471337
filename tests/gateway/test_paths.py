import pytest

from raftkv.gateway.paths import paths
from raftkv.pb import election, lock, rpc

ETCD_PATHS = """
KV/Range /v3/kv/range
KV/Put /v3/kv/put
KV/DeleteRange /v3/kv/deleterange
KV/Txn /v3/kv/txn
KV/Compact /v3/kv/compaction
Watch/Watch /v3/watch
Lease/LeaseGrant /v3/lease/grant
Lease/LeaseRevoke /v3/lease/revoke /v3/kv/lease/revoke
Lease/LeaseKeepAlive /v3/lease/keepalive
Lease/LeaseTimeToLive /v3/lease/timetolive /v3/kv/lease/timetolive
Lease/LeaseLeases /v3/lease/leases /v3/kv/lease/leases
Cluster/MemberAdd /v3/cluster/member/add
Cluster/MemberRemove /v3/cluster/member/remove
Cluster/MemberUpdate /v3/cluster/member/update
Cluster/MemberList /v3/cluster/member/list
Cluster/MemberPromote /v3/cluster/member/promote
Maintenance/Alarm /v3/maintenance/alarm
Maintenance/Status /v3/maintenance/status
Maintenance/Defragment /v3/maintenance/defragment
Maintenance/Hash /v3/maintenance/hash
Maintenance/HashKV /v3/maintenance/hashkv
Maintenance/Snapshot /v3/maintenance/snapshot
Maintenance/MoveLeader /v3/maintenance/transfer-leadership
Maintenance/Downgrade /v3/maintenance/downgrade
Auth/AuthEnable /v3/auth/enable
Auth/AuthDisable /v3/auth/disable
Auth/AuthStatus /v3/auth/status
Auth/Authenticate /v3/auth/authenticate
Auth/UserAdd /v3/auth/user/add
Auth/UserGet /v3/auth/user/get
Auth/UserList /v3/auth/user/list
Auth/UserDelete /v3/auth/user/delete
Auth/UserChangePassword /v3/auth/user/changepw
Auth/UserGrantRole /v3/auth/user/grant
Auth/UserRevokeRole /v3/auth/user/revoke
Auth/RoleAdd /v3/auth/role/add
Auth/RoleGet /v3/auth/role/get
Auth/RoleList /v3/auth/role/list
Auth/RoleDelete /v3/auth/role/delete
Auth/RoleGrantPermission /v3/auth/role/grant
Auth/RoleRevokePermission /v3/auth/role/revoke
Lock/Lock /v3/lock/lock
Lock/Unlock /v3/lock/unlock
Election/Campaign /v3/election/campaign
Election/Proclaim /v3/election/proclaim
Election/Leader /v3/election/leader
Election/Observe /v3/election/observe
Election/Resign /v3/election/resign
KV/RangeStream
"""
TABLE = {line.split()[0]: tuple(line.split()[1:]) for line in ETCD_PATHS.strip().splitlines()}


def test_every_method_of_the_api_is_where_etcd_has_it() -> None:
    found = {
        f"{service.name}/{method.name}": paths(f"/{service.full_name}/{method.name}")
        for file in (rpc.DESCRIPTOR, lock.DESCRIPTOR, election.DESCRIPTOR)
        for service in file.services_by_name.values()
        for method in service.methods
    }
    assert found == TABLE


@pytest.mark.parametrize("path", ["/grpc.health.v1.Health/Check", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"])
def test_services_of_grpc_have_no_path(path: str) -> None:
    assert paths(path) == ()
