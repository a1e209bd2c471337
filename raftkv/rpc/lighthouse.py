"""torchft.LighthouseService: torchft's clients ask the cluster, and need not know that it is one.

A client says which job it is of where it can: in metadata (`raftkv-job`, or `room-id`), or before the @ of the address that it
was given (percent-encoded in both), which is all that torchft's own clients let their users choose: `TORCHFT_LIGHTHOUSE=http://mnist@h1:2379`.
"""

from typing import Any
from urllib.parse import unquote

from raftkv.errors import InvalidArgumentError, RequestTooLargeError
from raftkv.lighthouse import DEFAULT_JOB, check_job
from raftkv.lighthouse.layout import job_range
from raftkv.pb import torchft as pb
from raftkv.pb.rpc import DeleteRangeRequest
from raftkv.reply import Reply
from raftkv.rpc.access import Access
from raftkv.rpc.method import Call, Kind, Method
from raftkv.server.lighthouse_callers import LighthouseCallers

SERVICE = "/torchft.LighthouseService/"
JOB = "raftkv-job"
ROOM = "room-id"
AUTHORITY = ":authority"
MAX_REQUEST_BYTES = 64 * 1024
"""What a group says of itself is told to all others in every step."""
MAX_ID_CHARACTERS = 1024
"""Of a replica_id: each is kept while its group lives."""
_ALIVE = pb.LighthouseHeartbeatResponse().SerializeToString()


class LighthouseService:
    """The service."""

    def __init__(self, callers: LighthouseCallers, access: Access) -> None:
        self._callers = callers
        self._access = access

    def methods(self) -> list[Method]:
        """What it offers."""
        heartbeat = (pb.LighthouseHeartbeatRequest, pb.LighthouseHeartbeatResponse)
        return [
            Method(SERVICE + "Quorum", Kind.UNARY, pb.LighthouseQuorumRequest, pb.LighthouseQuorumResponse, self.quorum),
            Method(SERVICE + "Heartbeat", Kind.UNARY, *heartbeat, self.heartbeat),
        ]

    def quorum(self, request: pb.LighthouseQuorumRequest, call: Call) -> Reply[bytes]:
        """Waits for the next quorum with the group that asks."""
        job = self._job(call, request.requester.replica_id)
        if len(call.body) > MAX_REQUEST_BYTES:
            raise RequestTooLargeError
        return self._callers.ask(job, request.requester)

    def heartbeat(self, request: pb.LighthouseHeartbeatRequest, call: Call) -> Reply[bytes]:
        """A group is alive."""
        self._callers.hear(self._job(call, request.replica_id), request.replica_id)
        reply: Reply[bytes] = Reply()
        reply.set_result(_ALIVE)
        return reply

    def _job(self, call: Call, group: str) -> str:
        """The job, which the caller may write."""
        if not group:
            raise InvalidArgumentError("raftkv: a replica group needs a replica_id")
        if len(group) > MAX_ID_CHARACTERS:
            raise InvalidArgumentError(f"raftkv: a replica_id has at most {MAX_ID_CHARACTERS:,} characters")
        job = job_of(call)
        check_job(job)
        key, end = job_range(job)
        self._access.check_stream(call, DeleteRangeRequest(key=key, range_end=end))
        return job


def job_of(call: Call) -> str:
    """Which job a client says that it is of."""
    metadata: Any = call.metadata
    user, _, _ = str(metadata.get(AUTHORITY, "")).rpartition("@")
    named = metadata.get(JOB) or metadata.get(ROOM) or user
    return unquote(str(named)) if named else DEFAULT_JOB
