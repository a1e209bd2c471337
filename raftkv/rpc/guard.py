"""What holds for every method: callers that need a leader hear at once that there is none, learners refuse most things, and
while authentication is on every method asks who calls.
"""

from dataclasses import replace
from typing import Any

from raftkv.errors import LearnerError, NoLeaderError
from raftkv.pb.rpc import RangeRequest
from raftkv.rpc.access import Access
from raftkv.rpc.admission import Admission, Check
from raftkv.rpc.metadata import needs_leader
from raftkv.rpc.method import Call, Method
from raftkv.server.replica import Replica

LEARNER_METHODS = frozenset(
    {
        "/etcdserverpb.Maintenance/Snapshot",
        "/etcdserverpb.Maintenance/Status",
        "/etcdserverpb.Watch/Watch",
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/Watch",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    }
)
"""What a learner answers, besides serializable ranges."""


def guarded(method: Method, replica: Replica, access: Access, check: Check | None = None) -> Method:
    """The method with these checks before its handler. `check`: raises where a request is wrong whoever sends it, which is told
    before its sender is turned away, as etcd does.
    """
    handler = method.handler
    auth = replica.machine.auth
    always = method.path in LEARNER_METHODS
    admitted = Admission(method, replica, access, check).call

    def checked(request: Any, call: Call) -> Any:
        if needs_leader(call.metadata) and not replica.leader:
            raise NoLeaderError
        if replica.is_learner and not always and not (type(request) is RangeRequest and request.serializable):
            raise LearnerError
        if auth.enabled:
            return admitted(request, call)
        return handler(request, call)

    return replace(method, handler=checked)
