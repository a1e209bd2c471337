"""etcdserverpb.Cluster: who the members are, and how that changes.

What depends on nothing but the request is refused here. Everything else is the leader's to judge, at whatever node it was asked
(server/changes.py).
"""

from collections.abc import Iterable
from typing import Any

from raftkv.apply.command import CHANGE_MEMBER, body
from raftkv.config import parse_url
from raftkv.errors import BadMemberUrlsError, ConfigError, UnhealthyClusterError
from raftkv.pb import rpc
from raftkv.pb.command import ChangeMember
from raftkv.reply import Reply
from raftkv.rpc.method import Call, Kind, Method
from raftkv.server.replica import Replica

PREFIX = "/etcdserverpb.Cluster/Member"


class Cluster:
    """The service."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    def methods(self) -> list[Method]:
        """What it offers."""
        return [
            Method(PREFIX + "List", Kind.UNARY, rpc.MemberListRequest, rpc.MemberListResponse, self.member_list),
            Method(PREFIX + "Add", Kind.UNARY, rpc.MemberAddRequest, rpc.MemberAddResponse, self.member_add),
            Method(PREFIX + "Promote", Kind.UNARY, rpc.MemberPromoteRequest, rpc.MemberPromoteResponse, self.member_promote),
            Method(PREFIX + "Update", Kind.UNARY, rpc.MemberUpdateRequest, rpc.MemberUpdateResponse, self.member_update),
            Method(PREFIX + "Remove", Kind.UNARY, rpc.MemberRemoveRequest, rpc.MemberRemoveResponse, self.member_remove),
        ]

    def member_list(self, request: rpc.MemberListRequest, call: Call) -> Reply[Any]:  # noqa: ARG002 (a handler's shape)
        """All members, as of now if the caller asks for linearizable."""
        read = self._replica.read if request.linearizable else self._replica.read_local
        return read(self._list)

    def member_add(self, request: rpc.MemberAddRequest, call: Call) -> Reply[Any]:  # noqa: ARG002 (a handler's shape)
        """Adds a member, with a vote or to learn. It is to be started then."""
        urls = check_urls(request.peerURLs)
        if self._replica.settings.strict_reconfig and not self._replica.leader:
            raise UnhealthyClusterError
        member = rpc.Member(ID=self._replica.rng.getrandbits(64) | 1, peerURLs=urls, isLearner=request.isLearner)
        return self._change(ChangeMember.ADD, member)

    def member_promote(self, request: rpc.MemberPromoteRequest, call: Call) -> Reply[Any]:  # noqa: ARG002 (as above)
        """Lets a learner vote that has nearly all of the log."""
        return self._change(ChangeMember.PROMOTE, rpc.Member(ID=request.ID))

    def member_update(self, request: rpc.MemberUpdateRequest, call: Call) -> Reply[Any]:  # noqa: ARG002 (as above)
        """Tells the others that a member is to be found elsewhere."""
        return self._change(ChangeMember.UPDATE, rpc.Member(ID=request.ID, peerURLs=check_urls(request.peerURLs)))

    def member_remove(self, request: rpc.MemberRemoveRequest, call: Call) -> Reply[Any]:  # noqa: ARG002 (as above)
        """Removes a member for good."""
        return self._change(ChangeMember.REMOVE, rpc.Member(ID=request.ID))

    def _change(self, action: ChangeMember.Action, member: rpc.Member) -> Reply[Any]:
        change = ChangeMember(action=action, member=member)
        return self._replica.propose_change(body(CHANGE_MEMBER, change.SerializeToString()))

    def _list(self) -> rpc.MemberListResponse:
        members = self._replica.members
        response = rpc.MemberListResponse(members=[members[identifier] for identifier in sorted(members)])
        self._replica.fill(response.header)
        return response


def check_urls(urls: Iterable[str]) -> list[str]:
    """The peer URLs of a member, sorted.

    Raises:
        BadMemberUrlsError: there is none, or one is not scheme, host and port, and nothing else.
    """
    try:
        checked = sorted(str(parse_url(url, "peer-urls")) for url in urls)
    except ConfigError as error:
        raise BadMemberUrlsError from error
    if not checked or any(url.strip().endswith("/") for url in urls):
        raise BadMemberUrlsError
    return checked
