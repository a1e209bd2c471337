"""Questions from node to node, outside of Raft: a follower asks the leader to renew leases, a leader asks for a hash.

    ask ---> queued ---end of the turn---> sent ---AskReply---> the reply has its bytes or its error
                                             |---peer lost, unreachable, out of time---> the reply has an UnavailableError

An ask may be lost, and it may be answered in vain; it is never sent twice. So its asker knows nothing of what became of an ask
that failed, and only what may safely be asked again belongs here: what must happen once goes through the log.

Numbers of an earlier life of this process are never used again, so a late answer to that life answers nobody.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from raftkv.clock import Clock
from raftkv.errors import (
    Code,
    PeerUnreachableError,
    RequestError,
    RequestTimeoutError,
    StoppedError,
    TooManyRequestsError,
    UnimplementedError,
    error_of_status,
)
from raftkv.reply import Reply

MAX_OUTSTANDING = 10_000
"""Asks of this node that wait for an answer; more are refused here."""
MAX_SERVED = 1_000
"""Asks of one other node that wait for an answer of ours; more are refused."""


class Kind(IntEnum):
    """What can be asked. The numbers are spoken between versions: they are never reused."""

    RENEW_LEASES = 1
    LEASE_TIME_TO_LIVE = 2
    HASH = 3
    PROBE = 4
    OVERVIEW = 5
    LIGHTHOUSE = 6
    HEARTBEATS = 7
    STEPS = 8


@dataclass(frozen=True, slots=True)
class Ask:
    """A question on the wire."""

    source: int
    target: int
    number: int
    kind: int
    body: bytes
    term: ClassVar[int] = 0
    """No term is needed to ask."""


@dataclass(frozen=True, slots=True)
class AskReply:
    """Its answer: `body`, or a gRPC status other than OK with its text."""

    source: int
    target: int
    number: int
    body: bytes
    code: int = 0
    error: str = ""
    term: ClassVar[int] = 0


ASKS = (Ask, AskReply)

Handler = Callable[[bytes, int], Reply[bytes]]
"""Answers the body of an ask that a node (the second argument) sent: now or later, or raises a RequestError. It is called
within the turn that the ask came in, so it must be quick.
"""


class _Outstanding:
    """An ask that was not answered yet."""

    __slots__ = ("deadline", "reply", "target")

    def __init__(self, target: int, deadline: float, reply: Reply[bytes]) -> None:
        self.target = target
        self.deadline = deadline
        self.reply = reply


class Asks:
    """One node's questions and answers. The replica sends what `take` hands out, once at the end of each turn."""

    def __init__(self, node_id: int, clock: Clock, first_number: int, *, wake: Callable[[], None]) -> None:
        """`wake` is called when there is something to send."""
        self._node_id = node_id
        self._clock = clock
        self._next = first_number
        self._wake = wake
        self._members: frozenset[int] = frozenset()
        self._handlers: dict[int, Handler] = {}
        self._outstanding: dict[int, _Outstanding] = {}
        self._served: Counter[int] = Counter()
        self._outgoing: list[Ask | AskReply] = []
        self._stopped = False

    def serve(self, kind: int, handler: Handler) -> None:
        """Registers who answers asks of a kind."""
        assert kind not in self._handlers, f"asks of kind {kind} are answered already"
        self._handlers[kind] = handler

    def set_members(self, node_ids: frozenset[int]) -> None:
        """Who can be asked. Asks to a node that is no member any more fail."""
        gone = self._members - node_ids
        self._members = node_ids
        for node_id in gone:
            self.lost(node_id)

    def ask(self, node_id: int, kind: int, body: bytes, timeout_s: float) -> Reply[bytes]:
        """Asks a node, this one included. The reply gets the answer, or the RequestError that the node answered with, or a
        PeerUnreachableError or RequestTimeoutError; an ask that is cancelled is forgotten.
        """
        reply: Reply[bytes] = Reply()
        if self._stopped:
            reply.set_exception(StoppedError())
        elif node_id == self._node_id:
            return self._handled(kind, body, node_id)
        elif node_id not in self._members:
            reply.set_exception(PeerUnreachableError())
        elif len(self._outstanding) >= MAX_OUTSTANDING:
            reply.set_exception(TooManyRequestsError())
        else:
            self._outstanding[self._next] = _Outstanding(node_id, self._clock.now() + timeout_s, reply)
            self._send(Ask(self._node_id, node_id, self._next, kind, body))
            self._next += 1
        return reply

    def take(self) -> list[Ask | AskReply]:
        """What is to be sent now."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    @property
    def waiting(self) -> bool:
        """Whether there is something to send."""
        return bool(self._outgoing)

    # --- what the network tells -----------------------------------------------------------------------------------

    def received(self, message: Ask | AskReply) -> None:
        """An ask or an answer from another node."""
        if self._stopped:
            return
        if isinstance(message, Ask):
            self._answer(message)
        else:
            self._settle(message)

    def lost(self, node_id: int) -> None:
        """What was sent to that node, or what it answered, may be lost: asks to it fail."""
        doomed = [number for number, ask in self._outstanding.items() if ask.target == node_id]
        for number in doomed:
            self._fail(number, PeerUnreachableError())

    def expire(self) -> None:
        """Fails asks that were not answered in time: to be called at every tick."""
        now = self._clock.now()
        doomed = [number for number, ask in self._outstanding.items() if ask.deadline <= now or ask.reply.done()]
        for number in doomed:
            self._fail(number, RequestTimeoutError())

    def stop(self) -> None:
        """Fails everything: this node is going away."""
        self._stopped = True
        self._outgoing = []
        for number in list(self._outstanding):
            self._fail(number, StoppedError())

    # --- inside ---------------------------------------------------------------------------------------------------

    def _send(self, message: Ask | AskReply) -> None:
        self._outgoing.append(message)
        self._wake()

    def _handled(self, kind: int, body: bytes, source: int) -> Reply[bytes]:
        """The handler's answer, later or now; whatever it raises on purpose is an answer, too."""
        try:
            handler = self._handlers.get(kind)
            if handler is None:  # a node of a later version asks
                raise UnimplementedError(f"raftkv: this version does not know questions of kind {kind}")
            return handler(body, source)
        except RequestError as error:
            refused: Reply[bytes] = Reply()
            refused.set_exception(error)
            return refused

    def _answer(self, ask: Ask) -> None:
        if self._served[ask.source] >= MAX_SERVED:
            self._send(_refusal(ask, TooManyRequestsError()))
            return
        self._served[ask.source] += 1
        self._handled(ask.kind, ask.body, ask.source).add_done_callback(lambda reply: self._answered(ask, reply))

    def _answered(self, ask: Ask, reply: Reply[bytes]) -> None:
        self._served[ask.source] -= 1
        if self._stopped:
            return
        error = reply.exception()
        if error is None:
            self._send(AskReply(ask.target, ask.source, ask.number, reply.result()))
        elif isinstance(error, RequestError):
            self._send(_refusal(ask, error))
        else:
            raise error

    def _settle(self, answer: AskReply) -> None:
        ask = self._outstanding.get(answer.number)
        if ask is None or ask.target != answer.source:
            return
        if answer.code != Code.OK:
            self._fail(answer.number, error_of_status(answer.code, answer.error))
            return
        del self._outstanding[answer.number]
        if not ask.reply.done():
            ask.reply.set_result(answer.body)

    def _fail(self, number: int, error: RequestError) -> None:
        # Who is told may ask again or lose a peer, and so change what is outstanding.
        ask = self._outstanding.pop(number, None)
        if ask is not None and not ask.reply.done():
            ask.reply.set_exception(error)


def _refusal(ask: Ask, error: RequestError) -> AskReply:
    return AskReply(ask.target, ask.source, ask.number, b"", error.code, str(error))
