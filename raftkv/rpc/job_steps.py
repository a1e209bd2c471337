"""raftkv.v1.Rendezvous, the part about steps: heartbeats to the leader, and what it makes of them. Nothing here touches the log."""

import asyncio
from collections.abc import AsyncGenerator

from raftkv.errors import InvalidArgumentError, NotAllowedError
from raftkv.pace import check_heartbeat
from raftkv.pb import rendezvous as pb
from raftkv.pb.rpc import DeleteRangeRequest, RangeRequest, ResponseHeader
from raftkv.peer.asks import Kind as Ask
from raftkv.rendezvous import check_change
from raftkv.rendezvous.layout import check_name, job_prefix, prefix_end
from raftkv.reply import Reply
from raftkv.rpc.access import Access
from raftkv.rpc.method import Call, Kind, Method
from raftkv.server.heartbeats import heartbeats
from raftkv.server.replica import Replica

SERVICE = "/raftkv.v1.Rendezvous/"
INTERVAL_MS = 1000
MIN_INTERVAL_MS = 100
MAX_INTERVAL_MS = 3_600_000


class JobStepsService:
    """The methods about steps."""

    def __init__(self, replica: Replica, access: Access) -> None:
        self._replica = replica
        self._access = access
        self._heartbeats = heartbeats(replica, replica.watches.loop)

    def methods(self) -> list[Method]:
        """What it offers."""
        return [
            Method(SERVICE + "Heartbeat", Kind.UNARY, pb.HeartbeatRequest, pb.HeartbeatResponse, self.heartbeat),
            Method(SERVICE + "Steps", Kind.UNARY, pb.StepsRequest, pb.StepsResponse, self.steps),
            Method(SERVICE + "WatchSteps", Kind.SERVER_STREAM, pb.StepsRequest, pb.StepsResponse, self.watch),
        ]

    def heartbeat(self, request: pb.HeartbeatRequest, call: Call) -> Reply[pb.HeartbeatResponse]:
        """How far a worker is. Who may change a job may say so."""
        check_change(request)
        check_heartbeat(request)
        prefix = job_prefix(request.job).encode()
        self._access.check(call, DeleteRangeRequest(key=prefix, range_end=prefix_end(prefix)))
        return self._heartbeats.ask(request)

    async def steps(self, request: pb.StepsRequest, call: Call) -> pb.StepsResponse:
        """How far all workers are."""
        if request.job:
            check_name(request.job, "a job")
            self._check(call, request.job)
        answer = await self._replica.ask_leader(Ask.STEPS, request.SerializeToString())
        response = pb.StepsResponse.FromString(answer)
        if not request.job:
            allowed = [job for job in response.jobs if self._may_read(call, job.job)]
            response = pb.StepsResponse(jobs=allowed)
        header = ResponseHeader(revision=self._replica.store.revision)
        self._replica.fill(header)
        response.header.CopyFrom(header)
        return response

    async def watch(self, request: pb.StepsRequest, call: Call) -> AsyncGenerator[pb.StepsResponse, None]:
        """The same, again and again: steps move all the time, so there is no change to wait for."""
        interval_ms = request.interval_ms or INTERVAL_MS
        if not MIN_INTERVAL_MS <= interval_ms <= MAX_INTERVAL_MS:
            raise InvalidArgumentError(f"raftkv: an interval has {MIN_INTERVAL_MS} to {MAX_INTERVAL_MS} ms")
        while True:
            yield await self.steps(request, call)
            await asyncio.sleep(interval_ms / 1000)

    def _check(self, call: Call, job: str) -> None:
        prefix = job_prefix(job).encode()
        self._access.check_stream(call, RangeRequest(key=prefix, range_end=prefix_end(prefix)))

    def _may_read(self, call: Call, job: str) -> bool:
        try:
            self._check(call, job)
        except NotAllowedError:
            return False
        return True
