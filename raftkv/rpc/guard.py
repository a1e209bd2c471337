"""What holds for every method: callers that need a leader hear at once that there is none, and learners refuse most things."""

from dataclasses import replace
from typing import Any

from raftkv.errors import LearnerError, NoLeaderError
from raftkv.pb.rpc import RangeRequest
from raftkv.rpc.metadata import needs_leader
from raftkv.rpc.method import Call, Method
from raftkv.server.replica import Replica

LEARNER_METHODS = frozenset(
    {
        "/etcdserverpb.Maintenance/Status",
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/Watch",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    }
)
"""What a learner answers, besides serializable ranges."""


def guarded(method: Method, replica: Replica) -> Method:
    """The method with these checks before its handler."""
    handler = method.handler
    always = method.path in LEARNER_METHODS

    def checked(request: Any, call: Call) -> Any:
        if needs_leader(call.metadata) and not replica.leader:
            raise NoLeaderError
        if replica.is_learner and not always and not (type(request) is RangeRequest and request.serializable):
            raise LearnerError
        return handler(request, call)

    return replace(method, handler=checked)
