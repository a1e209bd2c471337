"""The leader's look at the steps of all jobs: heartbeats come from every node, hangs go into the log, nothing else does.

    worker -> any node -> (heartbeats of a moment, one question) -> leader: raftkv.pace, in memory
                                                                     |-- a hang, or its end: one entry, for its own term

A new leader knows nothing and hears everything within a heartbeat: workers say again what the last one made of theirs. It counts
how long a step takes from when it first heard of it, so a change of the leader never makes a hang.

Bounds: one entry for each worker of a world, MAX_WORKERS of all jobs together; one entry of the log at a time.
"""

from collections.abc import Callable, Sequence

from google.protobuf.message import DecodeError

from raftkv.apply.command import RENDEZVOUS_TIMEOUTS, body
from raftkv.errors import (
    MalformedRequestError,
    NotLeaderError,
    RequestError,
    RoundOverError,
    TooManyRequestsError,
)
from raftkv.pace import JobPace, hang_of
from raftkv.pb.rendezvous import (
    HeartbeatAnswers,
    HeartbeatRequest,
    HeartbeatResponse,
    Heartbeats,
    JobSteps,
    JobTimeouts,
    Phase,
    StepsRequest,
    StepsResponse,
)
from raftkv.peer.asks import Kind
from raftkv.rendezvous import Job
from raftkv.reply import Reply
from raftkv.server.replica import Replica

MAX_WORKERS = 200_000
"""Of all jobs together."""
LOOK_S = 1.0
"""Between two looks at all jobs."""
AGAIN_S = 5.0
"""Between two tellings of who hangs in a job, where that changes."""
SHOWN = 1000
MAX_SHOWN = 10_000
"""Workers in one answer: what is not said otherwise, and at most."""
UNKNOWN_AGAIN_MS = 500
"""When to come again for who is in a world that this leader has not heard of yet."""


