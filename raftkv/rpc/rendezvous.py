"""raftkv.v1.Rendezvous: jobs of training clusters. Changes go through the log; how a job stands is pushed to whoever watches.

What is pushed is the state, not the changes: who collects slowly sees the latest, and nothing queues up. What is the same for
all nodes of a job is encoded once for each change.
"""

from asyncio import Future, get_running_loop
from collections.abc import AsyncGenerator, Callable, Iterable
from typing import Any

from raftkv.apply.command import RENDEZVOUS, body
from raftkv.errors import NotAllowedError, RequestError, RequestTooLargeError, RoundOverError
from raftkv.pb import rendezvous as pb
from raftkv.pb.rpc import RangeRequest, ResponseHeader
from raftkv.rendezvous import Job, barrier_states, check_change, ranks_of, whisper_of
from raftkv.rendezvous.layout import check_name, job_prefix, prefix_end
from raftkv.rendezvous.standing import place_of, standing_of
from raftkv.reply import Reply
from raftkv.rpc.access import Access
from raftkv.rpc.leaderless import LeaderlessStreams
from raftkv.rpc.metadata import needs_leader, request_id
from raftkv.rpc.method import Call, Kind, Method
from raftkv.server.quota import Quota
from raftkv.server.replica import Replica

SERVICE = "/raftkv.v1.Rendezvous/"
MAX_REQUEST_BYTES = 64 * 1024
"""Nothing that may be said is longer."""
COST_BYTES = 1024
"""What one of _TAKE_ROOM counts for the quota, beside what it says."""
_TAKE_ROOM = {"join", "barrier", "announce"}

_LENGTH_DELIMITED = 2
_HEADER, _STANDING = b"\x0a", b"\x12"
"""The tags of RendezvousResponse's fields."""
_TAGS = {
    field.name: bytes((field.number << 3 | _LENGTH_DELIMITED,))
    for field in pb.JobChange.DESCRIPTOR.oneofs_by_name["change"].fields
}


