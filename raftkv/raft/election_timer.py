"""When to stand for election: counted in ticks, different at each node and each time (paper 5.2).

It starts again when a leader speaks, when a vote is given and when a candidacy begins, and at nothing else (paper, Figure 2): a
candidate that nobody will elect must not keep a better one from trying.
"""

import random

SHORT_TICKS = 3
"""Those whose leader's connection closed stand after 1 to this many ticks: not all of them at once."""
SHORT_CANDIDACIES = 4
"""So many candidacies (a pre-vote and an election are two) of those who were in a hurry are retried early, in case of a split vote."""


class ElectionTimer:
    """One node's timer; it outlives roles."""

    __slots__ = ("_election_ticks", "_hurry", "_rng", "_timeout", "elapsed")

    def __init__(self, election_ticks: int, rng: random.Random) -> None:
        self._election_ticks = election_ticks
        self._rng = rng
        self._hurry = 0
        self.restart()

    def restart(self) -> None:
        """Begins to count, towards a new timeout in [election_ticks, 2 * election_ticks)."""
        self.elapsed = 0
        self._timeout = self._rng.randrange(self._election_ticks, 2 * self._election_ticks)
        self._hurry = 0

    def stand(self) -> None:
        """A candidacy begins."""
        if self._hurry > 1:
            self._hurry -= 1
            self.elapsed = 0
            self._timeout = self._rng.randint(2, self._election_ticks)
        else:
            self.restart()

    def hear(self) -> None:
        """The leader speaks."""
        self.elapsed = 0
        if self._hurry:
            self.restart()

    def hurry(self) -> None:
        """The leader is gone, it seems: time is up soon, unless it speaks."""
        if not self._hurry:
            self._hurry = SHORT_CANDIDACIES
            self._timeout = min(self._timeout, self.elapsed + self._rng.randint(1, SHORT_TICKS))

    def tick(self) -> bool:
        """One tick; True if time is up."""
        self.elapsed += 1
        return self.elapsed >= self._timeout

    def recent(self) -> bool:
        """Whether the leader, if there is one, was heard from within the shortest timeout, and nothing says that it is gone."""
        return self.elapsed < self._election_ticks and not self._hurry
