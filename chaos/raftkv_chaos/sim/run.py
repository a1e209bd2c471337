"""One run: a seed is drawn into a cluster, clients and faults, lived through in virtual time, and judged.

    safety     clients work while the schedule's faults come and go; Raft's invariants are asked after every step
    liveness   faults end; first a quorum alone has to recover, then everybody
    verdict    the history against the log that was agreed upon

A seed stands for the same run for ever, on every machine and under every hash seed, as long as the code is the same: `Result.trace`
is a checksum over everything that happened and when.
"""

import asyncio
import gc
import logging
import random
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from raftkv_chaos.faults import ClockFault
from raftkv_chaos.schedule import KINDS, Schedule
from raftkv_chaos.sim.calendar import simulated_calendar
from raftkv_chaos.sim.clients import Appender, Campaigner, Client, KeyClient, Leaseholder, Locker, Watcher
from raftkv_chaos.sim.cluster import Cluster
from raftkv_chaos.sim.convergence import ELECTIONS, LEAST_S, Convergence
from raftkv_chaos.sim.judge import Judgement, judge
from raftkv_chaos.sim.knobs import DURATION_S, STORE, Crew, Setup, draw_setup
from raftkv_chaos.sim.loop import VirtualLoop
from raftkv_chaos.sim.nemesis import Nemesis
from raftkv_chaos.sim.recorder import Recorder
from raftkv_chaos.sim.training import Held, drill, held, judge_training, make_clients
from raftkv_chaos.sim.translation import Log
from raftkv_chaos.sim.violation import Violation, ViolationError
from raftkv_jepsen.history import Event

LEAST_TRAFFIC = 25
"""Acknowledged operations without which a run says nothing."""
WINDS_DOWN_S = 3.0
"""What clients get to end what they are doing, and watchers to be told."""

_one_at_a_time = threading.Lock()
"""Of the threads of a process: what a simulation changes for its time is the process's."""

ROUNDS = 5
"""Of cancelling what is left."""

OK, VIOLATION, UNKNOWN, VOID = "ok", "violation", "unknown", "void"


@dataclass(slots=True)
class Result:
    """What came of a seed."""

    seed: int
    verdict: str
    """ok; violation; unknown: a checker came to no end; void: too little was acknowledged to say anything."""
    found_by: str = ""
    """The invariant or the checker that found the first violation."""
    text: str = ""
    at_s: float = 0.0
    trace: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)
    struck: dict[str, int] = field(default_factory=dict)
    """What really went wrong, and how often: kinds of faults, places at which a node was made to end, what came of it."""
    setup: Setup | None = None
    history: list[Event] = field(default_factory=list)
    """Kept on request."""
    log: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """The committed requests, kept on request."""

    def __str__(self) -> str:
        said = f"seed {self.seed}: {self.verdict}"
        return f"{said}  {self.found_by}: {self.text}" if self.found_by else f"{said}  {self.text}".rstrip()


def run_seed(
    seed: int,
    *,
    kinds: Sequence[str] = KINDS,
    nodes: int | None = None,
    duration_s: float = DURATION_S,
    schedule: Schedule | None = None,
    keep: bool = False,
    checkers: bool = True,
    clients: frozenset[int] | None = None,
    workload: str = STORE,
) -> Result:
    """Lives through one seed.

    `kinds`: which faults may be drawn (raftkv_chaos.schedule.KINDS); none: a run without faults. `schedule` replaces the drawn one.
    `keep`: the result has the history and the log. `checkers`: judge the history, too, not only the invariants. `clients`: the
    numbers of those that take part; None: all that were drawn. `workload`: who they are (raftkv_chaos.sim.knobs.WORKLOADS).
    """
    setup = draw_setup(seed, kinds=kinds, nodes=nodes, duration_s=duration_s, workload=workload)
    if schedule is not None:
        setup = replace(setup, schedule=schedule)
    run = _Run(seed, setup, clients)
    loop = VirtualLoop()
    with (
        _one_at_a_time,
        _quiet(),
        _uncollected(),
        simulated_calendar(loop),
        asyncio.Runner(loop_factory=lambda: loop) as runner,
    ):
        runner.run(run.live())
    return run.result(keep=keep, checkers=checkers)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Garbage is collected afterwards: when it is, and what it would set off, must not depend on what else this process does."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def _quiet() -> Iterator[None]:
    """What nodes log is nobody's business here."""
    before = structlog.get_config()
    level = logging.getLogger("asyncio").level
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        structlog.configure(**before)
        logging.getLogger("asyncio").setLevel(level)


