"""The methods of the API that the client calls, and what may be done when a call to one fails."""

from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

from google.protobuf.message import Message

from raftkv.pb import rpc
from raftkv.pb.update import UpdateResponse

Response = TypeVar("Response", bound=Message)


class Repeat(Enum):
    """Whether a request that may have been executed may be sent once more."""

    ALWAYS = "always"
    """It changes nothing, or changes nothing more when it is executed twice."""
    BY_ID = "by id"
    """It goes through the log of the cluster, where raftkv knows it by its request id; other servers do not."""
    NEVER = "never"
    """Nothing tells a repetition from a second request."""


@dataclass(frozen=True, slots=True)
class Method(Generic[Response]):
    """One method with one request and one answer."""

    path: str
    response: type[Response]
    repeat: Repeat = Repeat.NEVER


RANGE = Method("/etcdserverpb.KV/Range", rpc.RangeResponse, Repeat.ALWAYS)
PUT = Method("/etcdserverpb.KV/Put", rpc.PutResponse, Repeat.BY_ID)
DELETE_RANGE = Method("/etcdserverpb.KV/DeleteRange", rpc.DeleteRangeResponse, Repeat.BY_ID)
TXN = Method("/etcdserverpb.KV/Txn", rpc.TxnResponse, Repeat.BY_ID)
READ_TXN = Method("/etcdserverpb.KV/Txn", rpc.TxnResponse, Repeat.ALWAYS)
COMPACT = Method("/etcdserverpb.KV/Compact", rpc.CompactionResponse, Repeat.BY_ID)
LEASE_GRANT = Method("/etcdserverpb.Lease/LeaseGrant", rpc.LeaseGrantResponse, Repeat.BY_ID)
NAMED_LEASE_GRANT = Method("/etcdserverpb.Lease/LeaseGrant", rpc.LeaseGrantResponse, Repeat.ALWAYS)
"""Under an id drawn by lot, so "lease already exists" tells that an earlier copy of the request was executed."""
LEASE_REVOKE = Method("/etcdserverpb.Lease/LeaseRevoke", rpc.LeaseRevokeResponse, Repeat.BY_ID)
LEASE_TIME_TO_LIVE = Method("/etcdserverpb.Lease/LeaseTimeToLive", rpc.LeaseTimeToLiveResponse, Repeat.ALWAYS)
LEASE_LEASES = Method("/etcdserverpb.Lease/LeaseLeases", rpc.LeaseLeasesResponse, Repeat.ALWAYS)
MEMBER_LIST = Method("/etcdserverpb.Cluster/MemberList", rpc.MemberListResponse, Repeat.ALWAYS)
MEMBER_ADD = Method("/etcdserverpb.Cluster/MemberAdd", rpc.MemberAddResponse)
MEMBER_PROMOTE = Method("/etcdserverpb.Cluster/MemberPromote", rpc.MemberPromoteResponse)
MEMBER_UPDATE = Method("/etcdserverpb.Cluster/MemberUpdate", rpc.MemberUpdateResponse, Repeat.ALWAYS)
MEMBER_REMOVE = Method("/etcdserverpb.Cluster/MemberRemove", rpc.MemberRemoveResponse)
STATUS = Method("/etcdserverpb.Maintenance/Status", rpc.StatusResponse, Repeat.ALWAYS)
AUTHENTICATE = Method("/etcdserverpb.Auth/Authenticate", rpc.AuthenticateResponse, Repeat.ALWAYS)
ALARM = Method("/etcdserverpb.Maintenance/Alarm", rpc.AlarmResponse, Repeat.ALWAYS)
UPDATE = Method("/raftkv.v1.Updates/Update", UpdateResponse, Repeat.BY_ID)

MOVE_LEADER = Method("/etcdserverpb.Maintenance/MoveLeader", rpc.MoveLeaderResponse)
DEFRAGMENT = Method("/etcdserverpb.Maintenance/Defragment", rpc.DefragmentResponse, Repeat.ALWAYS)
HASH_KV = Method("/etcdserverpb.Maintenance/HashKV", rpc.HashKVResponse, Repeat.ALWAYS)
DOWNGRADE = Method("/etcdserverpb.Maintenance/Downgrade", rpc.DowngradeResponse)

SNAPSHOT_PATH = "/etcdserverpb.Maintenance/Snapshot"
WATCH_PATH = "/etcdserverpb.Watch/Watch"
LEASE_KEEP_ALIVE_PATH = "/etcdserverpb.Lease/LeaseKeepAlive"
