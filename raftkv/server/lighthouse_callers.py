"""This node's callers of the lighthouse: what waits here for a quorum, and the groups that were heard of here.

    Quorum    --> a ticket, told to the leader at the end of the turn; again, all that wait, twice a second and to a new leader
    Heartbeat --> answered at once, told to the leader ten times a second
    a quorum is applied here --> the calls with its tickets have their answer, all in one turn

Nothing but quorums goes through the log. What is told may be lost; telling all again is what repairs it, and takes the place of
telling who went away.
"""

from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Iterable, Sequence

from google.protobuf.message import DecodeError

from raftkv.clock import Clock
from raftkv.errors import RequestError, StoppedError, TooManyRequestsError
from raftkv.pb.lighthouse import LighthouseAnswers, LighthouseNews
from raftkv.pb.torchft import QuorumMember
from raftkv.peer.asks import Kind
from raftkv.raft.messages import NO_NODE
from raftkv.reply import Reply
from raftkv.server.replica import Replica

LOOK_S = 0.1
"""Between two looks at what there is to tell."""
WHOLE_S = 0.5
"""Between two times of telling the leader of all that wait."""
MAX_CALLS = 10_000
"""That may wait at a node."""
MAX_CALLS_BYTES = 8 * 1024 * 1024
"""What all of them may say of their groups together: the leader is told of them in one message, and one entry of the log may have all."""
MAX_HEARD = 10_000
"""Groups of which the leader is told in one go; more are not heard."""


class _Call:
    __slots__ = ("job", "member", "reply", "since", "size")

    def __init__(self, job: str, member: QuorumMember, since: float) -> None:
        self.job = job
        self.member = member
        self.since = since
        self.size = member.ByteSize()
        self.reply: Reply[bytes] = Reply()


class LighthouseCallers:
    """Every node has one."""

    def __init__(self, replica: Replica, clock: Clock, loop: AbstractEventLoop) -> None:
        self._replica = replica
        self._clock = clock
        self._loop = loop
        self._calls: dict[int, _Call] = {}
        """By ticket."""
        self._bytes = 0
        """What they say of their groups."""
        self._next = replica.rng.getrandbits(43) << 20
        """Tickets of another life never come back, nor do those of another node."""
        self._new: list[int] = []
        """Of which the leader was not told."""
        self._heard: dict[tuple[str, str], None] = {}
        """Job and group."""
        self._told = NO_NODE
        """The leader that was told of everything, and when."""
        self._told_at = 0.0
        self._told_of_calls = False
        """Whether the leader believes that something waits here."""
        self._timer: TimerHandle | None = None
        self._stopped = False
        self.quorums = 0
        """Of all jobs, that were applied here since the start."""

    def start(self) -> None:
        """Begins to tell."""
        self._replica.machine.lighthouses.audience.append(self)
        self._timer = self._loop.call_later(LOOK_S, self._look)

    def stop(self) -> None:
        """Tells no more; who waits here has to ask another node."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for ticket in list(self._calls):
            self._fail(ticket, StoppedError())

    @property
    def waiting(self) -> int:
        """Calls that wait here."""
        return len(self._calls)

    # --- what clients want -----------------------------------------------------------------------------------------

    def ask(self, job: str, member: QuorumMember) -> Reply[bytes]:
        """The next quorum with this group: an encoded LighthouseQuorumResponse.

        Raises:
            TooManyRequestsError: too many wait here already, or, as the answer says, the leader knows of too many groups or jobs.
            StoppedError: the node is stopping.
        """
        if self._stopped:
            raise StoppedError
        if len(self._calls) >= MAX_CALLS:
            raise TooManyRequestsError
        call = _Call(job, member, self._clock.now())
        if self._bytes + call.size > MAX_CALLS_BYTES:
            raise TooManyRequestsError
        ticket, self._next = self._next, self._next + 1
        self._calls[ticket] = call
        self._bytes += call.size
        if not self._new:
            self._replica.at_next_turn(self._tell_new)
        self._new.append(ticket)
        return call.reply

    def hear(self, job: str, group: str) -> None:
        """A group is alive. Raises TooManyRequestsError."""
        if len(self._heard) >= MAX_HEARD:
            raise TooManyRequestsError
        self._heard[job, group] = None

    # --- what the leader is told -----------------------------------------------------------------------------------

    def _tell_new(self) -> None:
        new, self._new = self._new, []
        if self._told == self._replica.leader:  # otherwise the next look tells all
            self._tell([ticket for ticket in new if ticket in self._calls], whole=False)

    def _look(self) -> None:
        if self._replica.failed.done():
            return
        self._timer = self._loop.call_later(LOOK_S, self._look)
        for ticket in [ticket for ticket, call in self._calls.items() if call.reply.done()]:
            self._take(ticket)
        leader, now = self._replica.leader, self._clock.now()
        if leader == NO_NODE:
            self._told = NO_NODE
        elif leader != self._told or (now - self._told_at >= WHOLE_S and (self._calls or self._told_of_calls)):
            self._told, self._told_at, self._told_of_calls = leader, now, False
            self._tell(self._calls, whole=True)
        elif self._heard:
            self._tell((), whole=False)

    def _tell(self, tickets: Iterable[int], *, whole: bool) -> None:
        news, now = LighthouseNews(whole=whole), self._clock.now()
        for ticket in tickets:
            call = self._calls[ticket]
            age_ms = int(1000 * (now - call.since))
            news.waiting.add(ticket=ticket, job=call.job, age_ms=age_ms, member=call.member)
            self._told_of_calls = True
        by_job: dict[str, list[str]] = {}
        for job, group in self._heard:
            by_job.setdefault(job, []).append(group)
        self._heard.clear()
        for job, groups in by_job.items():
            news.heartbeats.add(job=job, replica_ids=groups)
        leader = self._told
        answer = self._replica.asks.ask(leader, Kind.LIGHTHOUSE, news.SerializeToString(), WHOLE_S)
        answer.add_done_callback(lambda reply: self._heard_back(leader, reply))

    def _heard_back(self, leader: int, reply: Reply[bytes]) -> None:
        if reply.exception() is not None:
            if leader == self._told:
                self._told = NO_NODE  # it may not lead yet, or no more: the next look tells all
            return
        try:
            said = LighthouseAnswers.FromString(reply.result())
        except DecodeError:
            return  # a leader that says nothing readable has said nothing
        for answer in said.answers:
            self._answer(answer.tickets, answer.response)
        for ticket in said.refused:
            self._fail(ticket, TooManyRequestsError())

    # --- what is answered ------------------------------------------------------------------------------------------

    def formed(self, job: str, tickets: Sequence[int], response: bytes) -> None:  # noqa: ARG002 (see Audience: tickets say which)
        """See Audience."""
        self.quorums += 1
        self._answer(tickets, response)

    def _answer(self, tickets: Iterable[int], response: bytes) -> None:
        for ticket in tickets:
            call = self._take(ticket)
            if call is not None and not call.reply.done():
                call.reply.set_result(response)

    def _fail(self, ticket: int, error: RequestError) -> None:
        call = self._take(ticket)
        if call is not None and not call.reply.done():
            call.reply.set_exception(error)

    def _take(self, ticket: int) -> _Call | None:
        """A call that waits no more."""
        call = self._calls.pop(ticket, None)
        if call is not None:
            self._bytes -= call.size
        return call
