"""etcdserverpb.Cluster: who the members are."""

from typing import Any

from raftkv.pb import rpc
from raftkv.reply import Reply
from raftkv.rpc.method import Call, Kind, Method
from raftkv.server.replica import Replica


class Cluster:
    """The service."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    def methods(self) -> list[Method]:
        """What it offers."""
        return [
            Method(
                "/etcdserverpb.Cluster/MemberList",
                Kind.UNARY,
                rpc.MemberListRequest,
                rpc.MemberListResponse,
                self.member_list,
            )
        ]

    def member_list(self, request: rpc.MemberListRequest, call: Call) -> Reply[Any]:  # noqa: ARG002 (a handler's shape)
        """All members, as of now if the caller asks for linearizable."""
        read = self._replica.read if request.linearizable else self._replica.read_local
        return read(self._list)

    def _list(self) -> rpc.MemberListResponse:
        members = self._replica.members
        response = rpc.MemberListResponse(members=[members[identifier] for identifier in sorted(members)])
        self._replica.fill(response.header)
        return response
