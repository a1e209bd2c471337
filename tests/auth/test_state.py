from typing import Any

import pytest

from raftkv.auth.state import Author
from raftkv.errors import (
    AuthOldRevisionError,
    InvalidAuthManagementError,
    InvalidAuthTokenError,
    PermissionDeniedError,
    PermissionNotGivenError,
    PermissionNotGrantedError,
    RequestError,
    RoleAlreadyExistsError,
    RoleEmptyError,
    RoleNotFoundError,
    RoleNotGrantedError,
    RootRoleNotExistError,
    RootUserNotExistError,
    UserAlreadyExistsError,
    UserEmptyError,
    UserNotFoundError,
)
from raftkv.pb import rpc
from raftkv.pb.auth import Permission
from raftkv.pb.command import IssueToken
from tests.auth.making import ROOT, AuthMachine, cluster_of_three_users, grant

READ, READWRITE = Permission.READ, Permission.READWRITE


def test_authentication_needs_a_user_root_with_the_role_root() -> None:
    machine = AuthMachine()
    assert isinstance(machine.do(auth_enable=rpc.AuthEnableRequest()).error, RootUserNotExistError)
    machine.user(ROOT)
    assert isinstance(machine.do(auth_enable=rpc.AuthEnableRequest()).error, RootRoleNotExistError)
    machine.must(user_grant_role=rpc.AuthUserGrantRoleRequest(user=ROOT, role=ROOT))
    machine.must(auth_enable=rpc.AuthEnableRequest())
    assert machine.machine.auth.enabled


def test_revision_begins_at_one_and_counts_changes() -> None:
    machine = AuthMachine()
    auth = machine.machine.auth
    assert auth.revision == 1
    machine.role("r", grant(READ, b"a"))
    machine.user("u", "r")
    assert auth.revision == 5
    machine.must(user_grant_role=rpc.AuthUserGrantRoleRequest(user="u", role="r"))  # has it already
    assert auth.revision == 5
    machine.enable()
    assert auth.revision == 7
    machine.must(machine.as_(ROOT), auth_disable=rpc.AuthDisableRequest())
    assert (auth.enabled, auth.revision) == (False, 8)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"user_add": rpc.AuthUserAddRequest()}, UserEmptyError),
        ({"user_add": rpc.AuthUserAddRequest(name="rw")}, UserAlreadyExistsError),
        ({"user_delete": rpc.AuthUserDeleteRequest(name="x")}, UserNotFoundError),
        ({"user_delete": rpc.AuthUserDeleteRequest(name=ROOT)}, InvalidAuthManagementError),
        ({"user_change_password": rpc.AuthUserChangePasswordRequest(name="x")}, UserNotFoundError),
        ({"user_grant_role": rpc.AuthUserGrantRoleRequest(user="x", role="rw")}, UserNotFoundError),
        ({"user_grant_role": rpc.AuthUserGrantRoleRequest(user="rw", role="x")}, RoleNotFoundError),
        ({"user_revoke_role": rpc.AuthUserRevokeRoleRequest(name=ROOT, role=ROOT)}, InvalidAuthManagementError),
        ({"user_revoke_role": rpc.AuthUserRevokeRoleRequest(name="x", role="rw")}, UserNotFoundError),
        ({"user_revoke_role": rpc.AuthUserRevokeRoleRequest(name="nobody", role="rw")}, RoleNotGrantedError),
        ({"role_add": rpc.AuthRoleAddRequest()}, RoleEmptyError),
        ({"role_add": rpc.AuthRoleAddRequest(name="rw")}, RoleAlreadyExistsError),
        ({"role_delete": rpc.AuthRoleDeleteRequest(role="x")}, RoleNotFoundError),
        ({"role_delete": rpc.AuthRoleDeleteRequest(role=ROOT)}, InvalidAuthManagementError),
        ({"role_grant_permission": rpc.AuthRoleGrantPermissionRequest(name="rw")}, PermissionNotGivenError),
        (
            {"role_grant_permission": rpc.AuthRoleGrantPermissionRequest(name="x", perm=grant(READ, b"a"))},
            RoleNotFoundError,
        ),
        (
            {"role_grant_permission": rpc.AuthRoleGrantPermissionRequest(name="rw", perm=grant(READ, b""))},
            InvalidAuthManagementError,
        ),
        (
            {"role_grant_permission": rpc.AuthRoleGrantPermissionRequest(name="rw", perm=grant(READ, b"b", b"a"))},
            InvalidAuthManagementError,
        ),
        ({"role_revoke_permission": rpc.AuthRoleRevokePermissionRequest(role="x", key=b"k")}, RoleNotFoundError),
        ({"role_revoke_permission": rpc.AuthRoleRevokePermissionRequest(role="rw", key=b"k")}, PermissionNotGrantedError),
    ],
)
def test_change_that_cannot_be_is_refused_and_changes_nothing(body: dict[str, Any], error: type[RequestError]) -> None:
    machine = cluster_of_three_users()
    before = machine.machine.auth.revision
    assert type(machine.do(machine.as_(ROOT), **body).error) is error
    assert machine.machine.auth.revision == before