class RendezvousService:
    """The service."""

    def __init__(self, replica: Replica, quota: Quota, access: Access, *, election_timeout_s: float) -> None:
        self._replica = replica
        self._quota = quota
        self._access = access
        self._rendezvous = replica.machine.rendezvous
        self._audience = Listeners()
        self._rendezvous.audience = self._audience
        self._arrive = self._change("barrier")
        self._leaderless = LeaderlessStreams(lambda: replica.leader, replica.watches.loop, election_timeout_s)

    def methods(self) -> list[Method]:
        """What it offers."""
        unary, answer = Kind.UNARY, pb.RendezvousResponse
        return [
            Method(SERVICE + "Join", unary, pb.JoinRequest, answer, self._change("join")),
            Method(SERVICE + "Leave", unary, pb.LeaveRequest, answer, self._change("leave")),
            Method(SERVICE + "Report", unary, pb.ReportRequest, answer, self._change("report")),
            Method(SERVICE + "Close", unary, pb.CloseRequest, answer, self._change("close")),
            Method(SERVICE + "Remove", unary, pb.RemoveRequest, answer, self._change("remove")),
            Method(SERVICE + "Exclude", unary, pb.ExcludeRequest, answer, self._change("exclude")),
            Method(SERVICE + "Readmit", unary, pb.ReadmitRequest, answer, self._change("readmit")),
            Method(SERVICE + "Preempt", unary, pb.PreemptRequest, answer, self._change("preempt")),
            Method(
                SERVICE + "AcknowledgePreemption",
                unary,
                pb.AcknowledgePreemptionRequest,
                answer,
                self._change("acknowledge_preemption"),
            ),
            Method(SERVICE + "Barrier", unary, pb.BarrierRequest, pb.BarrierResponse, self.barrier),
            Method(SERVICE + "CancelBarrier", unary, pb.CancelBarrierRequest, answer, self._change("cancel_barrier")),
            Method(SERVICE + "Barriers", unary, pb.BarriersRequest, pb.BarriersResponse, self.barriers),
            Method(SERVICE + "Announce", unary, pb.AnnounceRequest, answer, self._change("announce")),
            Method(SERVICE + "Checkpoints", unary, pb.CheckpointsRequest, pb.CheckpointsResponse, self.checkpoints),
            Method(SERVICE + "Look", unary, pb.LookRequest, answer, self.look),
            Method(SERVICE + "Watch", Kind.SERVER_STREAM, pb.LookRequest, answer, self.watch),
            Method(SERVICE + "World", unary, pb.WorldRequest, pb.WorldResponse, self.world),
            Method(SERVICE + "List", unary, pb.ListRequest, pb.ListResponse, self.list),
        ]

    # --- changes ---------------------------------------------------------------------------------------------------

    def _change(self, kind: str) -> Callable[[Any, Call], Reply[Any]]:
        tag = _TAGS[kind]

        def change(request: Any, call: Call) -> Reply[Any]:
            check_change(request)
            if len(call.body) > MAX_REQUEST_BYTES:
                raise RequestTooLargeError
            if kind in _TAKE_ROOM:
                self._quota.check(COST_BYTES + 2 * len(call.body))
            entry = body(RENDEZVOUS, body(tag, call.body))
            return self._replica.propose(entry, request_id(call.metadata), call.author)

        return change

    async def barrier(self, request: pb.BarrierRequest, call: Call) -> pb.BarrierResponse:
        """Arrives, and waits for what becomes of it."""
        listener = self._audience.add(request.job, whisper_of(request.name))
        self._leaderless.add(listener.fail)
        try:
            await self._arrive(request, call)
            while True:
                job = self._rendezvous.jobs.get(request.job)
                barrier = job.barriers.get(request.name) if job is not None and job.token == request.token else None
                if barrier is None:
                    raise RoundOverError
                if barrier.outcome is not None:
                    assert job is not None, "a barrier is a job's"
                    return pb.BarrierResponse(
                        header=self._header(),
                        outcome=barrier.outcome,
                        missing=barrier.missing,
                        missing_ranks=ranks_of(job, barrier.missing),
                        reason=barrier.reason,
                    )
                listener.news = False
                await listener.wait()
        finally:
            self._leaderless.remove(listener.fail)
            self._audience.remove(listener)

    # --- questions -------------------------------------------------------------------------------------------------

    def look(self, request: pb.LookRequest, call: Call) -> Reply[Any]:
        """How a job stands now."""
        check_change(request)

        def work() -> bytes:
            self._check(call, request.job)
            return self._response(request)

        return self._replica.read(work)

    async def watch(self, request: pb.LookRequest, call: Call) -> AsyncGenerator[bytes, None]:
        """How a job stands now, and whenever that has changed."""
        check_change(request)
        listener = self._audience.add(request.job, request.node)
        if needs_leader(call.metadata):
            self._leaderless.add(listener.fail)
        try:
            await self._replica.read(lambda: None)  # nobody is told what was true before the question
            while True:
                self._check(call, request.job)
                listener.news = False
                yield self._response(request)
                await listener.wait()
        finally:
            self._leaderless.remove(listener.fail)
            self._audience.remove(listener)

    def world(self, request: pb.WorldRequest, call: Call) -> Reply[Any]:
        """Who is in a round."""
        check_name(request.job, "a job")

        def work() -> pb.WorldResponse:
            self._check(call, request.job)
            return self._world(request)

        return self._replica.read(work)

    def list(self, request: pb.ListRequest, call: Call) -> Reply[Any]:  # noqa: ARG002 (a handler's shape)
        """All jobs."""
        return self._replica.read(lambda: self._list(call))

    def checkpoints(self, request: pb.CheckpointsRequest, call: Call) -> Reply[Any]:
        """Those that are there as a whole."""
        check_name(request.job, "a job")

        def work() -> pb.CheckpointsResponse:
            self._check(call, request.job)
            return self._checkpoints(request)

        return self._replica.read(work)

    def barriers(self, request: pb.BarriersRequest, call: Call) -> Reply[Any]:
        """Those of the present world."""
        check_name(request.job, "a job")

        def work() -> pb.BarriersResponse:
            self._check(call, request.job)
            job = self._rendezvous.jobs.get(request.job)
            if job is None:
                return pb.BarriersResponse(header=self._header())
            return pb.BarriersResponse(header=self._header(), token=job.token, barriers=barrier_states(job))

        return self._replica.read(work)

    def _checkpoints(self, request: pb.CheckpointsRequest) -> pb.CheckpointsResponse:
        response = pb.CheckpointsResponse(header=self._header())
        job = self._rendezvous.jobs.get(request.job)
        if job is None:
            return response
        steps = sorted(job.checkpoints, reverse=True)
        for step in steps[:1] if request.latest else steps:
            found = response.checkpoints.add(**job.checkpoints[step]._asdict())
            if request.shards:
                found.shards.extend(self._rendezvous.shards(job, step))
        return response

    def _list(self, call: Call) -> pb.ListResponse:
        response = pb.ListResponse(header=self._header())
        for name, job in sorted(self._rendezvous.jobs.items()):
            try:
                self._check(call, name)
            except NotAllowedError:
                continue
            response.jobs.append(standing_of(job))
        return response

    def _world(self, request: pb.WorldRequest) -> pb.WorldResponse:
        response = pb.WorldResponse(header=self._header())
        job = self._rendezvous.jobs.get(request.job)
        world = None if job is None else self._rendezvous.world(job, request.round)
        if job is not None and world is not None:
            response.round, response.token = world.round, world.token
            done = job.succeeded if job.world is not None and job.world.token == world.token else ()
            for node, address, segments in zip(world.nodes, world.addresses, world.last.segments, strict=True):
                response.nodes.add(node=node, address=address, segments=segments, done=node in done)
        return response

    # --- inside ----------------------------------------------------------------------------------------------------

    def _check(self, call: Call, job: str) -> None:
        """Who reads about a job must be allowed to read its keys."""
        prefix = job_prefix(job).encode()
        self._access.check_stream(call, RangeRequest(key=prefix, range_end=prefix_end(prefix)))

    def _header(self) -> ResponseHeader:
        header = ResponseHeader(revision=self._replica.store.revision)
        self._replica.fill(header)
        return header

    def _response(self, request: pb.LookRequest) -> bytes:
        job = self._rendezvous.jobs.get(request.job)
        if job is None:
            standing = pb.Standing(job=request.job).SerializeToString()
        else:
            standing = self._audience.encoded(job)
            if request.node:
                standing += place_of(job, request.node).SerializeToString()
        return body(_HEADER, self._header().SerializeToString()) + body(_STANDING, standing)


