"""Jobs of training clusters, as their nodes and their operators see them; docs/rendezvous.md is the guide.

Rendezvous (a job) --participant--> Participant (a node: lease, followed standing) --next_round--> Round
"""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Self

from google.protobuf.message import Message

from raftkv.client.followed import Followed
from raftkv.client.job_calls import (
    BARRIERS,
    CHECKPOINTS,
    LOOK,
    STEPS,
    WORLD,
    Calls,
    barrier_request,
    change,
    latest_checkpoint,
    wait_at_barrier,
)
from raftkv.client.job_config import JobConfig
from raftkv.client.lease import HeldLease
from raftkv.client.session import Session
from raftkv.client.steps_stream import StepsStream
from raftkv.client.worker import Place, Worker
from raftkv.errors import (
    JobClosedError,
    JobNotFoundError,
    LeaseNotFoundError,
    NodeExcludedError,
    NodeUnfitError,
    RaftKVError,
    RendezvousTimeoutError,
)
from raftkv.pb import rendezvous as pb
from raftkv.preflight import Finding, failures, parse_checks, run_checks

DEFAULT_TTL_S = 10
"""For how long a node may be silent before it counts as dead."""
CHECK_COOL_DOWN_S = 600.0
"""For how long a node that has not passed its checks is kept out."""


@dataclass(frozen=True, slots=True)
class Round:
    """The world of a round, as one of its nodes sees it."""

    number: int
    token: int
    """Grows from world to world: whoever is asked to act in a round can refuse what is older than what it has seen."""
    rank: int
    world_size: int
    master_node: str
    """Rank 0."""
    master_address: str
    master_data: str
    """What rank 0 said of itself when it joined."""


