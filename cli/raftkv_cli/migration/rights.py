"""Users and roles. Passwords cannot be copied: etcd tells nobody, not even their hashes. So each user gets the one that the operator
gives, or none, with which it can come by certificate only.
"""

from collections.abc import Mapping
from contextlib import suppress

from raftkv.client import Client
from raftkv.errors import RoleAlreadyExistsError, UserAlreadyExistsError
from raftkv.pb.auth import Permission

_ACCESS = {Permission.READ: "read", Permission.WRITE: "write", Permission.READWRITE: "readwrite"}


async def copy_rights(source: Client, target: Client, passwords: Mapping[str, str]) -> list[str]:
    """Copies all roles and users, and answers which users have no password yet."""
    for role in (await source.roles()).roles:
        with suppress(RoleAlreadyExistsError):  # by an earlier attempt, or always there, as root is
            await target.role_add(role)
        for permission in (await source.role_get(role)).perm:
            access = _ACCESS[permission.permType]
            await target.role_grant_permission(role, access, permission.key, permission.range_end or None)  # type: ignore[arg-type]  # one of three words
    without: list[str] = []
    for user in (await source.users()).users:
        with suppress(UserAlreadyExistsError):
            await target.user_add(user, passwords.get(user))
        for role in (await source.user_get(user)).roles:
            await target.user_grant_role(user, role)
        if user not in passwords:
            without.append(user)
    return without
