"""The body of a command: the request's own bytes behind the tag of its field in command.Command."""

from raftkv.mvcc.plain import read_plain_put, read_varint, varint
from raftkv.pb.command import Command

_LENGTH_DELIMITED = 2


def _tag(field: str) -> bytes:
    number = Command.DESCRIPTOR.fields_by_name[field].number
    return varint(number << 3 | _LENGTH_DELIMITED)


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
RENDEZVOUS = _tag("rendezvous")
RENDEZVOUS_TIMEOUTS = _tag("rendezvous_timeouts")
UPDATE = _tag("update")
FORM_QUORUM = _tag("form_quorum")
SET_QUOTA = _tag("set_quota")
REMOVE_QUOTA = _tag("remove_quota")


_PROPOSER, _PROPOSAL = 0x08, 0x10
_PUT_TAG = PUT[0]


def plain_put(data: bytes) -> tuple[int, int, bytes, bytes] | None:
    """Proposer, proposal, key and value of an encoded Command that is a plain put; None where it is more than that (a request
    id, a user, an option) or something else. It spares the common command the descriptors' way through every field.
    """
    if data[0] != _PROPOSER:
        return None
    try:
        proposer, at = read_varint(data, 1)
        if data[at] != _PROPOSAL:
            return None
        proposal, at = read_varint(data, at + 1)
        if data[at] != _PUT_TAG:
            return None
        length, at = read_varint(data, at + 1)
        put = read_plain_put(data, at) if at + length == len(data) else None
    except IndexError:
        return None
    return None if put is None else (proposer, proposal, put[0], put[1])


def body(tag: bytes, message: bytes) -> bytes:
    """An encoded message as the field of that tag."""
    return tag + varint(len(message)) + message
