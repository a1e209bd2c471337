from raftkv.pb import rpc as _rpc_pb2
from raftkv.pb import lighthouse as _lighthouse_pb2
from raftkv.pb import quota as _quota_pb2
from raftkv.pb import rendezvous as _rendezvous_pb2
from raftkv.pb import update as _update_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RequestId(_message.Message):
    __slots__ = ("client", "sequence")
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    client: bytes
    sequence: int
    def __init__(self, client: _Optional[bytes] = ..., sequence: _Optional[int] = ...) -> None: ...

class Command(_message.Message):
    __slots__ = ("proposer", "proposal", "request_id", "user", "auth_revision", "refusal", "trace", "put", "delete_range", "txn", "compact", "alarm", "set_member", "change_member", "set_cluster_version", "lease_grant", "lease_revoke", "checkpoint_leases", "expire_leases", "auth_enable", "auth_disable", "user_add", "user_delete", "user_change_password", "user_grant_role", "user_revoke_role", "role_add", "role_delete", "role_grant_permission", "role_revoke_permission", "set_downgrade", "issue_token", "rendezvous", "rendezvous_timeouts", "update", "form_quorum", "set_quota", "remove_quota")
    PROPOSER_FIELD_NUMBER: _ClassVar[int]
    PROPOSAL_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    AUTH_REVISION_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    PUT_FIELD_NUMBER: _ClassVar[int]
    DELETE_RANGE_FIELD_NUMBER: _ClassVar[int]
    TXN_FIELD_NUMBER: _ClassVar[int]
    COMPACT_FIELD_NUMBER: _ClassVar[int]
    ALARM_FIELD_NUMBER: _ClassVar[int]
    SET_MEMBER_FIELD_NUMBER: _ClassVar[int]
    CHANGE_MEMBER_FIELD_NUMBER: _ClassVar[int]
    SET_CLUSTER_VERSION_FIELD_NUMBER: _ClassVar[int]
    LEASE_GRANT_FIELD_NUMBER: _ClassVar[int]
    LEASE_REVOKE_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_LEASES_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_LEASES_FIELD_NUMBER: _ClassVar[int]
    AUTH_ENABLE_FIELD_NUMBER: _ClassVar[int]
    AUTH_DISABLE_FIELD_NUMBER: _ClassVar[int]
    USER_ADD_FIELD_NUMBER: _ClassVar[int]
    USER_DELETE_FIELD_NUMBER: _ClassVar[int]
    USER_CHANGE_PASSWORD_FIELD_NUMBER: _ClassVar[int]
    USER_GRANT_ROLE_FIELD_NUMBER: _ClassVar[int]
    USER_REVOKE_ROLE_FIELD_NUMBER: _ClassVar[int]
    ROLE_ADD_FIELD_NUMBER: _ClassVar[int]
    ROLE_DELETE_FIELD_NUMBER: _ClassVar[int]
    ROLE_GRANT_PERMISSION_FIELD_NUMBER: _ClassVar[int]
    ROLE_REVOKE_PERMISSION_FIELD_NUMBER: _ClassVar[int]
    SET_DOWNGRADE_FIELD_NUMBER: _ClassVar[int]
    ISSUE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    RENDEZVOUS_FIELD_NUMBER: _ClassVar[int]
    RENDEZVOUS_TIMEOUTS_FIELD_NUMBER: _ClassVar[int]
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    FORM_QUORUM_FIELD_NUMBER: _ClassVar[int]
    SET_QUOTA_FIELD_NUMBER: _ClassVar[int]
    REMOVE_QUOTA_FIELD_NUMBER: _ClassVar[int]
    proposer: int
    proposal: int
    request_id: RequestId
    user: str
    auth_revision: int
    refusal: int
    trace: bytes
    put: _rpc_pb2.PutRequest
    delete_range: _rpc_pb2.DeleteRangeRequest
    txn: _rpc_pb2.TxnRequest
    compact: _rpc_pb2.CompactionRequest
    alarm: _rpc_pb2.AlarmRequest
    set_member: SetMember
    change_member: ChangeMember
    set_cluster_version: SetClusterVersion
    lease_grant: _rpc_pb2.LeaseGrantRequest
    lease_revoke: _rpc_pb2.LeaseRevokeRequest
    checkpoint_leases: CheckpointLeases
    expire_leases: ExpireLeases
    auth_enable: _rpc_pb2.AuthEnableRequest
    auth_disable: _rpc_pb2.AuthDisableRequest
    user_add: _rpc_pb2.AuthUserAddRequest
    user_delete: _rpc_pb2.AuthUserDeleteRequest
    user_change_password: _rpc_pb2.AuthUserChangePasswordRequest
    user_grant_role: _rpc_pb2.AuthUserGrantRoleRequest
    user_revoke_role: _rpc_pb2.AuthUserRevokeRoleRequest
    role_add: _rpc_pb2.AuthRoleAddRequest
    role_delete: _rpc_pb2.AuthRoleDeleteRequest
    role_grant_permission: _rpc_pb2.AuthRoleGrantPermissionRequest
    role_revoke_permission: _rpc_pb2.AuthRoleRevokePermissionRequest
    set_downgrade: SetDowngrade
    issue_token: IssueToken
    rendezvous: _rendezvous_pb2.JobChange
    rendezvous_timeouts: _rendezvous_pb2.JobTimeouts
    update: _update_pb2.UpdateRequest
    form_quorum: _lighthouse_pb2.FormQuorum
    set_quota: _quota_pb2.SetQuotaRequest
    remove_quota: _quota_pb2.RemoveQuotaRequest
    def __init__(self, proposer: _Optional[int] = ..., proposal: _Optional[int] = ..., request_id: _Optional[_Union[RequestId, _Mapping]] = ..., user: _Optional[str] = ..., auth_revision: _Optional[int] = ..., refusal: _Optional[int] = ..., trace: _Optional[bytes] = ..., put: _Optional[_Union[_rpc_pb2.PutRequest, _Mapping]] = ..., delete_range: _Optional[_Union[_rpc_pb2.DeleteRangeRequest, _Mapping]] = ..., txn: _Optional[_Union[_rpc_pb2.TxnRequest, _Mapping]] = ..., compact: _Optional[_Union[_rpc_pb2.CompactionRequest, _Mapping]] = ..., alarm: _Optional[_Union[_rpc_pb2.AlarmRequest, _Mapping]] = ..., set_member: _Optional[_Union[SetMember, _Mapping]] = ..., change_member: _Optional[_Union[ChangeMember, _Mapping]] = ..., set_cluster_version: _Optional[_Union[SetClusterVersion, _Mapping]] = ..., lease_grant: _Optional[_Union[_rpc_pb2.LeaseGrantRequest, _Mapping]] = ..., lease_revoke: _Optional[_Union[_rpc_pb2.LeaseRevokeRequest, _Mapping]] = ..., checkpoint_leases: _Optional[_Union[CheckpointLeases, _Mapping]] = ..., expire_leases: _Optional[_Union[ExpireLeases, _Mapping]] = ..., auth_enable: _Optional[_Union[_rpc_pb2.AuthEnableRequest, _Mapping]] = ..., auth_disable: _Optional[_Union[_rpc_pb2.AuthDisableRequest, _Mapping]] = ..., user_add: _Optional[_Union[_rpc_pb2.AuthUserAddRequest, _Mapping]] = ..., user_delete: _Optional[_Union[_rpc_pb2.AuthUserDeleteRequest, _Mapping]] = ..., user_change_password: _Optional[_Union[_rpc_pb2.AuthUserChangePasswordRequest, _Mapping]] = ..., user_grant_role: _Optional[_Union[_rpc_pb2.AuthUserGrantRoleRequest, _Mapping]] = ..., user_revoke_role: _Optional[_Union[_rpc_pb2.AuthUserRevokeRoleRequest, _Mapping]] = ..., role_add: _Optional[_Union[_rpc_pb2.AuthRoleAddRequest, _Mapping]] = ..., role_delete: _Optional[_Union[_rpc_pb2.AuthRoleDeleteRequest, _Mapping]] = ..., role_grant_permission: _Optional[_Union[_rpc_pb2.AuthRoleGrantPermissionRequest, _Mapping]] = ..., role_revoke_permission: _Optional[_Union[_rpc_pb2.AuthRoleRevokePermissionRequest, _Mapping]] = ..., set_downgrade: _Optional[_Union[SetDowngrade, _Mapping]] = ..., issue_token: _Optional[_Union[IssueToken, _Mapping]] = ..., rendezvous: _Optional[_Union[_rendezvous_pb2.JobChange, _Mapping]] = ..., rendezvous_timeouts: _Optional[_Union[_rendezvous_pb2.JobTimeouts, _Mapping]] = ..., update: _Optional[_Union[_update_pb2.UpdateRequest, _Mapping]] = ..., form_quorum: _Optional[_Union[_lighthouse_pb2.FormQuorum, _Mapping]] = ..., set_quota: _Optional[_Union[_quota_pb2.SetQuotaRequest, _Mapping]] = ..., remove_quota: _Optional[_Union[_quota_pb2.RemoveQuotaRequest, _Mapping]] = ...) -> None: ...

