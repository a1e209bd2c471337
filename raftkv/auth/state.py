"""Users and roles as replicated state: changed by log entries alone, alike on every replica.

    AUTH    "enabled"        present while authentication is on
            "revision"       u64, 1 at first; every change adds one
            "user/" name     authpb.User, the password as a bcrypt hash
            "role/" name     authpb.Role, its permissions by key and end

The rules and the order of their checks are etcd's (server/auth/store.go). Whoever has the role root may do everything; the
role need not exist. While authentication is on neither the user root nor its role can be taken away.
"""

from base64 import b64decode
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple, Protocol

from raftkv.auth.access import LeaseKeys, is_allowed
from raftkv.auth.permissions import Permissions, is_range
from raftkv.errors import (
    AuthNotEnabledError,
    AuthOldRevisionError,
    InvalidAuthManagementError,
    InvalidAuthTokenError,
    PermissionDeniedError,
    PermissionNotGivenError,
    PermissionNotGrantedError,
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
from raftkv.pb.auth import Permission, Role, User
from raftkv.pb.command import IssueToken
from raftkv.storage.engine import Table
from raftkv.storage.overlay import Overlay

ROOT = "root"
"""The user that must be there, and the role that may do everything."""

_ENABLED, _REVISION, _USER, _ROLE = b"enabled", b"revision", b"user/", b"role/"
_FIRST_REVISION = 1


AuthResponse = (
    rpc.AuthEnableResponse
    | rpc.AuthDisableResponse
    | rpc.AuthenticateResponse
    | rpc.AuthUserAddResponse
    | rpc.AuthUserDeleteResponse
    | rpc.AuthUserChangePasswordResponse
    | rpc.AuthUserGrantRoleResponse
    | rpc.AuthUserRevokeRoleResponse
    | rpc.AuthRoleAddResponse
    | rpc.AuthRoleDeleteResponse
    | rpc.AuthRoleGrantPermissionResponse
    | rpc.AuthRoleRevokePermissionResponse
)


class Author(NamedTuple):
    """Who makes a request, and as of which auth revision that is known."""

    user: str
    revision: int


NODE: Final = Author("", 2**64 - 1)
"""A node, for what it does of its own accord. No caller becomes this one: callers have names."""


class TokenBook(Protocol):
    """This node's tokens: told by the log which come and go. What it answers nobody, no replica depends on it."""

    def issue(self, digest: bytes, index: int, user: str) -> None: ...
    def revoke(self, user: str) -> None: ...
    def revoke_all(self) -> None: ...


class NoTokens:
    """A node that keeps none."""

    def issue(self, digest: bytes, index: int, user: str) -> None: ...
    def revoke(self, user: str) -> None: ...
    def revoke_all(self) -> None: ...


class Auth:
    """Users, roles, and whether they count. `load` comes first, and again after a snapshot was installed."""

    def __init__(self, state: Overlay, lease_keys: LeaseKeys) -> None:
        self._state = state
        self._lease_keys = lease_keys
        self.tokens: TokenBook = NoTokens()
        self.enabled = False
        self.revision = _FIRST_REVISION
        self.users: dict[str, User] = {}
        """By name; not to be changed."""
        self.roles: dict[str, Role] = {}
        """By name; not to be changed."""
        self.changed: Callable[[], None] = lambda: None
        """Called after every change, so that what goes on can be looked at again."""
        self._permissions: dict[str, Permissions] = {}
        """Those that were asked for since the last change."""
        self._identities: dict[str, int] = {}
        """When a user was added, deleted, or given a password, as far as this process has seen it."""
        self._loaded = _FIRST_REVISION

    def load(self) -> None:
        """Takes up what the table holds."""
        row = self._state.get(Table.AUTH, _REVISION)
        self.revision = _FIRST_REVISION if row is None else int.from_bytes(row, "big")
        self.enabled = self._state.get(Table.AUTH, _ENABLED) is not None
        users = (User.FromString(row) for _, row in self._state.scan(Table.AUTH, _USER, b"user0"))
        self.users = {user.name.decode(): user for user in users}
        roles = (Role.FromString(row) for _, row in self._state.scan(Table.AUTH, _ROLE, b"role0"))
        self.roles = {role.name.decode(): role for role in roles}
        self._permissions = {}
        self._identities = {}
        self._loaded = self.revision
        self.changed()

    # --- questions --------------------------------------------------------------------------------------------------

    def check(self, author: Author | None, request: Any) -> None:
        """Refuses a request that its author may not make; `request` as the client sent it.

        Raises:
            UserEmptyError: nobody says who asks.
            AuthOldRevisionError: users or roles have changed since it was known who asks.
            PermissionDeniedError: the user is gone, or may not.
        """
        if self.enabled and not is_allowed(self.permissions(author), request, self._lease_keys):
            raise PermissionDeniedError

    def check_known(self, author: Author | None) -> None:
        """Refuses whoever is no user; raises as `check` does."""
        if self.enabled:
            self.permissions(author)

    def check_root(self, author: Author | None) -> None:
        """Refuses whoever has not the role root. As in etcd it is that role now which counts, whatever the auth revision: an
        administrator's own change must not make the next one fail.
        """
        if not self.enabled:
            return
        if author is None or not author.user:
            raise UserEmptyError
        if not self._of(author.user).is_root:
            raise PermissionDeniedError

    def permissions(self, author: Author | None) -> Permissions:
        """What the author may do; raises as `check` does."""
        if author is None or not author.user:
            raise UserEmptyError
        if author.revision < self.revision:
            raise AuthOldRevisionError
        return self._of(author.user)

    def _of(self, name: str) -> Permissions:
        found = self._permissions.get(name)
        return self._merge(name) if found is None else found

    def _merge(self, name: str) -> Permissions:
        user = self.users.get(name)
        if user is None:
            raise PermissionDeniedError
        roles = [self.roles[role] for role in user.roles if role in self.roles]
        grants = [grant for role in roles for grant in role.keyPermission]
        merged = self._permissions[name] = Permissions(grants, is_root=ROOT in user.roles)
        return merged

    def still(self, author: Author) -> Author:
        """Who was identified once and goes on to ask, on the same stream: its token may expire meanwhile, but not the identity.

        Raises:
            InvalidAuthTokenError: the user is gone, or has another password.
        """
        if author.user not in self.users or self._identities.get(author.user, self._loaded) > author.revision:
            raise InvalidAuthTokenError
        return Author(author.user, self.revision)

    def user(self, name: str) -> User:
        """Raises UserNotFoundError."""
        user = self.users.get(name)
        if user is None:
            raise UserNotFoundError
        return user

    def role(self, name: str) -> Role:
        """Raises RoleNotFoundError."""
        role = self.roles.get(name)
        if role is None:
            raise RoleNotFoundError
        return role

    # --- on and off -------------------------------------------------------------------------------------------------

    def enable(self, _request: rpc.AuthEnableRequest) -> rpc.AuthEnableResponse:
        """From now on every request needs a user. Not a change of users or roles, so the revision stays (etcd)."""
        if not self.enabled:
            root = self.users.get(ROOT)
            if root is None:
                raise RootUserNotExistError
            if ROOT not in root.roles:
                raise RootRoleNotExistError
            self._state.put(Table.AUTH, _ENABLED, b"")
            self.enabled = True
            self.changed()
        return rpc.AuthEnableResponse()

    def disable(self, _request: rpc.AuthDisableRequest) -> rpc.AuthDisableResponse:
        """From now on nobody is asked who they are."""
        if self.enabled:
            self._state.delete(Table.AUTH, _ENABLED)
            self.enabled = False
            self.tokens.revoke_all()
            self._changed()
        return rpc.AuthDisableResponse()

    def issue_token(self, request: IssueToken, index: int) -> rpc.AuthenticateResponse:
        """A token for a user whose password was right as of an auth revision; the answer has the token's public half."""
        if not self.enabled:
            raise AuthNotEnabledError
        if request.auth_revision != self.revision or request.user not in self.users:
            raise AuthOldRevisionError
        self.tokens.issue(request.digest, index, request.user)
        return rpc.AuthenticateResponse(token=str(index))

    # --- users ------------------------------------------------------------------------------------------------------

    def user_add(self, request: rpc.AuthUserAddRequest) -> rpc.AuthUserAddResponse:
        if not request.name:
            raise UserEmptyError
        if request.name in self.users:
            raise UserAlreadyExistsError
        user = User(name=request.name.encode())
        user.options.CopyFrom(request.options)
        if not request.options.no_password:
            user.password = b64decode(request.hashedPassword)
        self._put_user(user)
        self._changed(identity=request.name)
        return rpc.AuthUserAddResponse()

    def user_delete(self, request: rpc.AuthUserDeleteRequest) -> rpc.AuthUserDeleteResponse:
        if self.enabled and request.name == ROOT:
            raise InvalidAuthManagementError
        self.user(request.name)
        del self.users[request.name]
        self._state.delete(Table.AUTH, _USER + request.name.encode())
        self.tokens.revoke(request.name)
        self._changed(identity=request.name)
        return rpc.AuthUserDeleteResponse()

    def user_change_password(self, request: rpc.AuthUserChangePasswordRequest) -> rpc.AuthUserChangePasswordResponse:
        user = self.user(request.name)
        if not user.options.no_password:
            user.password = b64decode(request.hashedPassword)
            self._put_user(user)
        self.tokens.revoke(request.name)
        self._changed(identity=request.name)
        return rpc.AuthUserChangePasswordResponse()

    def user_grant_role(self, request: rpc.AuthUserGrantRoleRequest) -> rpc.AuthUserGrantRoleResponse:
        user = self.user(request.user)
        if request.role != ROOT:
            self.role(request.role)
        if request.role not in user.roles:
            user.roles[:] = sorted([*user.roles, request.role])
            self._put_user(user)
            self._changed()
        return rpc.AuthUserGrantRoleResponse()

    def user_revoke_role(self, request: rpc.AuthUserRevokeRoleRequest) -> rpc.AuthUserRevokeRoleResponse:
        if self.enabled and (request.name, request.role) == (ROOT, ROOT):
            raise InvalidAuthManagementError
        user = self.user(request.name)
        if request.role not in user.roles:
            raise RoleNotGrantedError
        user.roles.remove(request.role)
        self._put_user(user)
        self._changed()
        return rpc.AuthUserRevokeRoleResponse()

    # --- roles ------------------------------------------------------------------------------------------------------

    def role_add(self, request: rpc.AuthRoleAddRequest) -> rpc.AuthRoleAddResponse:
        if not request.name:
            raise RoleEmptyError
        if request.name in self.roles:
            raise RoleAlreadyExistsError
        self._put_role(Role(name=request.name.encode()))
        self._changed()
        return rpc.AuthRoleAddResponse()

    def role_delete(self, request: rpc.AuthRoleDeleteRequest) -> rpc.AuthRoleDeleteResponse:
        if self.enabled and request.role == ROOT:
            raise InvalidAuthManagementError
        self.role(request.role)
        del self.roles[request.role]
        self._state.delete(Table.AUTH, _ROLE + request.role.encode())
        for user in self.users.values():
            if request.role in user.roles:
                user.roles.remove(request.role)
                self._put_user(user)
        self._changed()
        return rpc.AuthRoleDeleteResponse()

    def role_grant_permission(self, request: rpc.AuthRoleGrantPermissionRequest) -> rpc.AuthRoleGrantPermissionResponse:
        if not request.HasField("perm"):
            raise PermissionNotGivenError
        given = request.perm
        if not is_range(given.key, given.range_end):
            raise InvalidAuthManagementError
        role = self.role(request.name)
        others = _without(role, given.key, given.range_end)
        del role.keyPermission[:]
        role.keyPermission.extend(sorted([*others, given], key=_by_range))
        self._put_role(role)
        self._changed()
        return rpc.AuthRoleGrantPermissionResponse()

    def role_revoke_permission(self, request: rpc.AuthRoleRevokePermissionRequest) -> rpc.AuthRoleRevokePermissionResponse:
        role = self.role(request.role)
        others = _without(role, request.key, request.range_end)
        if len(others) == len(role.keyPermission):
            raise PermissionNotGrantedError
        del role.keyPermission[:]
        role.keyPermission.extend(others)
        self._put_role(role)
        self._changed()
        return rpc.AuthRoleRevokePermissionResponse()

    # --- rows -------------------------------------------------------------------------------------------------------

    def handlers(self) -> dict[str, Callable[[Any], AuthResponse]]:
        """What carries out each command of users and roles, by its field in command.Command."""
        return {
            "auth_enable": self.enable,
            "auth_disable": self.disable,
            "user_add": self.user_add,
            "user_delete": self.user_delete,
            "user_change_password": self.user_change_password,
            "user_grant_role": self.user_grant_role,
            "user_revoke_role": self.user_revoke_role,
            "role_add": self.role_add,
            "role_delete": self.role_delete,
            "role_grant_permission": self.role_grant_permission,
            "role_revoke_permission": self.role_revoke_permission,
        }

    def _put_user(self, user: User) -> None:
        self.users[user.name.decode()] = user
        self._state.put(Table.AUTH, _USER + user.name, user.SerializeToString(deterministic=True))

    def _put_role(self, role: Role) -> None:
        self.roles[role.name.decode()] = role
        self._state.put(Table.AUTH, _ROLE + role.name, role.SerializeToString(deterministic=True))

    def _changed(self, identity: str = "") -> None:
        """Whoever was identified before must be so again, and what was merged is merged anew."""
        self.revision += 1
        if identity:
            self._identities[identity] = self.revision
        self._state.put(Table.AUTH, _REVISION, self.revision.to_bytes(8, "big"))
        self._permissions = {}
        self.changed()


def _without(role: Role, key: bytes, range_end: bytes) -> list[Permission]:
    """Copies of the role's permissions, but for the one of this range."""
    kept = (grant for grant in role.keyPermission if (grant.key, grant.range_end) != (key, range_end))
    return [_copy(grant) for grant in kept]


def _copy(grant: Permission) -> Permission:
    copied = Permission()
    copied.CopyFrom(grant)
    return copied


def _by_range(grant: Permission) -> tuple[bytes, bytes]:
    return grant.key, grant.range_end


def names(of: Iterable[str]) -> list[str]:
    """In the order of their bytes, as etcd lists them."""
    return sorted(of, key=str.encode)
