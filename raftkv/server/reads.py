"""Linearizable reads without the log (Raft thesis, 6.4): every read waits for a round in which the leader confirms that it
still leads, and until this node has applied what was committed when the round began.

    waiting ---begin---> in a round ---index known---> until applied ---> served

Reads that come while rounds are under way share the next one. A round that is not answered is never asked again under its
own context: its readers join a new one (etcd-io/raft#397).
"""

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from raftkv.errors import RequestError, RequestTimeoutError, StoppedError, TooManyRequestsError
from raftkv.reply import Reply

RETRY_S = 0.5
"""A round that has not been answered for so long is given up (etcd: readIndexRetryTime)."""
MAX_ROUNDS = 4
"""Rounds under way at once; more would only make smaller batches."""


class Waiter(NamedTuple):
    """A read that waits for its moment."""

    serve: Callable[[], None]
    """Reads the local state and answers."""
    reply: Reply[Any]
    """The answer; done before it is served if the client gave up."""
    deadline: float


class ReadRounds:
    """All reads of this node that wait for their moment."""

    def __init__(self, node_id: int, first_round: int, *, limit: int, patience_s: float) -> None:
        """`first_round` must not repeat a number of an earlier life of this node: contexts are never reused."""
        self._node_id = node_id
        self._next = first_round
        self._limit = limit
        self._patience_s = patience_s
        self._waiting: list[Waiter] = []
        self._rounds: dict[bytes, tuple[float, list[Waiter]]] = {}
        self._until_applied: deque[tuple[int, float, list[Waiter]]] = deque()
        self._count = 0
        self.slow = 0
        """Rounds that were not confirmed within RETRY_S."""
        self.failed = 0
        """Reads that ended without an answer."""
        self.fresh_at = float("-inf")
        """The local state is known to contain everything that was committed at this time."""

    def add(self, serve: Callable[[], None], reply: Reply[Any], now: float) -> None:
        """A read that came at `now`: `serve` is called when it may look at the local state, or `reply` gets the error.

        Raises:
            TooManyRequestsError: too many wait already.
        """
        if self._count >= self._limit:
            raise TooManyRequestsError
        self._count += 1
        self._waiting.append(Waiter(serve, reply, now + self._patience_s))

    def __len__(self) -> int:
        """How many wait, in whatever state."""
        return self._count

    def add_confirmed(self, serve: Callable[[], None], reply: Reply[Any], now: float, *, index: int, applied: int) -> None:
        """A read that came at `now` and needs no round: its index is known. Raises TooManyRequestsError."""
        if index <= applied:
            serve()
            return
        if self._count >= self._limit:
            raise TooManyRequestsError
        self._count += 1
        waiter = Waiter(serve, reply, now + self._patience_s)
        self._until_applied.append((index, float("-inf"), [waiter]))  # it was true when it was asked, which is not known here

    @property
    def waiting(self) -> bool:
        """Whether a round should begin."""
        return bool(self._waiting) and len(self._rounds) < MAX_ROUNDS

    def begin(self, now: float) -> bytes:
        """Starts a round for all who wait and returns its context."""
        context = self._node_id.to_bytes(8, "big") + self._next.to_bytes(8, "big")
        self._next += 1
        self._rounds[context] = (now, self._waiting)
        self._waiting = []
        return context

    def give_up(self, context: bytes) -> None:
        """The round failed: its readers wait for the next one."""
        round_ = self._rounds.pop(context, None)
        if round_ is not None:
            self._waiting = round_[1] + self._waiting

    def confirmed(self, context: bytes, index: int, applied: int) -> None:
        """The round's read index is known."""
        round_ = self._rounds.pop(context, None)
        if round_ is None:
            return
        began, waiters = round_
        if index <= applied:
            self._serve(began, waiters)
        else:
            self._until_applied.append((index, began, waiters))

    def applied(self, applied: int) -> None:
        """The state now contains everything up to `applied`."""
        if not self._until_applied:
            return
        later: deque[tuple[int, float, list[Waiter]]] = deque()
        for index, began, waiters in self._until_applied:
            if index <= applied:
                self._serve(began, waiters)
            else:
                later.append((index, began, waiters))
        self._until_applied = later

    def expire(self, now: float) -> bool:
        """Gives up old rounds and fails readers whose patience is over. True if somebody should ask again."""
        for context, (began, _) in list(self._rounds.items()):
            if now - began >= RETRY_S:
                self.slow += 1
                self.give_up(context)
        self._waiting = [waiter for waiter in self._waiting if not self._over(waiter, now)]
        for _, _, waiters in self._until_applied:
            waiters[:] = [waiter for waiter in waiters if not self._over(waiter, now)]
        return bool(self._waiting)

    def stop(self) -> None:
        """Fails everybody: this node is going away."""
        groups = [self._waiting, *[w for _, w in self._rounds.values()], *[w for _, _, w in self._until_applied]]
        for waiters in groups:
            for waiter in waiters:
                self._fail(waiter, StoppedError())
        self._waiting, self._rounds, self._until_applied = [], {}, deque()

    def _serve(self, began: float, waiters: list[Waiter]) -> None:
        self.fresh_at = max(self.fresh_at, began)
        self._count -= len(waiters)
        for waiter in waiters:
            if not waiter.reply.done():
                waiter.serve()

    def _over(self, waiter: Waiter, now: float) -> bool:
        if waiter.reply.done():  # the client gave up
            self._count -= 1
            return True
        if waiter.deadline > now:
            return False
        self._fail(waiter, RequestTimeoutError())
        return True

    def _fail(self, waiter: Waiter, error: RequestError) -> None:
        self._count -= 1
        if not waiter.reply.done():
            self.failed += 1
            waiter.reply.set_exception(error)
