"""When the rounds of jobs began and ended, as this node saw it: the time line of a job.

    open (GATHERING) ---formed---> at work (FORMED) ---ended, with a reason---> the next one is open, or the job is closed

It stands between the jobs and those who are told of them (raftkv.rendezvous.rendezvous.Audience): what is applied is noted in
the same turn. Rounds from before this process was started are known, without their times.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from typing import Final

from raftkv.pb.rendezvous import Outcome, Phase
from raftkv.rendezvous import Job
from raftkv.rendezvous.rendezvous import Audience, Rendezvous
from raftkv.ui.journal import BAD, GOOD, INFO, JOB, WARN, Journal
from raftkv.ui.question import Json

MAX_ROUNDS: Final = 32
"""Of a job."""
MAX_KNOWN: Final = 1000
MAX_JOBS: Final = 1000
"""Those that changed last."""


class Span:
    """One round."""

    __slots__ = ("ended_at", "formed_at", "opened_at", "reason", "round", "step", "token", "world_size")

    def __init__(self, number: int) -> None:
        self.round = number
        self.opened_at: float | None = None
        self.formed_at: float | None = None
        self.ended_at: float | None = None
        self.world_size = 0
        self.token = 0
        self.step = 0
        """The highest that was reported by its end."""
        self.reason = ""
        """Why it ended."""

    def row(self) -> Json:
        """As answers have it."""
        return {name: getattr(self, name) for name in self.__slots__}


class Rounds:
    """An Audience that notes what it hears, and hands it on."""

    def __init__(self, rendezvous: Rendezvous, journal: Journal, unix_time: Callable[[], float]) -> None:
        self._rendezvous = rendezvous
        self._journal = journal
        self._unix_time = unix_time
        self._spans: OrderedDict[str, deque[Span]] = OrderedDict()
        self._known: OrderedDict[tuple[str, int], Span] = OrderedDict()
        """Rounds from before, as far as somebody looked at them."""
        self._states: dict[str, tuple[int, int]] = {}
        """Round and phase of each job, as last seen."""
        self._next: Audience = rendezvous.audience

    def start(self) -> None:
        """Listens from now on."""
        self._states = {name: (job.round, job.phase) for name, job in self._rendezvous.jobs.items()}
        self._next, self._rendezvous.audience = self._rendezvous.audience, self

    async def of(self, name: str) -> list[Json]:
        """The rounds of a job that are remembered, by number: those that were seen, and before them those that are known."""
        job = self._rendezvous.jobs.get(name)
        if job is None:
            return []
        seen = list(self._spans.get(name, ()))
        first = seen[0].round if seen else job.round + 1
        past = [await self._past(job, number) for number in range(max(1, job.round - 15), first)]
        rows = [span.row() for span in (*past, *seen)]
        rows[-1]["step"] = max(rows[-1]["step"], job.step)
        return rows

    async def _past(self, job: Job, number: int) -> Span:
        """A round as the job's state has it. A large world takes a while to be read: each is read once, and not all in one turn."""
        known = self._known.get((job.name, number))
        if known is not None:
            return known
        await asyncio.sleep(0)
        span = Span(number)
        world = self._rendezvous.world(job, number)
        if world is not None and world.round == number:
            span.world_size, span.token = len(world.nodes), world.token
            self._known[job.name, number] = span
            if len(self._known) > MAX_KNOWN:
                self._known.popitem(last=False)
        return span

    # --- Audience -----------------------------------------------------------------------------------------------------

    def changed(self, jobs: Iterable[str], nodes: Iterable[tuple[str, str]]) -> None:
        """See Audience."""
        jobs = list(jobs)
        for name in jobs:
            self._see(name)
        self._next.changed(jobs, nodes)

    def reloaded(self) -> None:
        """See Audience."""
        for name in self._states.keys() | self._rendezvous.jobs.keys():
            self._see(name)
        self._next.reloaded()

    # --- noting -------------------------------------------------------------------------------------------------------

    def _see(self, name: str) -> None:
        job = self._rendezvous.jobs.get(name)
        if job is None:
            self._spans.pop(name, None)
            for known in [known for known in self._known if known[0] == name]:
                del self._known[known]
            if self._states.pop(name, None) is not None:
                self._journal.note(JOB, INFO, name, "was removed")
            return
        before = self._states.get(name)
        if before == (job.round, job.phase):
            return
        self._states[name] = (job.round, job.phase)
        if before is None:
            self._journal.note(JOB, INFO, name, "began: round 1 is open")
        self._move(job, before)

    def _move(self, job: Job, before: tuple[int, int] | None) -> None:
        """The job is in another round or phase than before; what came in between was too short to be seen."""
        spans = self._spans.get(job.name)
        spans = self._begin(job, before) if spans is None else spans
        self._spans.move_to_end(job.name)
        now = self._unix_time()
        if job.round != spans[-1].round or job.phase == Phase.CLOSED:
            self._end(job, spans[-1], now)
        if job.round != spans[-1].round:
            spans.append(Span(job.round))
            spans[-1].opened_at = now
        elif before is None:
            spans[-1].opened_at = now
        if job.phase == Phase.FORMED:
            self._form(job, spans[-1], now)

    def _form(self, job: Job, span: Span, now: float) -> None:
        assert job.world is not None, "a formed round has a world"
        span.formed_at, span.world_size, span.token = now, len(job.world.nodes), job.world.token
        if span.opened_at is None:
            span.opened_at = now
        self._journal.note(JOB, GOOD, job.name, f"round {job.round} formed: {_nodes(span.world_size)}")

    def _end(self, job: Job, span: Span, now: float) -> None:
        if span.ended_at is not None:
            return
        span.ended_at, span.step, span.reason = now, job.step, job.reason
        if job.phase == Phase.CLOSED:
            severity = GOOD if job.outcome == Outcome.SUCCEEDED else INFO if job.outcome == Outcome.CANCELED else BAD
            outcome = Outcome.Name(job.outcome).lower()
            self._journal.note(JOB, severity, job.name, f"{outcome}: {job.reason}" if job.reason else outcome)
        else:
            why = f": {job.reason}" if job.reason else ""
            self._journal.note(JOB, WARN, job.name, f"round {span.round} ended{why}; round {job.round} is open")

    def _begin(self, job: Job, known: tuple[int, int] | None) -> "deque[Span]":
        """Begins to remember a job, from the round on that it was in when last seen."""
        spans = deque([Span(known[0] if known is not None else job.round)], maxlen=MAX_ROUNDS)
        if known is not None and known[1] == Phase.FORMED and job.world is not None and job.world.round == known[0]:
            spans[0].world_size, spans[0].token = len(job.world.nodes), job.world.token
        self._spans[job.name] = spans
        if len(self._spans) > MAX_JOBS:
            self._spans.popitem(last=False)
        return spans


def _nodes(count: int) -> str:
    return "1 node" if count == 1 else f"{count} nodes"
