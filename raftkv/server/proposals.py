"""Commands on their way through the log, and who waits for them.

    queued ---offer---> bound to a term ---applied---> answered
       ^                      |
       '---- a later term was committed: it never will be applied, so it is safe to offer it again
                              |
                              '---- a snapshot jumped over the entries among which it may be: failed, outcome unknown

That last arrow makes a change of leader invisible to clients. It rests on two facts: the leader takes a forwarded proposal
only in the term it was bound to (raft.messages.Propose), and terms never fall along the log (Raft paper, 5.3). So when an
entry of a later term is applied, every proposal bound to an earlier one and not yet applied is dead.
"""

from collections import deque

from google.protobuf.message import DecodeError, Message

from raftkv.auth.state import Author
from raftkv.errors import (
    LeaderFailureTimeoutError,
    MalformedRequestError,
    RequestError,
    RequestTimeoutError,
    StoppedError,
    TooManyRequestsError,
)
from raftkv.pb.command import Command, RequestId
from raftkv.reply import Reply
from raftkv.tracing import TraceContext, pack

UNBOUND = 0
"""The term of a proposal that no leader has been asked to append."""


class Proposal:
    """One command that somebody here waits for."""

    __slots__ = ("change", "data", "deadline", "identifier", "offered_at", "offers", "reply", "since", "term", "trace")

    def __init__(self, identifier: int, data: bytes, reply: Reply[Message], since: float, deadline: float) -> None:
        self.identifier = identifier
        self.data = data
        self.reply = reply
        self.since = self.offered_at = since
        self.deadline = deadline
        self.trace: TraceContext | None = None
        """On whose behalf it was made, where that is recorded."""
        self.term = UNBOUND
        self.offers = 0
        self.change = False
        """Whether it changes the members: those take another way to the log (server/changes.py)."""


class Proposals:
    """All proposals of this node, in the order in which they came; all have the same patience, so also in that of their deadlines."""

    def __init__(self, node_id: int, first_identifier: int, *, limit: int, patience_s: float) -> None:
        """`first_identifier` must not repeat one of an earlier life of this node: entries of that life may still be applied."""
        self._head = Command(proposer=node_id).SerializeToString()
        self._next = first_identifier
        self._limit = limit
        self._patience_s = patience_s
        self._pending: dict[int, Proposal] = {}
        self._queue: deque[Proposal] = deque()
        self.changes: deque[Proposal] = deque()
        """The proposals to change the members that wait to be offered."""
        self._newest_term = UNBOUND

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def queued(self) -> bool:
        """Whether something waits to be offered."""
        return bool(self._queue)

    def add(
        self,
        body: bytes,
        now: float,
        *,
        request_id: RequestId | None = None,
        author: Author | None = None,
        duty: bool = False,
        trace: TraceContext | None = None,
    ) -> Reply[Message]:
        """Queues a command whose encoded body field is `body`; the reply gets the answer or a RequestError. A duty of the node
        itself is taken however many wait.

        Raises:
            TooManyRequestsError: too many wait already.
            MalformedRequestError: what would stand in the log could not be read from it.
        """
        if len(self._pending) >= self._limit and not duty:
            raise TooManyRequestsError
        identifier = self._next
        self._next += 1
        command = Command(proposal=identifier, request_id=request_id)
        if author is not None:
            command.user, command.auth_revision = author
        if trace is not None:
            command.trace = pack(trace)
        data = self._head + command.SerializeToString() + body
        _check_readable(data)
        reply: Reply[Message] = Reply()
        proposal = Proposal(identifier, data, reply, now, now + self._patience_s)
        proposal.trace = trace
        self._pending[identifier] = proposal
        self._queue.append(proposal)
        return reply

    def add_change(self, body: bytes, now: float) -> Reply[Message]:
        """As `add`, for a change of the members."""
        reply = self.add(body, now)
        proposal = self._queue.pop()
        proposal.change = True
        self.changes.append(proposal)
        return reply

    def take_queued(self, max_bytes: int) -> list[Proposal]:
        """The next proposals to offer, in order: at least one if any is queued, at most `max_bytes` of data."""
        taken: list[Proposal] = []
        room = max_bytes
        queue = self._queue
        while queue and (room >= len(queue[0].data) or not taken):
            proposal = queue.popleft()
            if proposal.reply.done():  # the caller gave up before anybody was asked
                self._pending.pop(proposal.identifier, None)
                continue
            room -= len(proposal.data)
            taken.append(proposal)
        return taken

    def put_back(self, proposals: list[Proposal]) -> None:
        """Nobody took these: they stay first in the queue."""
        self._queue.extendleft(reversed(proposals))

    def bind(self, proposals: list[Proposal], term: int, now: float) -> None:
        """These were offered to the leader of `term`."""
        for proposal in proposals:
            proposal.offered_at = now
            proposal.term = term
            proposal.offers += 1

    def term_applied(self, term: int) -> bool:
        """An entry of `term` is being applied: what was bound to an earlier one is offered again. True if there was any."""
        if term <= self._newest_term:
            return False
        self._newest_term = term
        dead = [p for p in self._pending.values() if UNBOUND < p.term < term]
        for proposal in dead:
            proposal.term = UNBOUND
        self.changes.extendleft([proposal for proposal in reversed(dead) if proposal.change])
        self._queue.extendleft([proposal for proposal in reversed(dead) if not proposal.change])
        return bool(dead)

    def replaced(self, term: int) -> None:
        """A snapshot whose last entry is of `term` took the place of entries that were never applied here. What was bound by then may
        be among them: to offer it again could apply it twice, so nobody can say what became of it.
        """
        for proposal in [p for p in self._pending.values() if UNBOUND < p.term <= term]:
            del self._pending[proposal.identifier]
            _fail(proposal, LeaderFailureTimeoutError())

    def applied(self, identifier: int) -> Proposal | None:
        """A proposal that was applied, if somebody still waits for its reply."""
        proposal = self._pending.pop(identifier, None)
        if proposal is None or proposal.reply.done():
            return None
        return proposal

    def expire(self, now: float) -> int:
        """Fails what has waited too long, and says how many. They may still be applied."""
        expired: list[Proposal] = []
        for proposal in self._pending.values():
            if proposal.deadline > now:
                break
            expired.append(proposal)
        if not expired:
            return 0
        for proposal in expired:
            del self._pending[proposal.identifier]
            _fail(proposal, LeaderFailureTimeoutError() if proposal.offers > 1 else RequestTimeoutError())
        self._queue = deque([p for p in self._queue if p.identifier in self._pending])
        for proposal in [p for p in self.changes if p.identifier not in self._pending]:
            self.changes.remove(proposal)
        return len(expired)

    def stop(self) -> None:
        """Fails everything: this node is going away."""
        for proposal in self._pending.values():
            _fail(proposal, StoppedError())
        self._pending.clear()
        self._queue.clear()
        self.changes.clear()


def _check_readable(data: bytes) -> None:
    """An entry that no replica can read would stop them all, for good. A message that parses alone may still be nested too
    deeply one level further down, which is where the log has it.
    """
    try:
        Command.FromString(data)
    except DecodeError as error:
        raise MalformedRequestError from error


def _fail(proposal: Proposal, error: RequestError) -> None:
    if not proposal.reply.done():
        proposal.reply.set_exception(error)