class SetMember(_message.Message):
    __slots__ = ("member",)
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    member: _rpc_pb2.Member
    def __init__(self, member: _Optional[_Union[_rpc_pb2.Member, _Mapping]] = ...) -> None: ...

class ChangeMember(_message.Message):
    __slots__ = ("action", "member")
    class Action(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ADD: _ClassVar[ChangeMember.Action]
        PROMOTE: _ClassVar[ChangeMember.Action]
        UPDATE: _ClassVar[ChangeMember.Action]
        REMOVE: _ClassVar[ChangeMember.Action]
    ADD: ChangeMember.Action
    PROMOTE: ChangeMember.Action
    UPDATE: ChangeMember.Action
    REMOVE: ChangeMember.Action
    ACTION_FIELD_NUMBER: _ClassVar[int]
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    action: ChangeMember.Action
    member: _rpc_pb2.Member
    def __init__(self, action: _Optional[_Union[ChangeMember.Action, str]] = ..., member: _Optional[_Union[_rpc_pb2.Member, _Mapping]] = ...) -> None: ...

class SetClusterVersion(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: str
    def __init__(self, version: _Optional[str] = ...) -> None: ...

class ExpireLeases(_message.Message):
    __slots__ = ("term", "ids")
    TERM_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    term: int
    ids: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, term: _Optional[int] = ..., ids: _Optional[_Iterable[int]] = ...) -> None: ...

class CheckpointLeases(_message.Message):
    __slots__ = ("term", "ids", "remaining_s")
    TERM_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    REMAINING_S_FIELD_NUMBER: _ClassVar[int]
    term: int
    ids: _containers.RepeatedScalarFieldContainer[int]
    remaining_s: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, term: _Optional[int] = ..., ids: _Optional[_Iterable[int]] = ..., remaining_s: _Optional[_Iterable[int]] = ...) -> None: ...

class SetDowngrade(_message.Message):
    __slots__ = ("target_version",)
    TARGET_VERSION_FIELD_NUMBER: _ClassVar[int]
    target_version: str
    def __init__(self, target_version: _Optional[str] = ...) -> None: ...

class IssueToken(_message.Message):
    __slots__ = ("user", "digest", "auth_revision")
    USER_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    AUTH_REVISION_FIELD_NUMBER: _ClassVar[int]
    user: str
    digest: bytes
    auth_revision: int
    def __init__(self, user: _Optional[str] = ..., digest: _Optional[bytes] = ..., auth_revision: _Optional[int] = ...) -> None: ...
