"""etcdserverpb.Maintenance: a node's status, and alarms."""

from collections.abc import Callable
from typing import Any

from raftkv.apply.command import ALARM, body
from raftkv.pb import rpc
from raftkv.reply import Reply
from raftkv.rpc.method import Call, Kind, Method
from raftkv.server.quota import Quota
from raftkv.server.replica import Replica

API_VERSION = "3.5.21"
"""The version of etcd whose API is served: clients decide by it what they may ask for."""
STORAGE_VERSION = "3.5.0"


class Maintenance:
    """The service."""

    def __init__(self, replica: Replica, quota: Quota, size_on_disk: Callable[[], int]) -> None:
        self._replica = replica
        self._quota = quota
        self._size_on_disk = size_on_disk

    def methods(self) -> list[Method]:
        """What it offers."""
        return [
            Method("/etcdserverpb.Maintenance/Status", Kind.UNARY, rpc.StatusRequest, rpc.StatusResponse, self.status),
            Method("/etcdserverpb.Maintenance/Alarm", Kind.UNARY, rpc.AlarmRequest, rpc.AlarmResponse, self.alarm),
        ]

    def status(self, request: rpc.StatusRequest, call: Call) -> Reply[Any]:  # noqa: ARG002 (a handler's shape)
        """This node as it is now."""
        return self._replica.read_local(self._status)

    def alarm(self, request: rpc.AlarmRequest, call: Call) -> Reply[Any]:  # noqa: ARG002 (a handler's shape)
        """Reads, raises or disarms alarms."""
        return self._replica.propose(body(ALARM, call.body))

    def _status(self) -> rpc.StatusResponse:
        replica = self._replica
        response = rpc.StatusResponse(
            version=API_VERSION,
            dbSize=self._size_on_disk(),
            leader=replica.leader,
            raftIndex=replica.commit_index,
            raftTerm=replica.term,
            raftAppliedIndex=replica.machine.applied_index,
            errors=self._errors(),
            dbSizeInUse=replica.store.size_in_use,
            isLearner=replica.is_learner,
            storageVersion=STORAGE_VERSION,
            dbSizeQuota=self._quota.limit or 0,
        )
        replica.fill(response.header)
        response.header.revision = replica.store.revision
        return response

    def _errors(self) -> list[str]:
        """What is wrong, in etcd's words (server/etcdserver/api/v3rpc/maintenance.go)."""
        errors = [
            f"memberID:{member} alarm:{rpc.AlarmType.Name(alarm)} " for member, alarm in sorted(self._replica.machine.alarms)
        ]
        if not self._replica.leader:
            errors.insert(0, "etcdserver: no leader")
        return errors