class PaceKeeper:
    """Every node has one; the leader's is at work. `begin` and `end` say when; `look` is to be called again and again."""

    def __init__(self, replica: Replica, now: Callable[[], float]) -> None:
        self._replica = replica
        self._now = now
        self._jobs = replica.machine.rendezvous.jobs
        self._term = 0
        self._looked_at = 0.0
        self._told_at: dict[str, float] = {}
        """When jobs were last told of a hang."""
        self._proposed = False
        self._workers = 0
        """That are known, of all jobs; counted at each look, and with each that comes in between."""
        self.paces: dict[str, JobPace] = {}
        """Of jobs that are not closed; empty where this node does not lead."""

    def serve(self) -> None:
        """Begins to answer other nodes."""
        self._replica.asks.serve(Kind.HEARTBEATS, self._hear)
        self._replica.asks.serve(Kind.STEPS, self._steps)

    def begin(self, term: int) -> None:
        """This node leads a term, from now on; 0: it does not."""
        self._term, self._proposed = term, False
        self.paces, self._told_at, self._workers = {}, {}, 0

    # --- heartbeats --------------------------------------------------------------------------------------------------

    def _hear(self, data: bytes, source: int) -> Reply[bytes]:  # noqa: ARG002 (every node may bring some)
        if not self._term:
            raise NotLeaderError
        try:
            heartbeats = Heartbeats.FromString(data)
        except DecodeError:
            raise MalformedRequestError from None
        answers, now = HeartbeatAnswers(), self._now()
        for request in heartbeats.each:
            answer = answers.each.add()
            try:
                answer.response.CopyFrom(self._take(request, now))
            except RequestError as error:
                answer.code, answer.error = error.code, str(error)
        reply: Reply[bytes] = Reply()
        reply.set_result(answers.SerializeToString())
        return reply

    def _take(self, request: HeartbeatRequest, now: float) -> HeartbeatResponse:
        job = self._jobs.get(request.job)
        newest = 0 if job is None or job.world is None else job.world.token
        if request.token > newest:  # formed by an entry that is not applied here yet
            return HeartbeatResponse(again_ms=UNKNOWN_AGAIN_MS, memory=request.memory)
        if job is None or job.token != request.token or not job.works(request.node):
            raise RoundOverError
        pace = self._pace(job, now)
        if (request.node, request.worker) not in pace.workers:
            if self._workers >= MAX_WORKERS:
                raise TooManyRequestsError
            self._workers += 1
        return pace.hear(request, now)

    def _pace(self, job: Job, now: float) -> JobPace:
        pace = self.paces.get(job.name)
        if pace is None:
            pace = self.paces[job.name] = JobPace(now)
        pace.enter(job.token)
        return pace

    # --- looks -------------------------------------------------------------------------------------------------------

    def look(self, now: float) -> None:
        """Looks at all jobs, if it is time; only where this node leads. Raises StoppedError."""
        if now - self._looked_at < LOOK_S:
            return
        self._looked_at = now
        for name in [name for name in self.paces if name not in self._jobs or self._jobs[name].phase == Phase.CLOSED]:
            del self.paces[name]
            self._told_at.pop(name, None)
        message = JobTimeouts(term=self._term)
        for job in self._jobs.values():
            if job.phase != Phase.CLOSED:
                self._look_at(job, now, message)
        self._workers = sum(len(pace.workers) for pace in self.paces.values())
        if message.hangs and not self._proposed:
            self._tell(message)

    def _look_at(self, job: Job, now: float, message: JobTimeouts) -> None:
        pace = self._pace(job, now)
        working = job.phase == Phase.FORMED
        pace.pass_time(now, working=working, lost=not working and job.world is not None, restarts=job.restarts)
        if not pace.workers:
            return
        pace.look(job.settings, now, job.succeeded)
        if pace.hung:
            hang = hang_of(pace.hung, pace, now)
            known = job.hang
            if known is not None and (known.nodes == hang.nodes or now - self._told_at.get(job.name, 0.0) < AGAIN_S):
                return
            message.hangs.add(job=job.name, token=job.token, hang=hang)
            self._told_at[job.name] = now
        elif job.hang is not None and _moved_on(job, pace):
            message.hangs.add(job=job.name, token=job.token)

    def _tell(self, message: JobTimeouts) -> None:
        """What is not applied is found, and told, again at a later look. Raises StoppedError."""
        term = self._term
        self._proposed = True
        reply = self._replica.propose_duty(body(RENDEZVOUS_TIMEOUTS, message.SerializeToString()))
        reply.add_done_callback(lambda _: self._told(term))

    def _told(self, term: int) -> None:
        if term == self._term:
            self._proposed = False

    # --- questions -----------------------------------------------------------------------------------------------------

    def _steps(self, data: bytes, source: int) -> Reply[bytes]:  # noqa: ARG002 (every node may ask)
        if not self._term:
            raise NotLeaderError
        try:
            request = StepsRequest.FromString(data)
        except DecodeError:
            raise MalformedRequestError from None
        reply: Reply[bytes] = Reply()
        reply.set_result(self.steps(request).SerializeToString())
        return reply

    def summaries(self) -> Sequence[JobSteps]:
        """Of all jobs, without their workers; nothing, where this node does not lead."""
        return self.steps(StepsRequest()).jobs

    def steps(self, request: StepsRequest) -> StepsResponse:
        """How far jobs are."""
        response, now = StepsResponse(), self._now()
        names = [request.job] if request.job else sorted(self.paces)
        for name in names:
            job, pace = self._jobs.get(name), self.paces.get(name)
            if job is None or pace is None:
                continue
            pace.enter(job.token)
            if not request.job:
                response.jobs.append(pace.summary(name))
                continue
            pace.look(job.settings, now, job.succeeded)
            ranks = {} if job.world is None else job.world.ranks
            limit = min(request.limit or SHOWN, MAX_SHOWN)
            response.jobs.append(
                pace.report(name, now, ranks=lambda node, ranks=ranks: ranks.get(node, 0), limit=limit)  # type: ignore[misc] # bound now
            )
        return response


def _moved_on(job: Job, pace: JobPace) -> bool:
    """Whether those that hung were heard of with a later step. Of whom a new leader has heard nothing it says nothing."""
    assert job.hang is not None
    named = set(job.hang.nodes)
    steps = [worker.step for worker in pace.workers.values() if worker.node in named]
    gone = not any(job.works(node) for node in named)
    return gone or (bool(steps) and min(steps) > job.hang.step)
