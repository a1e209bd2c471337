"""While authentication is on, who may write the keys of a job may be one of its groups."""

from typing import Any

import pytest

from raftkv.errors import PermissionDeniedError, RequestTooLargeError
from raftkv.pb import torchft as pb
from raftkv.pb.rpc import DeleteRangeRequest
from raftkv.reply import Reply
from raftkv.rpc.lighthouse import MAX_REQUEST_BYTES, LighthouseService
from raftkv.rpc.method import Call


class Desk:
    """In the place of LighthouseCallers and of Access."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []

    def ask(self, job: str, member: pb.QuorumMember) -> Reply[bytes]:
        self.heard.append((job, member.replica_id))
        return Reply()

    def hear(self, job: str, group: str) -> None:
        self.heard.append((job, group))

    def check_stream(self, call: Call, request: Any) -> None:
        mine = DeleteRangeRequest(key=b"/raftkv/lighthouse/mine/", range_end=b"/raftkv/lighthouse/mine0")
        if request != mine:
            raise PermissionDeniedError


@pytest.mark.parametrize("method", ["quorum", "heartbeat"])
def test_groups_of_other_jobs_are_refused(method: str) -> None:
    desk: Any = Desk()
    service = LighthouseService(desk, desk)
    request = (
        pb.LighthouseHeartbeatRequest(replica_id="a")
        if method == "heartbeat"
        else pb.LighthouseQuorumRequest(requester=pb.QuorumMember(replica_id="a"))
    )
    getattr(service, method)(request, Call("/", {"raftkv-job": "mine"}))
    with pytest.raises(PermissionDeniedError):
        getattr(service, method)(request, Call("/", {":authority": "yours@h1:2379"}))
    assert desk.heard == [("mine", "a")]


def test_more_than_a_group_may_say_of_itself_is_refused() -> None:
    desk: Any = Desk()
    request = pb.LighthouseQuorumRequest(requester=pb.QuorumMember(replica_id="a", data="x" * MAX_REQUEST_BYTES))
    call = Call("/", {"raftkv-job": "mine"}, body=request.SerializeToString())
    with pytest.raises(RequestTooLargeError):
        LighthouseService(desk, desk).quorum(request, call)
    assert desk.heard == []