class Listener:
    """One stream that is told of a job."""

    __slots__ = ("_error", "_waiter", "job", "news", "node")

    def __init__(self, job: str, node: str) -> None:
        self.job = job
        self.node = node
        self.news = False
        self._error: RequestError | None = None
        self._waiter: Future[None] | None = None

    def tell(self) -> None:
        """There is news."""
        self.news = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def fail(self, error: RequestError) -> None:
        """The stream ends with an error."""
        self._error = error
        self.tell()

    async def wait(self) -> None:
        """Returns when there is news."""
        if not self.news:
            self._waiter = get_running_loop().create_future()
            await self._waiter
        if self._error is not None:
            raise self._error


class Listeners:
    """All streams of this node: the Audience of its jobs."""

    def __init__(self) -> None:
        self._by_job: dict[str, dict[str, dict[Listener, None]]] = {}
        self._encoded: dict[str, bytes] = {}
        """How jobs stand, for nobody in particular; those that somebody asked for since they changed."""

    def add(self, job: str, node: str) -> Listener:
        """One more."""
        listener = Listener(job, node)
        self._by_job.setdefault(job, {}).setdefault(node, {})[listener] = None
        return listener

    def remove(self, listener: Listener) -> None:
        """It has ended."""
        nodes = self._by_job[listener.job]
        del nodes[listener.node][listener]
        if not nodes[listener.node]:
            del nodes[listener.node]
        if not nodes:
            del self._by_job[listener.job]

    def encoded(self, job: Job) -> bytes:
        """How a job stands, for nobody in particular."""
        known = self._encoded.get(job.name)
        if known is None:
            known = self._encoded[job.name] = standing_of(job).SerializeToString()
        return known

    def changed(self, jobs: Iterable[str], nodes: Iterable[tuple[str, str]]) -> None:
        """See Audience. Who watches for nobody in particular hears of everything."""
        told = set()
        for job in jobs:
            told.add(job)
            self._encoded.pop(job, None)
            for listeners in self._by_job.get(job, {}).values():
                for listener in listeners:
                    listener.tell()
        for job, node in nodes:
            if job in told:
                continue
            self._encoded.pop(job, None)
            for concerned in (node, ""):
                for listener in self._by_job.get(job, {}).get(concerned, ()):
                    listener.tell()

    def reloaded(self) -> None:
        """See Audience."""
        self._encoded.clear()
        for nodes in self._by_job.values():
            for listeners in nodes.values():
                for listener in listeners:
                    listener.tell()