class _Run:
    """A run while it goes on."""

    def __init__(self, seed: int, setup: Setup, taking_part: frozenset[int] | None) -> None:
        self._seed = seed
        self._taking_part = taking_part
        self._setup = setup
        self._dice = random.Random(f"raftkv-chaos run {seed}")
        self._violation: Violation | None = None
        self._found: asyncio.Future[None]
        self._cluster: Cluster
        self._recorder: Recorder
        self._lists: Recorder
        self._fenced: Recorder
        self._nemesis: Nemesis
        self._clients: list[Client] = []
        self._held: Held = {}
        self._now = 0.0

    # --- the phases ------------------------------------------------------------------------------------------------

    async def live(self) -> None:
        """From the first start to the last look."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._loop_failed)
        self._found = loop.create_future()
        self._recorder, self._lists, self._fenced = (Recorder(loop) for _ in range(3))
        self._cluster = Cluster(loop, self._setup, self._fork(), self._report)
        self._nemesis = Nemesis(self._cluster, self._recorder, self._setup.newer, self._fork())
        self._nemesis.follow(self._setup.schedule)
        phases = loop.create_task(self._phases())
        await asyncio.wait([phases, self._found], return_when=asyncio.FIRST_COMPLETED)
        self._now = loop.time()
        if phases.done():
            self._note_error(phases.exception())
        await self._end(phases)

    def _fork(self) -> random.Random:
        return random.Random(self._dice.getrandbits(64))

    async def _phases(self) -> None:
        self._clients = list(self._make_clients())
        loop = asyncio.get_running_loop()
        working = [loop.create_task(client.run()) for client in self._clients]
        for task in working:
            task.add_done_callback(self._client_ended)
        await asyncio.sleep(self._setup.schedule.duration_s)
        self._nemesis.stop()
        bound_s = max(LEAST_S, ELECTIONS * max(self._setup.knobs.election_timeout_s, self._setup.newer.election_timeout_s))
        convergence = Convergence(self._cluster, bound_s, self._fork())
        await convergence.core()
        if self._setup.crew is not None:
            await convergence.back()
            await drill(self._clients, self._setup.crew)
        for client in self._clients:
            client.busy = False
        await convergence.all()
        await asyncio.sleep(WINDS_DOWN_S)
        self._held = {} if self._setup.crew is None else held(self._cluster)
        self._ask_for_the_end()
        for task in working:
            task.cancel()

    def _ask_for_the_end(self) -> None:
        """Up to here every watch that is open has been told, or never will be."""
        revision = max(machine.state.store.revision for machine in self._cluster.up())
        self._recorder.note("receive", "nobody", "watch", {"kind": "final", "revision": revision})

    def _make_clients(self) -> Iterator[Client]:
        clients = self._store_clients() if self._setup.crew is None else self._crew(self._setup.crew)
        return (client for client in clients if self._taking_part is None or client.number in self._taking_part)

    def _crew(self, crew: Crew) -> Iterator[Client]:
        return make_clients(crew, self._cluster, self._recorder, self._setup.traffic, self._fork)

    def _store_clients(self) -> Iterator[Client]:
        traffic = self._setup.traffic
        kinds: list[type[Client]] = [KeyClient] * traffic.key_clients + [Appender] * traffic.appenders
        kinds += [Watcher] * traffic.watchers + [Leaseholder] * traffic.leaseholders
        kinds += [Locker] * traffic.lockers + [Campaigner] * traffic.campaigners
        for number, kind in enumerate(kinds, 1):
            client = kind(number, self._cluster, self._recorder, traffic, self._fork())
            if isinstance(client, Appender):
                client.lists = self._lists
            if isinstance(client, Locker):
                client.fenced = self._fenced
            yield client

    async def _end(self, phases: "asyncio.Task[None]") -> None:
        """Nothing of the run is left."""
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        for client in self._clients:
            client.busy = False
        for machine in self._cluster.machines.values():
            machine.end(self._cluster.network, power=True)
        for _ in range(ROUNDS):  # what is cancelled may want to clean up, where nobody is left who would answer
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            if others:
                await asyncio.wait(others, timeout=1.0)
        await asyncio.gather(phases, return_exceptions=True)

    # --- what goes wrong -------------------------------------------------------------------------------------------

    def _report(self, error: ViolationError) -> None:
        if self._violation is None:
            self._violation = Violation(error.found_by, error.text, asyncio.get_running_loop().time())
            self._found.set_result(None)

    def _client_ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled():
            self._note_error(task.exception())

    def _note_error(self, error: BaseException | None) -> None:
        if isinstance(error, ViolationError):
            self._report(error)
        elif error is not None:
            raise error

    def _loop_failed(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, ViolationError):
            self._report(error)
        elif error is not None:
            where = error.__traceback__
            while where is not None and where.tb_next is not None:
                where = where.tb_next
            place = "" if where is None else f" in {where.tb_frame.f_code.co_qualname}"
            self._report(ViolationError("exception", f"{type(error).__name__}: {error}{place}"))

    # --- the verdict -----------------------------------------------------------------------------------------------

    def result(self, *, keep: bool, checkers: bool) -> Result:
        """What came of it."""
        result = Result(self._seed, OK, trace=self._trace(), counts=self._counts(), figures=self._figures(), setup=self._setup)
        result.struck = dict(self._cluster.struck)
        judgement, violations = None, []
        if checkers and self._violation is None and self._setup.crew is not None:
            violations = judge_training(self._recorder.events, self._cluster.invariants, self._held, self._setup.crew)
        elif checkers and self._violation is None:
            judgement = self._judge()
            violations = judgement.violations
        first = self._violation or (violations[0] if violations else None)
        if first is not None:
            result.verdict, result.found_by, result.text, result.at_s = VIOLATION, first.found_by, first.text, first.at_s
        elif self._recorder.acknowledged < LEAST_TRAFFIC:
            result.verdict = VOID
        elif judgement is not None and judgement.unknown:
            result.verdict, result.text = UNKNOWN, ", ".join(judgement.unknown)
        if keep:
            result.history = self._recorder.events
            result.log = self._log()
        return result

    def _judge(self) -> Judgement:
        drift = max((abs(f.drift) for f in self._setup.schedule.faults if isinstance(f, ClockFault)), default=0.0)
        return judge(
            self._recorder.events,
            self._lists.events,
            self._fenced.events,
            self._cluster.invariants,
            drift=2 * drift,
            ahead_s=self._cluster.around.ahead_s,
        )

    def _log(self) -> list[tuple[str, dict[str, Any]]]:
        log = Log()
        committed = self._cluster.invariants.committed
        log.read(committed[index] for index in sorted(committed))
        return log.steps

    def _trace(self) -> str:
        history = zlib.crc32(repr(self._recorder.events).encode())
        committed = self._cluster.invariants.committed
        log = zlib.crc32(repr([committed[index] for index in sorted(committed)]).encode())
        return f"{self._cluster.network.trace:08x}{history:08x}{log:08x}"

    def _counts(self) -> dict[str, int]:
        return {
            "acknowledged": self._recorder.acknowledged,
            "events": len(self._recorder.events),
            "committed": self._cluster.invariants.last_committed,
            "messages": self._cluster.network.delivered,
            "elections": self._cluster.invariants.elections,
            "faults": self._nemesis.begun,
            "lives": sum(machine.lives for machine in self._cluster.machines.values()),
        }

    def _figures(self) -> dict[str, float]:
        return {
            "virtual_s": self._now,
            "recovery_s": self._cluster.recovery_s,
            "longest_gap_s": self._recorder.longest_gap_s,
        }
