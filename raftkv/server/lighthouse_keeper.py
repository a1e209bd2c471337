"""The leader's part in lighthouses: it alone knows which groups live and which calls wait, decides quorums and tells them the log.

All of it is soft: a new leader begins with nothing but the last quorum of each job, and is told by every node, within a moment,
which calls wait there (raftkv.server.lighthouse_callers). Until its heartbeat timeout is over it takes every group of the last
quorum to be alive: silence that began with another leader is held against nobody. So a change of leaders never makes a quorum smaller.

What a leader tells the log counts in its own term only, as with leases.

Bounds: MAX_GROUPS of a job and MAX_ALL_GROUPS of all, in MAX_JOBS; each call is one of a group that has its place among them. A job is
taken up with the groups of its last quorum or not at all: without them its next quorum could be smaller than it should.
"""

from asyncio import AbstractEventLoop
from collections.abc import Callable, Mapping, Sequence

import structlog
from google.protobuf.message import DecodeError

from raftkv.apply.command import FORM_QUORUM, body
from raftkv.clock import Clock
from raftkv.errors import InvalidArgumentError, NotLeaderError, RequestError
from raftkv.lighthouse import Caller, QuorumOptions, decide, options_key, parse_options
from raftkv.lighthouse.lighthouses import MAX_JOBS
from raftkv.mvcc import finish
from raftkv.pb.kv import KeyValue
from raftkv.pb.lighthouse import FormQuorum, LighthouseAnswers, LighthouseNews, WaitingCall
from raftkv.pb.rpc import RangeRequest
from raftkv.pb.torchft import QuorumMember
from raftkv.peer.asks import Kind
from raftkv.reply import Reply
from raftkv.server.leader_duty import LeaderDuty
from raftkv.server.replica import Replica

log = structlog.get_logger(__name__)

LOOK_S = 0.1
"""Between two looks at the times, as in torchft's lighthouse."""
SILENCE_S = 3.0
"""Calls of a node that was not heard of for so long wait no more: it tells of them several times a second."""
MAX_GROUPS = 10_000
"""Groups of a job that are counted; more are not heard, and their calls are refused."""
MAX_ALL_GROUPS = 100_000
"""Of all jobs together."""
TIDY_S = 1.0
"""Between two times of forgetting who is dead."""


class _Call:
    """A call of Quorum that waits at some node."""

    __slots__ = ("asked_at", "member", "node", "since")

    def __init__(self, node: int, member: QuorumMember, asked_at: float, since: float) -> None:
        self.node = node
        self.member = member
        self.asked_at = asked_at
        """Of several calls of a group the last one says how it is; the others were given up, which nobody may have noticed."""
        self.since = since
        """When it began to wait for the next quorum."""


class _Job:
    """What the leader knows of a job."""

    __slots__ = (
        "answered",
        "calls",
        "chosen",
        "formed_at",
        "heartbeats",
        "options",
        "options_revision",
        "proposed",
        "response",
    )

    def __init__(self) -> None:
        self.calls: dict[int, _Call] = {}
        """By ticket."""
        self.heartbeats: dict[str, float] = {}
        self.chosen: dict[str, _Call] = {}
        """Of each group in the quorum that was proposed last, the call by which it is in there."""
        self.answered: frozenset[int] = frozenset()
        """The tickets of the last quorum of this term; who asks about them has not seen it."""
        self.response = b""
        self.formed_at = 0.0
        self.proposed = False
        """Whether a quorum is on its way through the log. One at a time."""
        self.options = QuorumOptions()
        self.options_revision = 0


