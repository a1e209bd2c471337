"""Linearizable reads without the log: the ReadIndex protocol (thesis 6.4), on the leader.

    asked --(the leader has committed in its term)--> in a round --(a quorum answered that round or a later one)--> answered

A round notes the commit index, then sends its number with a heartbeat to every voter. Whoever answers in this term has not
elected anybody else before it got that heartbeat, so nothing newer had been committed elsewhere when the round began. All
reads asked in one turn share a round. Numbers only rise within a leader's term, and messages of other terms never get
here: an answer can never count for a question asked after it was sent (etcd-io/raft#397).

Whoever forwards a read says the same by asking as it would by answering the round. So where the leader and the asker are a
quorum, as in a cluster of three, the read index is known when the question arrives, and no round is begun for it.
"""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple


class Asked(NamedTuple):
    """A read: who asked, under which context."""

    source: int
    context: bytes


class Round(NamedTuple):
    """Reads that share a number and a commit index."""

    number: int
    commit: int
    reads: list[Asked]


class ReadRounds:
    """The reads that wait at one leader in one term."""

    __slots__ = ("_count", "_max_pending", "_number", "_rounds", "waiting")

    def __init__(self, max_pending: int) -> None:
        self.waiting: list[Asked] = []
        """Not in a round yet."""
        self._rounds: deque[Round] = deque()
        self._number = 0
        self._count = 0
        self._max_pending = max_pending

    def __len__(self) -> int:
        return self._count

    def ask(self, source: int, context: bytes) -> bool:
        """Takes a read; False if too many wait."""
        if self._count >= self._max_pending:
            return False
        self._count += 1
        self.waiting.append(Asked(source, context))
        return True

    def start(self, commit: int) -> bytes:
        """Puts all waiting reads into a round; returns the context for its heartbeats."""
        self._number += 1
        self._rounds.append(Round(self._number, commit, self.waiting))
        self.waiting = []
        return self.context()

    def context(self) -> bytes:
        """The context of the latest round that is under way, to be sent again with every heartbeat; empty if there is none."""
        return self._number.to_bytes(8, "big") if self._rounds else b""

    def answered(self, context: bytes) -> int:
        """The number in a context that came back; 0 if it is none that was sent."""
        number = int.from_bytes(context, "big") if len(context) == 8 else 0
        return number if number <= self._number else 0

    @property
    def latest(self) -> int:
        """The number of the latest round."""
        return self._number

    def confirm(self, number: int) -> Iterator[Round]:
        """Takes out the rounds up to `number`: a quorum has answered them."""
        while self._rounds and self._rounds[0].number <= number:
            confirmed = self._rounds.popleft()
            self._count -= len(confirmed.reads)
            yield confirmed

    def abandon(self) -> Iterator[Asked]:
        """Takes out every read: the leader is none any more."""
        for abandoned in self._rounds:
            yield from abandoned.reads
        yield from self.waiting
        self._rounds.clear()
        self.waiting = []
        self._count = 0
