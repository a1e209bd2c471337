"""The methods of the client about users and roles."""

from typing import Literal

from raftkv.client.method import Method, Repeat
from raftkv.client.part import ClientPart
from raftkv.client.request import Data, key_range
from raftkv.pb import rpc
from raftkv.pb.auth import Permission, UserAddOptions

Access = Literal["read", "write", "readwrite"]

_ACCESS = {"read": Permission.READ, "write": Permission.WRITE, "readwrite": Permission.READWRITE}

AUTH_ENABLE = Method("/etcdserverpb.Auth/AuthEnable", rpc.AuthEnableResponse, Repeat.BY_ID)
AUTH_DISABLE = Method("/etcdserverpb.Auth/AuthDisable", rpc.AuthDisableResponse, Repeat.BY_ID)
AUTH_STATUS = Method("/etcdserverpb.Auth/AuthStatus", rpc.AuthStatusResponse, Repeat.ALWAYS)
USER_ADD = Method("/etcdserverpb.Auth/UserAdd", rpc.AuthUserAddResponse, Repeat.BY_ID)
USER_DELETE = Method("/etcdserverpb.Auth/UserDelete", rpc.AuthUserDeleteResponse, Repeat.BY_ID)
USER_GET = Method("/etcdserverpb.Auth/UserGet", rpc.AuthUserGetResponse, Repeat.ALWAYS)
USER_LIST = Method("/etcdserverpb.Auth/UserList", rpc.AuthUserListResponse, Repeat.ALWAYS)
USER_CHANGE_PASSWORD = Method("/etcdserverpb.Auth/UserChangePassword", rpc.AuthUserChangePasswordResponse, Repeat.BY_ID)
USER_GRANT_ROLE = Method("/etcdserverpb.Auth/UserGrantRole", rpc.AuthUserGrantRoleResponse, Repeat.BY_ID)
USER_REVOKE_ROLE = Method("/etcdserverpb.Auth/UserRevokeRole", rpc.AuthUserRevokeRoleResponse, Repeat.BY_ID)
ROLE_ADD = Method("/etcdserverpb.Auth/RoleAdd", rpc.AuthRoleAddResponse, Repeat.BY_ID)
ROLE_DELETE = Method("/etcdserverpb.Auth/RoleDelete", rpc.AuthRoleDeleteResponse, Repeat.BY_ID)
ROLE_GET = Method("/etcdserverpb.Auth/RoleGet", rpc.AuthRoleGetResponse, Repeat.ALWAYS)
ROLE_LIST = Method("/etcdserverpb.Auth/RoleList", rpc.AuthRoleListResponse, Repeat.ALWAYS)
ROLE_GRANT_PERMISSION = Method("/etcdserverpb.Auth/RoleGrantPermission", rpc.AuthRoleGrantPermissionResponse, Repeat.BY_ID)
ROLE_REVOKE_PERMISSION = Method("/etcdserverpb.Auth/RoleRevokePermission", rpc.AuthRoleRevokePermissionResponse, Repeat.BY_ID)


class AuthMethods(ClientPart):
    """A part of `Client`. While authentication is on, all but `user_get` and `role_get` of oneself need the role root."""

    async def auth_enable(self) -> rpc.AuthEnableResponse:
        """From now on every request needs a user; there must be one named root, with the role root."""
        return await self.call(AUTH_ENABLE, rpc.AuthEnableRequest())

    async def auth_disable(self) -> rpc.AuthDisableResponse:
        """From now on nobody is asked who they are."""
        return await self.call(AUTH_DISABLE, rpc.AuthDisableRequest())

    async def auth_status(self) -> rpc.AuthStatusResponse:
        """Whether authentication is on, and the revision of users and roles."""
        return await self.call(AUTH_STATUS, rpc.AuthStatusRequest())

    # --- users

    async def user_add(self, name: str, password: str | None) -> rpc.AuthUserAddResponse:
        """Adds a user; without a password (None) it can only come with a certificate of that common name."""
        options = UserAddOptions(no_password=password is None)
        return await self.call(USER_ADD, rpc.AuthUserAddRequest(name=name, password=password or "", options=options))

    async def user_delete(self, name: str) -> rpc.AuthUserDeleteResponse:
        """Deletes a user; its tokens are void."""
        return await self.call(USER_DELETE, rpc.AuthUserDeleteRequest(name=name))

    async def user_get(self, name: str) -> rpc.AuthUserGetResponse:
        """The roles of a user."""
        return await self.call(USER_GET, rpc.AuthUserGetRequest(name=name))

    async def users(self) -> rpc.AuthUserListResponse:
        """The names of all users."""
        return await self.call(USER_LIST, rpc.AuthUserListRequest())

    async def user_change_password(self, name: str, password: str) -> rpc.AuthUserChangePasswordResponse:
        """Gives a user another password; its tokens are void."""
        return await self.call(USER_CHANGE_PASSWORD, rpc.AuthUserChangePasswordRequest(name=name, password=password))

    async def user_grant_role(self, name: str, role: str) -> rpc.AuthUserGrantRoleResponse:
        """Gives a user a role."""
        return await self.call(USER_GRANT_ROLE, rpc.AuthUserGrantRoleRequest(user=name, role=role))

    async def user_revoke_role(self, name: str, role: str) -> rpc.AuthUserRevokeRoleResponse:
        """Takes a role from a user."""
        return await self.call(USER_REVOKE_ROLE, rpc.AuthUserRevokeRoleRequest(name=name, role=role))

    # --- roles

    async def role_add(self, name: str) -> rpc.AuthRoleAddResponse:
        """Adds a role that may do nothing yet."""
        return await self.call(ROLE_ADD, rpc.AuthRoleAddRequest(name=name))

    async def role_delete(self, name: str) -> rpc.AuthRoleDeleteResponse:
        """Deletes a role; users lose it."""
        return await self.call(ROLE_DELETE, rpc.AuthRoleDeleteRequest(role=name))

    async def role_get(self, name: str) -> rpc.AuthRoleGetResponse:
        """The permissions of a role."""
        return await self.call(ROLE_GET, rpc.AuthRoleGetRequest(role=name))

    async def roles(self) -> rpc.AuthRoleListResponse:
        """The names of all roles."""
        return await self.call(ROLE_LIST, rpc.AuthRoleListRequest())

    async def role_grant_permission(
        self,
        name: str,
        access: Access,
        key: Data,
        range_end: Data | None = None,
        *,
        prefix: bool = False,
        from_key: bool = False,
    ) -> rpc.AuthRoleGrantPermissionResponse:
        """Lets a role read, write, or both, the keys of a range (as in `Client.range`)."""
        first, end = key_range(key, range_end, prefix=prefix, from_key=from_key)
        permission = Permission(permType=_ACCESS[access], key=first, range_end=end)
        return await self.call(ROLE_GRANT_PERMISSION, rpc.AuthRoleGrantPermissionRequest(name=name, perm=permission))

    async def role_revoke_permission(
        self, name: str, key: Data, range_end: Data | None = None, *, prefix: bool = False, from_key: bool = False
    ) -> rpc.AuthRoleRevokePermissionResponse:
        """Takes back what was granted for this very range."""
        first, end = key_range(key, range_end, prefix=prefix, from_key=from_key)
        return await self.call(ROLE_REVOKE_PERMISSION, rpc.AuthRoleRevokePermissionRequest(role=name, key=first, range_end=end))
