"""The body of a command: the request's own bytes behind the tag of its field in command.Command."""

from raftkv.pb.command import Command

_LENGTH_DELIMITED = 2


def _tag(field: str) -> bytes:
    number = Command.DESCRIPTOR.fields_by_name[field].number
    return _varint(number << 3 | _LENGTH_DELIMITED)


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


PUT = _tag("put")
DELETE_RANGE = _tag("delete_range")
TXN = _tag("txn")
COMPACT = _tag("compact")
ALARM = _tag("alarm")
LEASE_GRANT = _tag("lease_grant")
LEASE_REVOKE = _tag("lease_revoke")
CHECKPOINT_LEASES = _tag("checkpoint_leases")
EXPIRE_LEASES = _tag("expire_leases")
SET_MEMBER = _tag("set_member")
CHANGE_MEMBER = _tag("change_member")
SET_DOWNGRADE = _tag("set_downgrade")
AUTH_ENABLE = _tag("auth_enable")
AUTH_DISABLE = _tag("auth_disable")
USER_ADD = _tag("user_add")
USER_DELETE = _tag("user_delete")
USER_CHANGE_PASSWORD = _tag("user_change_password")
USER_GRANT_ROLE = _tag("user_grant_role")
USER_REVOKE_ROLE = _tag("user_revoke_role")
ROLE_ADD = _tag("role_add")
ROLE_DELETE = _tag("role_delete")
ROLE_GRANT_PERMISSION = _tag("role_grant_permission")
ROLE_REVOKE_PERMISSION = _tag("role_revoke_permission")
ISSUE_TOKEN = _tag("issue_token")
UPDATE = _tag("update")


def body(tag: bytes, message: bytes) -> bytes:
    """An encoded message as the field of that tag."""
    return tag + _varint(len(message)) + message