class Rendezvous:
    """A job. Looking at it, or making this, begins nothing: a job begins with the first node that joins."""

    def __init__(self, calls: Calls, session: Callable[[], Session], job: str) -> None:
        """For `Client.rendezvous`."""
        self.job = job
        self._calls = calls
        self._session = session
        self.config = JobConfig(calls, session, job)
        """Run-wide values."""

    async def look(self, node: str = "") -> pb.Standing:
        """How the job stands, for a node or for nobody in particular. Its phase is NO_JOB where there is none."""
        return (await self._calls.call(LOOK, pb.LookRequest(job=self.job, node=node))).standing

    async def watch(self, node: str = "") -> AsyncIterator[pb.Standing]:
        """How the job stands, and again whenever that changes; who is slow sees the latest, not all in between."""
        followed = Followed(self._session().reopening, self.job, node)
        followed.begin()
        try:
            seen: pb.Standing | None = None
            while True:
                seen = await followed.until(lambda standing, seen=seen: standing is not seen)  # type: ignore[misc] # a default binds
                yield seen
        finally:
            followed.end()

    async def world(self, round_number: int = 0) -> pb.WorldResponse:
        """Who is in the world of a round, by rank; 0: the last that was formed. Its `round` is 0 where there is none."""
        return await self._calls.call(WORLD, pb.WorldRequest(job=self.job, round=round_number))

    async def close(self, reason: str = "", *, outcome: "pb.Outcome" = pb.CANCELED) -> pb.Standing:
        """Ends the job for good; its nodes are told why. Raises JobNotFoundError."""
        return await self._ask("Close", pb.CloseRequest(job=self.job, reason=reason, outcome=outcome))

    async def remove(self) -> None:
        """Forgets the job and all of its keys. Raises JobNotFoundError, JobInUseError."""
        await self._ask("Remove", pb.RemoveRequest(job=self.job))

    async def exclude(self, node: str, reason: str = "", *, cool_down: float = 0.0) -> pb.Standing:
        """Keeps a node out, for `cool_down` seconds (0: until it is readmitted); a world that it is in ends. Raises JobNotFoundError."""
        request = pb.ExcludeRequest(job=self.job, node=node, reason=reason, cool_down_ms=round(cool_down * 1000))
        return await self._ask("Exclude", request)

    async def readmit(self, node: str) -> pb.Standing:
        """Lets a node join again. Raises JobNotFoundError."""
        return await self._ask("Readmit", pb.ReadmitRequest(job=self.job, node=node))

    async def preempt(self, reason: str = "", *, node: str = "") -> pb.Standing:
        """Gives notice that the world is to stop, for a node that is about to go or for all. Raises JobNotFoundError, RoundOverError."""
        return await self._ask("Preempt", pb.PreemptRequest(job=self.job, node=node, reason=reason))

    def participant(
        self,
        node: str,
        settings: pb.JobSettings,
        *,
        address: str = "",
        data: str = "",
        segments: Sequence[str] = (),
        slot: int = 0,
        ttl: int = DEFAULT_TTL_S,
        checks: str = "",
        check_cool_down: float = CHECK_COOL_DOWN_S,
    ) -> "Participant":
        """A node of the job, for `async with`.

        Args:
            node: Its name, the same whenever it is started anew: its rank follows it.
            settings: What the job is begun with; all its nodes say the same.
            address: Where the other nodes find it.
            data: What the others are to know of it if it becomes rank 0.
            segments: Where it stands, from the largest to the smallest: rack, switch, NVLink domain.
            slot: Its place in the natural order, from 1 on; 0: by name.
            ttl: Seconds for which it may be silent before it counts as dead; at least 2.
            checks: What is looked at each time before it joins, as `check` takes it; a node that does not pass does not join.
            check_cool_down: Seconds for which such a node is excluded; 0: until it is readmitted.
        """
        join = pb.JoinRequest(
            job=self.job, node=node, settings=settings, address=address, data=data, segments=segments, slot=slot
        )
        return Participant(
            self._calls, self._session, join, ttl, partial(self.require_fit, node, checks, check_cool_down) if checks else None
        )

    async def check(self, checks: str, *, node: str = "") -> list[Finding]:
        """Looks whether this machine is fit to train: `gpu:8;disk:/ckpt;network;command:/opt/check.sh` (raftkv.preflight.spec).

        Args:
            checks: One or several. `network` looks for this client's endpoints and for the nodes of the last world.
            node: Which of these this machine is.

        Raises:
            ConfigError: That is no check.
        """
        parse_checks(checks)
        world = await self.world()
        peers = [peer.address for peer in world.nodes if peer.node != node]
        return await run_checks(parse_checks(checks, endpoints=self._calls.endpoints, peers=peers))

    async def require_fit(self, node: str, checks: str, cool_down: float = CHECK_COOL_DOWN_S) -> list[Finding]:
        """As `check`; where this machine does not pass, the node is excluded from the job, if there is one yet.

        Raises:
            NodeUnfitError: It did not pass.
        """
        findings = await self.check(checks, node=node)
        if problems := failures(findings):
            with suppress(JobNotFoundError):
                await self.exclude(node, "; ".join(problems)[:1000], cool_down=cool_down)
            raise NodeUnfitError(self.job, node, problems)
        return findings

    async def barrier(
        self,
        name: str,
        *,
        node: str,
        nodes: Sequence[str] = (),
        timeout: float | None = None,  # noqa: ASYNC109  # the cluster reckons it, from the first arrival
    ) -> None:
        """Arrives at a barrier of the present world on behalf of one of its nodes, and waits; see `Participant.barrier`."""
        token = (await self.look()).token
        await wait_at_barrier(self._calls, barrier_request(self.job, node, name, token=token, nodes=nodes, timeout=timeout))

    async def cancel_barrier(self, name: str, reason: str = "") -> None:
        """Lets everybody who waits at a barrier of the present world know that it will not be passed. Raises RoundOverError."""
        token = (await self.look()).token
        await self._ask("CancelBarrier", pb.CancelBarrierRequest(job=self.job, token=token, name=name, reason=reason))

    async def barriers(self) -> Sequence[pb.BarrierState]:
        """The barriers of the present world, by name: who is missing, with their ranks."""
        return (await self._calls.call(BARRIERS, pb.BarriersRequest(job=self.job))).barriers

    async def steps(self, *, limit: int = 0) -> pb.JobSteps:
        """How far the workers are, who is slow, who hangs; `limit`: only so many workers, those with the lowest scores."""
        response = await self._calls.call(STEPS, pb.StepsRequest(job=self.job, limit=limit))
        return response.jobs[0] if response.jobs else pb.JobSteps(job=self.job)

    async def watch_steps(self, *, interval: float = 1.0, limit: int = 0) -> AsyncGenerator[pb.JobSteps, None]:
        """The same every `interval` seconds; on through lost connections and changes of the leader."""
        request = pb.StepsRequest(job=self.job, limit=limit, interval_ms=round(interval * 1000))
        stream = StepsStream(self._session().reopening, request)
        stream.begin()
        try:
            while True:
                yield await stream.next()
        finally:
            stream.end()

    async def checkpoints(self, *, shards: bool = False) -> Sequence[pb.Checkpoint]:
        """The checkpoints that are there as a whole, the highest step first; with `shards`, their parts by rank."""
        return (await self._calls.call(CHECKPOINTS, pb.CheckpointsRequest(job=self.job, shards=shards))).checkpoints

    async def latest(self) -> pb.Checkpoint | None:
        """The checkpoint of the highest step that is there as a whole, with its parts by rank; None: there is none."""
        return await latest_checkpoint(self._calls, self.job)

    async def _ask(self, name: str, request: Message) -> pb.Standing:
        return (await self._calls.call(change(name), request)).standing


