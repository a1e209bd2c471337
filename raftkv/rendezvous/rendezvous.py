r"""The jobs of a cluster: the replicated state behind raftkv.v1.Rendezvous.

    change (a client's, through any node)  ------.
    leases that ended (in the entry that ends them) --> course --> ledger: rows and keys --> events
    timeouts (the leader's, of its own term) ----'         \--> audience: who is to be told

Nothing here knows the time, and nothing costs more for there being more nodes, but forming a world and opening a round.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from raftkv.errors import (
    InvalidArgumentError,
    JobInUseError,
    JobNotFoundError,
    LeaseNotFoundError,
    NotLeaderError,
    RoundOverError,
    TooManyJobsError,
)
from raftkv.lease import Lessor
from raftkv.mvcc import Event, Steps, Store
from raftkv.pb.rendezvous import (
    AcknowledgePreemptionRequest,
    AnnounceRequest,
    BarrierRequest,
    BarrierResponse,
    CancelBarrierRequest,
    CheckpointShard,
    CloseRequest,
    ExcludeRequest,
    JobChange,
    JobTimeouts,
    JobTimer,
    JoinRequest,
    LeaveRequest,
    Outcome,
    Phase,
    PreemptRequest,
    ReadmitRequest,
    RemoveRequest,
    RendezvousResponse,
    ReportRequest,
    Standing,
)
from raftkv.rendezvous.checks import check_change
from raftkv.rendezvous.course import Course
from raftkv.rendezvous.job import Job, Member, World
from raftkv.rendezvous.layout import shards_prefix, world_key
from raftkv.rendezvous.ledger import Ledger, in_slices
from raftkv.rendezvous.loading import read_jobs
from raftkv.rendezvous.standing import no_job, place_of, standing_of
from raftkv.rendezvous.timers import Timer, Timers
from raftkv.storage.overlay import Overlay

MAX_JOBS = 10_000
"""At once, closed ones included."""
MAX_CLOSED_JOBS = 256
"""Closed jobs that are kept; of more the one is removed that was closed first."""
MAX_FAILURES = 256
"""Nodes whose failures are counted, for each job."""


class Audience(Protocol):
    """Who is told how jobs stand; what it does must not change what is replicated."""

    def changed(self, jobs: Iterable[str], nodes: Iterable[tuple[str, str]]) -> None:
        """These jobs stand otherwise for all of their nodes, these nodes (job, node) for themselves."""
        ...

    def reloaded(self) -> None:
        """A snapshot has replaced everything."""
        ...


class _Nobody:
    def changed(self, jobs: Iterable[str], nodes: Iterable[tuple[str, str]]) -> None:
        """Nobody listens."""

    def reloaded(self) -> None:
        """Nobody listens."""


class Rendezvous:
    """All jobs. `load` comes first, and again after a snapshot was installed."""

    def __init__(self, state: Overlay, store: Store, lessor: Lessor) -> None:
        self._lessor = lessor
        self._ledger = Ledger(state, store)
        self._jobs: dict[str, Job] = {}
        self._closed: dict[str, None] = {}
        """In the order in which they were closed."""
        self._by_lease: dict[int, dict[tuple[str, str], None]] = {}
        self.timers = Timers()
        self._course = Course(self._ledger, self.timers, self._by_lease)
        self.audience: Audience = _Nobody()
        self._handlers: dict[str, Callable[[Any], Job | None]] = {
            "join": self._join,
            "leave": self._leave,
            "report": self._report,
            "close": self._close,
            "remove": self._remove,
            "exclude": self._exclude,
            "readmit": self._readmit,
            "preempt": self._preempt,
            "acknowledge_preemption": self._acknowledge,
            "barrier": self._barrier,
            "cancel_barrier": self._cancel_barrier,
            "announce": self._announce,
        }

    # --- questions -------------------------------------------------------------------------------------------------

    @property
    def jobs(self) -> Mapping[str, Job]:
        """By name; not to be changed."""
        return self._jobs

    def standing(self, name: str, node: str) -> Standing:
        """How a job stands for a node."""
        job = self._jobs.get(name)
        if job is None:
            return no_job(name)
        standing = standing_of(job)
        if node:
            standing.MergeFrom(place_of(job, node))
        return standing

    def world(self, job: Job, round_number: int) -> World | None:
        """The world of a round, 0: the last one; None: it was not formed, or is not kept any more."""
        if job.world is None or round_number in {0, job.world.round}:
            return job.world
        row = self._ledger.read(world_key(job.name, round_number))
        return None if row is None else World(json.loads(row))

    def shards(self, job: Job, step: int) -> Iterator[CheckpointShard]:
        """The parts of a checkpoint, by rank."""
        for rank, (_, value) in enumerate(self._ledger.rows(shards_prefix(job.name, step))):
            row = json.loads(value)
            yield CheckpointShard(rank=rank, node=row["node"], location=row["location"], data=row["data"])

    # --- changes, in the log's order -------------------------------------------------------------------------------

    def apply(self, change: JobChange) -> tuple[RendezvousResponse, Sequence[Event]]:
        """What a client asked for.

        Raises:
            InvalidArgumentError: it cannot be right.
            LeaseNotFoundError: the node's lease is over.
            JobNotFoundError, JobInUseError, TooManyJobsError, RoundOverError: as their names say.
        """
        kind = change.WhichOneof("change")
        if kind is None:
            raise InvalidArgumentError("raftkv: a change of a kind that this version does not know")
        request = getattr(change, kind)
        check_change(request)
        job = self._handlers[kind](request)
        response = RendezvousResponse()
        response.standing.CopyFrom(
            no_job(request.job) if job is None else self.standing(request.job, getattr(request, "node", ""))
        )
        events = self._settle()
        response.header.revision = self._ledger.settled
        return response, events

    def holds(self, lease_ids: Iterable[int]) -> bool:
        """Whether a member hangs on one of these leases."""
        return any(lease_id in self._by_lease for lease_id in lease_ids)

    def leases_ended(self, lease_ids: Iterable[int]) -> Sequence[Event]:
        """Whose lease is over is dead. The leases and their keys are gone by now, in the same entry."""
        for lease_id in lease_ids:
            for name, node in sorted(self._by_lease.get(lease_id, ())):
                self._course.drop(self._jobs[name], node, "died", failed=True)
        return self._settle()

    def time_out(self, request: JobTimeouts, term: int) -> tuple[None, Sequence[Event]]:
        """Times are over, or workers hang, as the leader of a term found. `term` is the entry's own.

        Raises:
            NotLeaderError: the entry comes from a leader that was deposed before it was appended.
        """
        if request.term != term:
            raise NotLeaderError
        for message in request.timers:
            timer = Timer(message.job, message.kind, message.subject, message.number)
            if timer in self.timers.running:
                self._ring(timer)
        for found in request.hangs:
            job = self._jobs.get(found.job)
            if job is not None and job.token and job.token == found.token:
                self._course.hang(job, found.hang)
        return None, self._settle()

    def _ring(self, timer: Timer) -> None:
        job = self._jobs[timer.job]
        if timer.kind == JobTimer.LAST_CALL:
            self._course.form(job)
        elif timer.kind == JobTimer.COOL_DOWN:
            self._course.readmit(job, timer.subject)
        elif timer.kind == JobTimer.BARRIER:
            seconds = job.barriers[timer.subject].timeout_ms / 1000
            self._course.barriers.fail(
                job, timer.subject, BarrierResponse.TIMED_OUT, f"not all were there within {seconds:g} s"
            )
        else:
            seconds = job.settings.gather_timeout_ms / 1000
            there, needed = len(job.ready), job.settings.min_nodes
            self._course.close(job, Outcome.FAILED, f"{there} of at least {needed} nodes were there within {seconds:g} s")

    def _settle(self) -> Sequence[Event]:
        """Writes what was done, and tells of it."""
        moved, affected = self._course.moved, self._course.affected
        if moved:
            self._bury(moved.values())
        events = self._ledger.flush()
        if moved or affected:
            self.audience.changed(list(moved), list(affected))
            moved.clear()
            affected.clear()
        return events

    def _bury(self, moved: Iterable[Job]) -> None:
        for job in list(moved):
            if job.phase == Phase.CLOSED and job.name in self._jobs:
                self._closed[job.name] = None
        while len(self._closed) > MAX_CLOSED_JOBS:
            self._delete(next(iter(self._closed)))

    def _delete(self, name: str) -> None:
        job = self._jobs.pop(name)
        self._closed.pop(name, None)
        self._course.forget(job)
        self._ledger.remove_job(name)

    # --- one for each kind of change -------------------------------------------------------------------------------

    def _join(self, request: JoinRequest) -> Job:
        if not self._lessor.exists(request.lease):
            raise LeaseNotFoundError
        job = self._jobs.get(request.job) or self._begin(request)
        if job.settings != request.settings:
            raise InvalidArgumentError(f"raftkv: job {request.job} was begun with other settings than {request.node} has")
        if job.phase == Phase.CLOSED or request.node in job.excluded:
            return job
        known = job.members.get(request.node)
        if known is not None and known.incarnation != request.incarnation:
            self._course.drop(job, request.node, "was started anew", failed=True)
            known = None
        if known is not None and not self._comes_back(job, request):
            if known.lease != request.lease:
                self._course.move(job, known, request.lease)
            return job
        if job.phase != Phase.CLOSED:
            self._course.enter(job, self._member(job, request, survivor=known is not None))
        return job

    def _begin(self, request: JoinRequest) -> Job:
        if len(self._jobs) >= MAX_JOBS:
            raise TooManyJobsError
        job = self._jobs[request.job] = Job(request.job, request.settings)
        self._course.begin(job)
        return job

    def _comes_back(self, job: Job, request: JoinRequest) -> bool:
        """Whether a member joins again, rather than asking twice. Who leaves a world that is at work ends it."""
        node = request.node
        if job.works(node) and node not in job.ready and job.token == request.after_token:
            self._course.open_round(job, f"{node} joined again", failed=False)
        return node in job.awaited

    def _member(self, job: Job, request: JoinRequest, *, survivor: bool) -> Member:
        return Member(
            {
                "node": request.node,
                "incarnation": request.incarnation,
                "lease": request.lease,
                "address": request.address,
                "data": request.data,
                "segments": request.segments,
                "slot": request.slot,
                "sequence": self._ledger.revision,
                "round": job.round,
                "survivor": survivor,
            }
        )

    def _leave(self, request: LeaveRequest) -> Job | None:
        job = self._jobs.get(request.job)
        member = None if job is None else job.members.get(request.node)
        if job is not None and member is not None and member.incarnation == request.incarnation:
            self._course.drop(job, request.node, f"left: {request.reason}" if request.reason else "left", failed=False)
        return job

    def _report(self, request: ReportRequest) -> Job:
        job = self._job(request.job)
        node = request.node
        if job.token != request.token or not job.works(node):
            raise RoundOverError
        self._course.progress(job, request.step)
        why = f"{node} failed: {request.reason}" if request.reason else f"{node} failed"
        if request.kind == ReportRequest.SUCCESS:
            self._course.succeed(job, node)
        elif request.kind == ReportRequest.FATAL:
            self._course.close(job, Outcome.FAILED, why)
        elif request.kind == ReportRequest.FAILURE:
            self._fail(job, node, why)
        return job

    def _fail(self, job: Job, node: str, why: str) -> None:
        limit = job.settings.max_node_failures
        if limit:
            job.failures[node] = job.failures.pop(node, 0) + 1  # so the oldest are the first
            if len(job.failures) > MAX_FAILURES:
                del job.failures[next(iter(job.failures))]
        self._course.open_round(job, why, failed=True)
        if limit and job.failures[node] >= limit and job.phase != Phase.CLOSED:
            del job.failures[node]
            self._course.exclude(job, node, f"failed {limit} times", job.settings.cool_down_ms)
            self._course.write(job)

    def _close(self, request: CloseRequest) -> Job:
        job = self._job(request.job)
        if job.phase != Phase.CLOSED:
            outcome = request.outcome if request.outcome in Outcome.values() and request.outcome else Outcome.CANCELED
            self._course.close(job, outcome, request.reason)
        return job

    def _remove(self, request: RemoveRequest) -> None:
        job = self._job(request.job)
        if job.phase != Phase.CLOSED and job.members:
            raise JobInUseError
        self._course.moved[job.name] = job
        self._delete(job.name)

    def _exclude(self, request: ExcludeRequest) -> Job:
        job = self._job(request.job)
        if job.phase != Phase.CLOSED:
            self._course.exclude(job, request.node, request.reason, request.cool_down_ms)
        return job

    def _readmit(self, request: ReadmitRequest) -> Job:
        job = self._job(request.job)
        if request.node in job.excluded:
            self._course.readmit(job, request.node)
        return job

    def _preempt(self, request: PreemptRequest) -> Job:
        job = self._job(request.job)
        if not job.token:
            raise RoundOverError
        self._course.preempt(job, request.node, request.reason)
        return job

    def _acknowledge(self, request: AcknowledgePreemptionRequest) -> Job:
        job = self._job(request.job)
        noticed = job.preemption is not None or request.leaving
        if not job.token or job.token != request.token or not job.works(request.node) or not noticed:
            raise RoundOverError
        self._course.acknowledge(job, request.node, request.step, worker=request.worker, workers=request.workers or 1)
        return job

    def _barrier(self, request: BarrierRequest) -> Job:
        job = self._in_world(request.job, request.node, request.token)
        self._course.barriers.arrive(job, request)
        return job

    def _cancel_barrier(self, request: CancelBarrierRequest) -> Job:
        job = self._job(request.job)
        if not job.token or job.token != request.token:
            raise RoundOverError
        self._course.barriers.fail(job, request.name, BarrierResponse.CANCELED, request.reason)
        return job

    def _announce(self, request: AnnounceRequest) -> Job:
        job = self._in_world(request.job, request.node, request.token)
        if self._course.checkpoints.announce(job, request):
            self._course.progress(job, request.step)
        return job

    def _in_world(self, name: str, node: str, token: int) -> Job:
        """The job in whose present world a node is, done or not."""
        job = self._job(name)
        if not token or job.token != token or job.world is None or node not in job.world.ranks:
            raise RoundOverError
        return job

    def _job(self, name: str) -> Job:
        job = self._jobs.get(name)
        if job is None:
            raise JobNotFoundError
        return job

    # --- what the tables hold --------------------------------------------------------------------------------------

    def load(self) -> Steps[None]:
        """Takes it up, all at once when it is read."""
        rows = yield from in_slices(self._ledger.rows())
        self._jobs.clear()
        self._closed.clear()
        self._by_lease.clear()
        for timer in list(self.timers.running):
            self.timers.disarm(timer)
        self._jobs.update(read_jobs(rows))
        for job in self._jobs.values():
            for member in job.members.values():
                self._by_lease.setdefault(member.lease, {})[job.name, member.node] = None
            self._course.resume(job)
        closed = [job for job in self._jobs.values() if job.phase == Phase.CLOSED]
        self._closed.update({job.name: None for job in sorted(closed, key=lambda job: job.closed_at)})
        self.audience.reloaded()
