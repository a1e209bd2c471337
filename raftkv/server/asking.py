"""Questions to the leader, whoever that is: they wait while there is none, and are asked again where leadership moves.

    waiting ---a leader is known---> asked ---answered---> done
       ^                               |---another leads, it was lost, or it leads no more
       '-------------------------------'

Only what may be asked twice is asked this way (raftkv.peer.asks).
"""

from collections.abc import Callable

from raftkv.clock import Clock
from raftkv.errors import (
    LeaderFailureTimeoutError,
    NoLeaderError,
    NotLeaderError,
    PeerUnreachableError,
    RequestTimeoutError,
    StoppedError,
    TooManyRequestsError,
)
from raftkv.peer.asks import MAX_OUTSTANDING, Asks
from raftkv.raft.messages import NO_NODE
from raftkv.reply import Reply

_AGAIN = (NotLeaderError, NoLeaderError, PeerUnreachableError, RequestTimeoutError)
"""What says nothing but that it was the wrong node or the wrong moment."""


class _Question:
    """One question, until it is answered."""

    __slots__ = ("attempt", "body", "deadline", "kind", "reply", "target")

    def __init__(self, kind: int, body: bytes, deadline: float) -> None:
        self.kind = kind
        self.body = body
        self.deadline = deadline
        self.reply: Reply[bytes] = Reply()
        self.target = NO_NODE
        """Who was asked last."""
        self.attempt: Reply[bytes] | None = None
        """The ask under way; None while the question waits."""


class LeaderAsks:
    """This node's questions to the leader."""

    def __init__(self, asks: Asks, clock: Clock, leader: Callable[[], int], *, patience_s: float) -> None:
        self._asks = asks
        self._clock = clock
        self._leader = leader
        self._patience_s = patience_s
        self._questions: dict[_Question, None] = {}
        """In the order in which they came; all have the same patience, so also in that of their deadlines."""

    def ask(self, kind: int, body: bytes) -> Reply[bytes]:
        """Asks; answered here where this node leads."""
        question = _Question(kind, body, self._clock.now() + self._patience_s)
        if len(self._questions) >= MAX_OUTSTANDING:
            question.reply.set_exception(TooManyRequestsError())
            return question.reply
        self._questions[question] = None
        self._try(question)
        return question.reply

    def leader_changed(self) -> None:
        """What another node was asked is asked again: who leads no more may never answer."""
        leader = self._leader()
        for question in list(self._questions):
            if question.target != leader:
                self._give_up(question)
                self._try(question)

    def retry(self) -> None:
        """Asks what waits, and fails what has waited too long: to be called at every tick."""
        now = self._clock.now()
        for question in list(self._questions):
            if question.reply.done():
                self._end(question)
            elif question.deadline <= now:
                error = RequestTimeoutError() if question.target == NO_NODE else LeaderFailureTimeoutError()
                self._end(question)
                question.reply.set_exception(error)
            elif question.attempt is None:
                self._try(question)

    def stop(self) -> None:
        """Fails everything: this node is going away."""
        for question in list(self._questions):
            self._end(question)
            if not question.reply.done():
                question.reply.set_exception(StoppedError())

    def _try(self, question: _Question) -> None:
        leader = self._leader()
        if leader == NO_NODE:
            return
        question.target = leader
        attempt = self._asks.ask(leader, question.kind, question.body, question.deadline - self._clock.now())
        question.attempt = attempt
        attempt.add_done_callback(lambda reply: self._answered(question, reply))

    def _answered(self, question: _Question, reply: Reply[bytes]) -> None:
        question.attempt = None
        error = reply.exception()
        if isinstance(error, _AGAIN) and question.deadline > self._clock.now():
            return  # the next tick, or the next leader
        self._end(question)
        if question.reply.done():
            return
        if error is None:
            question.reply.set_result(reply.result())
        else:
            question.reply.set_exception(error)

    def _give_up(self, question: _Question) -> None:
        if question.attempt is not None:
            question.attempt.cancel()
            question.attempt = None

    def _end(self, question: _Question) -> None:
        self._give_up(question)
        self._questions.pop(question, None)