class Participant:
    """A node of a job, alive in this process.

    async with client.rendezvous("mnist").participant(hostname, settings) as node:
        while True:
            world = await node.next_round()
            reason = await train(world, until=node.round_over)
    """

    def __init__(
        self,
        calls: Calls,
        session: Callable[[], Session],
        join: pb.JoinRequest,
        ttl: int,
        require_fit: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        """For `Rendezvous.participant`."""
        self.node = join.node
        self.round: Round | None = None
        """The last that this node was in."""
        self._calls = calls
        self._session = session
        self._join = join
        self._join.incarnation = os.urandom(8).hex()
        self._ttl = ttl
        self._require_fit = require_fit
        self._lease: HeldLease | None = None
        self._followed: Followed | None = None
        self._observers: list[Callable[[pb.Standing], None]] = []

    # --- its course

    async def open(self) -> None:
        """Gets a lease, and follows the job; joins nothing yet. Raises RequestError."""
        followed = Followed(self._session().reopening, self._join.job, self.node)
        followed.told = self._told
        await self._hold_lease()
        self._followed = followed
        followed.begin()

    async def close(self, reason: str = "") -> None:
        """Leaves the job, and gives the lease back. What cannot be said within the lease's time, the lease says by its end."""
        if self._followed is not None:
            self._followed.end()
            with suppress(RaftKVError, TimeoutError):
                async with asyncio.timeout(self._ttl):
                    await self.leave(reason)
        if self._lease is not None:
            await self._lease.close(timeout=self._ttl)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def next_round(self, *, timeout: float | None = None) -> Round:  # noqa: ASYNC109  # it spans many calls
        """Joins, and returns when this node is in a world. It has done with the one that it was in: that ends for all, if it has not.

        Args:
            timeout: Seconds after which the node gives up, and leaves; None: it waits as long as the job is open.

        Raises:
            JobClosedError: The job is over.
            NodeExcludedError: This node is kept out.
            NodeUnfitError: It did not pass its own checks.
            RendezvousTimeoutError: There was no world in time.
            InvalidArgumentError: The job was begun with other settings.
        """
        try:
            async with asyncio.timeout(timeout):
                return await self._next_round()
        except TimeoutError:
            with suppress(RaftKVError):
                await self.leave("no world in time")
            raise RendezvousTimeoutError(self._join.job, timeout or 0.0) from None

    async def _next_round(self) -> Round:
        followed = self._following()
        before = 0 if self.round is None else self.round.token
        if self._require_fit is not None:
            await self._require_fit()
        while True:
            await self._ask_to_join(before)
            standing = await followed.until(lambda standing: _settled(standing, before))
            if standing.phase == pb.CLOSED:
                raise JobClosedError(standing.job, pb.Outcome.Name(standing.outcome), standing.reason)
            if standing.role == pb.EXCLUDED:
                raise NodeExcludedError(standing.job, self.node)
            if standing.role == pb.MEMBER:
                self.round = _round_of(standing)
                return self.round

    async def _ask_to_join(self, before: int) -> None:
        request = pb.JoinRequest()
        request.CopyFrom(self._join)
        request.after_token = before
        while True:
            request.lease = await self._hold_lease()
            try:
                response = await self._calls.call(change("Join"), request)
            except LeaseNotFoundError:
                self._lease = None  # it is over, and this process has not heard of it yet
                continue
            self._following().take(response)
            return

    async def round_over(self) -> str:
        """Returns when the world of this node's last round is no more, and says why.

        Raises:
            JobClosedError: It is no more because the job is over.
        """
        token = 0 if self.round is None else self.round.token
        standing = await self._following().until(lambda standing: standing.token != token)
        if standing.phase == pb.CLOSED:
            raise JobClosedError(standing.job, pb.Outcome.Name(standing.outcome), standing.reason)
        return standing.reason

    # --- in a round

    async def progress(self, step: int) -> None:
        """Says that a step was reached. It goes through the log: for a checkpoint, not for every step. Raises RoundOverError."""
        await self._report(pb.ReportRequest.PROGRESS, step=step)

    async def succeed(self) -> None:
        """Says that this node is done; when all are, so is the job. Raises RoundOverError."""
        await self._report(pb.ReportRequest.SUCCESS)

    async def fail(self, reason: str = "", *, fatal: bool = False) -> None:
        """Ends the round for all; with `fatal`, the job. Raises RoundOverError."""
        await self._report(pb.ReportRequest.FATAL if fatal else pb.ReportRequest.FAILURE, reason=reason)

    async def preempt(self, reason: str = "") -> None:
        """Gives notice that this node is about to go. Raises RoundOverError."""
        await self._ask("Preempt", pb.PreemptRequest(job=self._join.job, node=self.node, reason=reason))

    async def acknowledge_preemption(self, step: int) -> int:
        """Says which step this node has begun last, and returns the step after which all stop, as soon as all have said so.

        Whoever calls this begins no other step before it returns. Raises RoundOverError.
        """
        assert self.round is not None, "there is no round to stop in"
        token = self.round.token
        request = pb.AcknowledgePreemptionRequest(job=self._join.job, node=self.node, token=token, step=step)
        await self._ask("AcknowledgePreemption", request)
        standing = await self._following().until(lambda standing: standing.token != token or standing.preemption.agreed)
        return standing.preemption.stop_step

    def worker(self) -> Worker:
        """This process as one that is at work in the present round: steps, notices of preemption, run-wide values."""
        assert self.round is not None, "there is no round to work in"
        return Worker(self._calls, self._session, Place(self._join.job, self.node, self.round.token))

    async def barrier(self, name: str, *, nodes: Sequence[str] = (), timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Waits until all nodes of the world, or `nodes`, are here.

        Args:
            name: One for each use within a round.
            nodes: Who is waited for, this node among them; all say the same.
            timeout: Seconds from the first arrival on, as that one says, after which it fails for all; None: as long as the round.

        Raises:
            BarrierFailedError: Not all came, in time; `missing` says who did not.
            RoundOverError: The world is over.
        """
        token = 0 if self.round is None else self.round.token
        await wait_at_barrier(
            self._calls, barrier_request(self._join.job, self.node, name, token=token, nodes=nodes, timeout=timeout)
        )

    async def announce(self, step: int, location: str, data: str = "") -> None:
        """Says that this node's part of a checkpoint is saved. Raises RoundOverError."""
        token = 0 if self.round is None else self.round.token
        request = pb.AnnounceRequest(job=self._join.job, node=self.node, token=token, step=step, location=location, data=data)
        await self._ask("Announce", request)

    async def leave(self, reason: str = "") -> None:
        """Takes part no more."""
        request = pb.LeaveRequest(job=self._join.job, node=self.node, incarnation=self._join.incarnation, reason=reason[:1000])
        await self._ask("Leave", request)

    # --- how it is

    @property
    def standing(self) -> pb.Standing | None:
        """How the job stands for this node, as last heard."""
        return None if self._followed is None else self._followed.standing

    async def until(self, condition: Callable[[pb.Standing], bool]) -> pb.Standing:
        """Returns a standing for which the condition holds, as soon as one does."""
        return await self._following().until(condition)

    def observe(self, observer: Callable[[pb.Standing], None]) -> Callable[[], None]:
        """Calls `observer` with each new standing, on the client's loop: it must not wait. Answers what ends that."""
        self._observers.append(observer)
        return lambda: self._observers.remove(observer)

    # --- inside

    def _following(self) -> Followed:
        assert self._followed is not None, "a participant is opened first"
        return self._followed

    def _told(self) -> None:
        if self.standing is not None:
            for observer in list(self._observers):
                observer(self.standing)

    async def _hold_lease(self) -> int:
        """The lease that this node lives by; a new one, where the last is lost."""
        if self._lease is None or not self._lease.alive:
            lease = self._calls.lease(self._ttl)
            await lease.open()
            self._lease = lease
        return self._lease.id

    async def _report(self, kind: "pb.ReportRequest.Kind", *, step: int = 0, reason: str = "") -> None:
        token = 0 if self.round is None else self.round.token
        request = pb.ReportRequest(job=self._join.job, node=self.node, token=token, kind=kind, step=step, reason=reason[:1000])
        await self._ask("Report", request)

    async def _ask(self, name: str, request: Message) -> None:
        response = await self._calls.call(change(name), request)
        if self._followed is not None:
            self._followed.take(response)


def _settled(standing: pb.Standing, before: int) -> bool:
    """Whether who has joined need not wait any more: in a world, or out of the job."""
    if standing.phase == pb.CLOSED or standing.role in {pb.EXCLUDED, pb.NO_ROLE, pb.SURVIVOR}:
        return True
    return standing.role == pb.MEMBER and standing.token != before


def _round_of(standing: pb.Standing) -> Round:
    return Round(
        number=standing.round,
        token=standing.token,
        rank=standing.rank,
        world_size=standing.world_size,
        master_node=standing.master_node,
        master_address=standing.master_address,
        master_data=standing.master_data,
    )