def test_grant_of_the_same_range_replaces_the_one_before() -> None:
    machine = AuthMachine()
    machine.role("r", grant(READ, b"k", b"m"), grant(READ, b"k"), grant(READWRITE, b"k", b"m"), grant(READ, b"a"))
    ranges = [(one.key, one.range_end, one.permType) for one in machine.machine.auth.role("r").keyPermission]
    assert ranges == [(b"a", b"", READ), (b"k", b"", READ), (b"k", b"m", READWRITE)]


def test_deleted_role_is_taken_from_its_users() -> None:
    machine = cluster_of_three_users()
    machine.must(machine.as_(ROOT), role_delete=rpc.AuthRoleDeleteRequest(role="rw"))
    assert list(machine.machine.auth.user("rw").roles) == []
    with pytest.raises(PermissionDeniedError):
        machine.machine.auth.check(machine.as_("rw"), rpc.RangeRequest(key=b"k"))


def test_permissions_follow_every_change_at_once() -> None:
    machine = cluster_of_three_users()
    auth, request = machine.machine.auth, rpc.RangeRequest(key=b"z")
    with pytest.raises(PermissionDeniedError):
        auth.check(machine.as_("rw"), request)
    machine.must(
        machine.as_(ROOT),
        role_grant_permission=rpc.AuthRoleGrantPermissionRequest(name="rw", perm=grant(READ, b"z")),
    )
    auth.check(machine.as_("rw"), request)
    machine.must(machine.as_(ROOT), role_revoke_permission=rpc.AuthRoleRevokePermissionRequest(role="rw", key=b"z"))
    with pytest.raises(PermissionDeniedError):
        auth.check(machine.as_("rw"), request)


def test_check_wants_a_user_of_the_present_revision() -> None:
    machine = cluster_of_three_users()
    auth, request = machine.machine.auth, rpc.RangeRequest(key=b"k")
    with pytest.raises(UserEmptyError):
        auth.check(None, request)
    with pytest.raises(UserEmptyError):
        auth.check(Author("", 0), request)
    with pytest.raises(AuthOldRevisionError):
        auth.check(Author("rw", auth.revision - 1), request)
    with pytest.raises(PermissionDeniedError):
        auth.check(Author("gone", auth.revision), request)
    auth.check(Author("rw", auth.revision), request)


def test_everything_is_kept_over_a_restart() -> None:
    machine = cluster_of_three_users()
    again = machine.restarted().machine.auth
    auth = machine.machine.auth
    assert (again.enabled, again.revision) == (True, auth.revision)
    assert (again.users, again.roles) == (auth.users, auth.roles)
    with pytest.raises(PermissionDeniedError):
        again.check(Author("nobody", again.revision), rpc.RangeRequest(key=b"k"))
    again.check(Author("rw", again.revision), rpc.RangeRequest(key=b"k"))


def test_rows_tell_no_password_but_its_hash() -> None:
    machine = AuthMachine()
    machine.must(user_add=rpc.AuthUserAddRequest(name="u", password="never", hashedPassword="aGFzaA=="))
    rows = b"".join(row + value for table in machine.rows().values() for row, value in table.items())
    assert b"hash" in rows
    assert b"never" not in rows


def test_identity_on_a_stream_outlives_the_changes_of_others() -> None:
    machine = cluster_of_three_users()
    auth, author = machine.machine.auth, machine.as_("rw")
    machine.user("another")
    assert auth.still(author) == machine.as_("rw")
    machine.must(machine.as_(ROOT), user_change_password=rpc.AuthUserChangePasswordRequest(name="rw"))
    with pytest.raises(InvalidAuthTokenError):
        auth.still(author)
    auth.still(machine.as_("rw"))
    machine.must(machine.as_(ROOT), user_delete=rpc.AuthUserDeleteRequest(name="rw"))
    with pytest.raises(InvalidAuthTokenError):
        auth.still(machine.as_("rw"))


def test_token_is_issued_only_at_the_revision_of_its_password() -> None:
    machine = cluster_of_three_users()
    revision = machine.machine.auth.revision
    stale = machine.do(issue_token=IssueToken(user="rw", digest=b"d", auth_revision=revision - 1))
    assert isinstance(stale.error, AuthOldRevisionError)
    response = machine.must(issue_token=IssueToken(user="rw", digest=b"d", auth_revision=revision)).response
    assert isinstance(response, rpc.AuthenticateResponse)
    assert response.token == str(machine.machine.applied_index)