class LighthouseKeeper:
    """Every node has one; the leader's is at work."""

    def __init__(self, replica: Replica, clock: Clock, loop: AbstractEventLoop, unix_time: Callable[[], float]) -> None:
        self._replica = replica
        self._duty = LeaderDuty(replica, clock, loop, look_s=LOOK_S, begin=self._begin, look=self._look)
        self._unix_time = unix_time
        self._lighthouses = replica.machine.lighthouses
        self._jobs: dict[str, _Job] = {}
        self._heard: dict[int, float] = {}
        """When each node was heard of."""
        self._began = 0.0
        self._tidied_at = 0.0
        self.groups = 0
        """That are known, of all jobs; counted each time that the dead are forgotten, and with each that comes in between."""
        self.refused = 0
        """Calls for which there was no room, since the start."""

    def start(self) -> None:
        """Begins to look."""
        self._lighthouses.audience.append(self)
        self._replica.asks.serve(Kind.LIGHTHOUSE, self._take)
        self._duty.start()

    def stop(self) -> None:
        """Looks no more."""
        self._duty.stop()

    # --- time and leadership ---------------------------------------------------------------------------------------

    def _begin(self, _term: int) -> None:
        self._jobs, self._heard, self._began = {}, {}, self._duty.now()
        self.groups = 0

    def _look(self, now: float) -> None:
        for node in [node for node, heard_at in self._heard.items() if now - heard_at > SILENCE_S]:
            self._drop_calls(node)
            del self._heard[node]
        if now - self._tidied_at >= TIDY_S:
            self._tidied_at = now
            for name, job in list(self._jobs.items()):
                self._tidy(name, job, now)
            self.groups = sum(len(job.heartbeats) for job in self._jobs.values())
        for name, job in list(self._jobs.items()):
            if job.calls:
                self._consider(name, job, now)

    # --- what nodes tell -------------------------------------------------------------------------------------------

    def _take(self, data: bytes, node: int) -> Reply[bytes]:
        """The news of a node, and which of its calls are answered, or refused. Raises NotLeaderError, InvalidArgumentError."""
        now = self._duty.now()
        if not self._duty.leads():
            raise NotLeaderError
        try:
            news = LighthouseNews.FromString(data)
        except DecodeError as error:
            raise InvalidArgumentError("raftkv: no news of a lighthouse") from error
        self._heard[node] = now
        if news.whole:
            self._drop_calls(node)
        for heard in news.heartbeats:
            job = self._job(heard.job)
            if job is not None:
                for group in heard.replica_ids:
                    self._hear(job, group, now)
        answers = self._calls(node, news.waiting, now)
        reply: Reply[bytes] = Reply()
        reply.set_result(answers.SerializeToString())
        return reply

    def _calls(self, node: int, calls: Sequence[WaitingCall], now: float) -> LighthouseAnswers:
        answers = LighthouseAnswers()
        concerned: dict[str, _Job] = {}
        for call in calls:
            job = self._job(call.job)
            if job is not None and call.ticket in job.answered:
                answers.answers.add(tickets=(call.ticket,), response=job.response)
                continue
            since = now - call.age_ms / 1000
            if job is None or not self._hear(job, call.member.replica_id, since):
                answers.refused.append(call.ticket)
                continue
            job.calls[call.ticket] = _Call(node, call.member, since, max(since, job.formed_at))
            concerned[call.job] = job
        self.refused += len(answers.refused)
        for name, job in concerned.items():
            last = self._lighthouses.jobs.get(name)
            if last is None or len(job.calls) >= len(last.groups):  # otherwise the next look is soon enough
                self._consider(name, job, now)
        return answers

    def _job(self, name: str) -> _Job | None:
        """None: there is no room for it."""
        job = self._jobs.get(name)
        if job is None:
            last = self._lighthouses.jobs.get(name)
            groups = () if last is None else last.groups
            if len(self._jobs) >= MAX_JOBS or self.groups + len(groups) >= MAX_ALL_GROUPS:
                return None
            job = self._jobs[name] = _Job()
            job.heartbeats.update(dict.fromkeys(groups, self._began))
            self.groups += len(groups)
        return job

    def _hear(self, job: _Job, group: str, when: float) -> bool:
        """Whether there is room for the group."""
        if group not in job.heartbeats:
            if len(job.heartbeats) >= MAX_GROUPS or self.groups >= MAX_ALL_GROUPS:
                return False
            self.groups += 1
        job.heartbeats[group] = max(when, job.heartbeats.get(group, when))
        return True

    def _drop_calls(self, node: int) -> None:
        for job in self._jobs.values():
            for ticket in [ticket for ticket, call in job.calls.items() if call.node == node]:
                del job.calls[ticket]

    def _tidy(self, name: str, job: _Job, now: float) -> None:
        """Forgets groups that are dead, and a job that nobody was heard of."""
        oldest = now - 2 * self._options(name, job).heartbeat_timeout_ms / 1000
        for group in [group for group, heard_at in job.heartbeats.items() if heard_at < oldest]:
            del job.heartbeats[group]
        if not (job.heartbeats or job.calls or job.proposed):
            del self._jobs[name]

    # --- quorums ---------------------------------------------------------------------------------------------------

    def _consider(self, name: str, job: _Job, now: float) -> None:
        if job.proposed:
            return
        youngest: dict[str, _Call] = {}
        for call in job.calls.values():
            other = youngest.get(call.member.replica_id)
            if other is None or call.asked_at >= other.asked_at:
                youngest[call.member.replica_id] = call
        callers = {group: Caller(call.since, call.member.shrink_only) for group, call in youngest.items()}
        last = self._lighthouses.jobs.get(name)
        decision = decide(now, callers, job.heartbeats, () if last is None else last.groups, self._options(name, job))
        if decision.groups:
            self._propose(name, job, {group: youngest[group] for group in decision.groups})

    def _propose(self, name: str, job: _Job, chosen: dict[str, _Call]) -> None:
        request = FormQuorum(term=self._duty.term, job=name, created_ns=int(self._unix_time() * 1_000_000_000))
        request.participants.extend(call.member for call in chosen.values())
        request.tickets.extend(ticket for ticket, call in job.calls.items() if call.member.replica_id in chosen)
        job.proposed, job.chosen = True, chosen
        self._replica.propose_duty(body(FORM_QUORUM, request.SerializeToString())).add_done_callback(
            lambda reply: self._proposed(name, job, reply)
        )

    def _proposed(self, name: str, job: _Job, reply: Reply[None]) -> None:
        """The next look tries again, if it has to."""
        job.proposed = False
        error = reply.exception()
        if isinstance(error, RequestError):
            log.warning("a quorum was not formed", job=name, error=str(error))

    def formed(self, job: str, tickets: Sequence[int], response: bytes) -> None:
        """See Audience."""
        known = self._jobs.get(job)
        if known is None:
            return
        late = [ticket for ticket, call in known.calls.items() if _is_in(known.chosen, call)]
        known.answered, known.response, known.formed_at = frozenset((*tickets, *late)), response, self._duty.now()
        for ticket in late:
            del known.calls[ticket]
        for call in known.calls.values():  # who was left out asks anew: the next quorum waits for others as long as any
            call.since = known.formed_at

    def _options(self, name: str, job: _Job) -> QuorumOptions:
        found = self._stored(options_key(name))
        revision = 0 if found is None else found.mod_revision
        if revision != job.options_revision:
            job.options_revision = revision
            try:
                job.options = QuorumOptions() if found is None else parse_options(found.value)
            except InvalidArgumentError as error:
                log.warning("the lighthouse's options stay as they were", job=name, error=str(error))
        return job.options

    def _stored(self, key: str) -> KeyValue | None:
        response = finish(self._replica.store.range(RangeRequest(key=key.encode())))
        return next(iter(response.kvs), None)


def _is_in(chosen: Mapping[str, _Call], call: _Call) -> bool:
    """Whether a quorum says of a group what this call of it says, or something later. A group that asks again while its quorum is on its
    way is in there; one that says something else by now, as another step, waits for the next quorum.
    """
    known = chosen.get(call.member.replica_id)
    return known is not None and (call.member == known.member or call.asked_at < known.asked_at)
