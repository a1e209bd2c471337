"""One run, from an empty cluster to a verdict.

    start ─ first read (nothing there) ─ traffic and faults ─ heal ─ last write ─ watches come to it ─ every node tells all ─ judge

Whatever interrupts it, what there is by then is judged and reported, and every process that was started is ended.
"""

import asyncio
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from raftkv.client import Client
from raftkv.clock import Clock
from raftkv.pb import kv
from raftkv_chaos.live.cluster import Cluster
from raftkv_chaos.live.compactions import placed
from raftkv_chaos.live.errors import LiveError
from raftkv_chaos.live.figures import Figures, measure
from raftkv_chaos.live.historian import Changes, Historian, read_changes
from raftkv_chaos.live.nemesis import Nemesis, last_write
from raftkv_chaos.live.plan import NEMESES, draw
from raftkv_chaos.live.recorder import STORE, Recorder
from raftkv_chaos.live.target import Target
from raftkv_chaos.live.truth import FIRST, Truth
from raftkv_chaos.live.verdicts import Evidence, complete_locks, judge, read, sight_leases
from raftkv_chaos.live.workloads import WORKLOADS, Horizon, Stage
from raftkv_chaos.live.workloads.compaction import HISTORY as COMPACTION
from raftkv_chaos.live.workloads.watches import HISTORY as WATCH
from raftkv_chaos.live.workloads.watches import Watches
from raftkv_chaos.schedule import Schedule
from raftkv_jepsen.verdict import Finding, Validity, Verdict, judged

CHECK_TIMEOUT_S = 120.0
LAST_WRITE_S = 30.0
CONVERGE_S = 20.0
WIND_DOWN_S = 1.2
TICK_S = 5.0
STALL_LOOK_S = 0.1

Worker = asyncio.Task[None]


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked for on the command line."""

    target: Target
    folder: Path
    nodes: int = 3
    seconds: float = 60.0
    workloads: Sequence[str] = tuple(WORKLOADS)
    nemeses: Sequence[str] = tuple(NEMESES)
    seed: int = 0
    rate: float = 100.0
    server_options: Sequence[str] = ()
    schedule: Schedule | None = None
    """In place of one that is drawn."""
    namespaces: bool = False
    """Each node in a network namespace of its own, in place of relays."""


@dataclass(slots=True)
class Outcome:
    """What a run found."""

    options: Options
    schedule: Schedule
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    figures: Figures | None = None
    left_out: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False
    longest_stall_s: float = 0.0
    """How long the process that drives the run was kept from running, at most."""

    @property
    def validity(self) -> Validity:
        """A violation anywhere is one; else anything unknown, and a run that was cut short, leaves it unknown."""
        found = {verdict.validity for verdict in self.verdicts.values()}
        if Validity.VIOLATION in found:
            return Validity.VIOLATION
        return Validity.UNKNOWN if Validity.UNKNOWN in found or self.interrupted or not found else Validity.OK


class Run:
    """The parts of one run, and its steps."""

    def __init__(self, options: Options, clock: Clock, tell: Callable[[str], None]) -> None:
        self._options = options
        self._clock = clock
        self._tell = tell
        self._dice = Random(options.seed)  # noqa: S311  (nothing secret: reproducible)
        self._recorder = Recorder(options.folder / "history", clock)
        self.cluster = Cluster(
            options.target,
            options.folder / "nodes",
            size=options.nodes,
            clock=clock,
            dice=self._own_dice(),
            options=options.server_options,
            namespaces=options.namespaces,
        )
        self._nemesis = Nemesis(self.cluster, self._recorder, self._own_dice(), self._say)
        self._historian = Historian(self.cluster.endpoints, self._recorder.now)
        self._horizon = Horizon(lambda: self._historian.revision)
        self._watches = Watches()
        self._copies: dict[str, Changes] = {}
        self._stages: list[Stage] = []
        self._span = (0.0, 0.0)
        self._last = 0
        self._verdicts: dict[str, Verdict] = {}
        drawn = draw(options.seed, options.nemeses, nodes=options.nodes, seconds=options.seconds)
        self.outcome = Outcome(options, options.schedule or drawn)

    async def go(self) -> Outcome:
        """The whole run."""
        try:
            await self._with_tasks()
        finally:
            self.cluster.stop()
            self._recorder.close()
        self._judge()
        return self.outcome

    async def _with_tasks(self) -> None:
        """The steps are a task of their own, so that a signal can end them and nothing else."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.TaskGroup() as tasks:
                steps = tasks.create_task(self._steps(tasks))
                for number in (signal.SIGINT, signal.SIGTERM):
                    loop.add_signal_handler(number, self._interrupt, steps)
                await asyncio.wait([steps])
                tasks.create_task(_stop())
        except* _Over:
            pass
        except* LiveError as errors:
            raise LiveError(str(errors.exceptions[0])) from errors
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def _interrupt(self, steps: Worker) -> None:
        self._say("interrupted: ending, with what there is")
        self.outcome.interrupted = True
        steps.cancel()

    def _own_dice(self) -> Random:
        return Random(self._dice.getrandbits(64))  # noqa: S311  (nothing secret: reproducible)

    def _say(self, text: str) -> None:
        self._tell(f"{self._recorder.now():7.2f} s  {text}")

    # --- the steps

    async def _steps(self, tasks: asyncio.TaskGroup) -> None:
        await self.cluster.start(tasks)
        self._say(f"{self._options.nodes} nodes of {self._options.target.name} answer")
        await self._begin_empty()
        tasks.create_task(self._historian.follow())
        tasks.create_task(self._feel_stalls())
        traffic, watches = self._enlist(tasks)
        await self._disturb(traffic)
        await self._settle(watches)

    async def _begin_empty(self) -> None:
        """The first read must see an empty store: else this would be another cluster's history."""
        async with Client(self.cluster.endpoints) as client:
            found = await client.range(b"\0", from_key=True)
        if found.count or found.header.revision != FIRST - 1:
            raise LiveError(f"the store is not empty: {found.count} keys at revision {found.header.revision}")

    def _enlist(self, tasks: asyncio.TaskGroup) -> tuple[list[Worker], list[Worker]]:
        """Starts the workers: those that make traffic, and those that watch it."""
        traffic: list[Worker] = []
        watches: list[Worker] = []
        for name in self._options.workloads:
            crew = WORKLOADS[name]
            manual, rate = self._options.target.manual_progress, crew.rate * self._options.rate
            stage = Stage(self._recorder, self.cluster.endpoints, self._own_dice(), rate, self._horizon, manual_progress=manual)
            self._stages.append(stage)
            workload = self._watches if name == WATCH else crew.enlist()
            workers = [tasks.create_task(workload(stage, number)) for number in range(crew.workers)]
            (watches if name == WATCH else traffic).extend(workers)
        return traffic, watches

    async def _disturb(self, traffic: list[Worker]) -> None:
        """The faults, with traffic until they are over and a little beyond."""
        begin = self._recorder.now()
        try:
            async with asyncio.TaskGroup() as tasks:
                nemesis = tasks.create_task(self._nemesis.carry_out(self.outcome.schedule))
                ticker = tasks.create_task(self._tick(begin))
                await asyncio.sleep(self._options.seconds)
                await nemesis
                ticker.cancel()
        finally:
            self._span = (begin, self._recorder.now())
            for stage in self._stages:
                stage.ending.set()
        if traffic:
            _, late = await asyncio.wait(traffic, timeout=WIND_DOWN_S)
            for worker in late:
                worker.cancel()

    async def _settle(self, watches: list[Worker]) -> None:
        """Everything is healed: a write must succeed, and everybody come to know of it."""
        silent = await self._nemesis.heal()
        if silent:
            self._find("healing", "silent node", f"{', '.join(silent)} did not answer after everything was healed")
        last = await last_write(self.cluster.endpoints, f"seed {self._options.seed}", LAST_WRITE_S)
        if last is None:
            self._find("healing", "last write", f"no write succeeded within {LAST_WRITE_S:g} s after everything was healed")
            return
        self._verdicts.setdefault("healing", judged([], {"last write": last}))
        self._say(f"healed; the last write has revision {last}")
        self._watches.progress.final = last
        if watches:
            await asyncio.wait(watches, timeout=CONVERGE_S)
            self._recorder.note(WATCH, "receive", "historian", "watch", {"kind": "final", "revision": last})
        self._last = max(last, self._watches.progress.newest)
        if not await self._historian.reach(self._last, CONVERGE_S):
            self._find("healing", "history", f"no watch told revision {self._last} within {CONVERGE_S:g} s", Validity.UNKNOWN)
        await self._read_copies()

    async def _read_copies(self) -> None:
        """What each node tells of everything that is not compacted away."""
        first = max(FIRST, self._horizon.compacted + 1)
        for node in self.cluster.nodes:
            copy = self._copies[node.name] = {}
            await read_changes(node.endpoint, first, self._last, copy)

    def _find(self, name: str, kind: str, text: str, validity: Validity = Validity.VIOLATION) -> None:
        self._verdicts[name] = Verdict(validity, [Finding(kind, text)])

    # --- alongside

    async def _tick(self, begin: float) -> None:
        """Says now and then how it goes."""
        while True:
            await asyncio.sleep(TICK_S)
            elapsed = self._recorder.now() - begin
            self._say(f"{elapsed:.0f} of {self._options.seconds:g} s, revision {self._historian.revision}")

    async def _feel_stalls(self) -> None:
        """How long this very process was kept from running: what looks like the cluster's pause may be ours."""
        while True:
            before = self._clock.now()
            await asyncio.sleep(STALL_LOOK_S)
            self.outcome.longest_stall_s = max(self.outcome.longest_stall_s, self._clock.now() - before - STALL_LOOK_S)

    # --- the end

    def _judge(self) -> None:
        """Checks what there is. A run that was cut short has only seen a part of the log: what that cannot settle is unknown."""
        folder = self._options.folder / "history"
        store = read(self._recorder.path(STORE))
        outcome = self.outcome
        spared = self._options.target.spared.items()
        spared_here = {what: why for what, why in spared if what not in self._options.workloads}
        outcome.left_out = spared_here | self._nemesis.left_out
        if store is None:
            self._find("traffic", "void", "nothing was asked of the store", Validity.UNKNOWN)
            outcome.verdicts = self._verdicts
            return
        begin, end = self._span if self._span[1] else (0.0, self._recorder.now())
        outcome.figures = measure(store, self._nemesis.spans, begin, end)
        if self._last:
            self._say("judging")
            outcome.verdicts = {**self._verdicts, **judge(self._evidence(folder, outcome.figures))}
        else:
            self._find("log", "unfinished", "the run ended before everybody knew of everything", Validity.UNKNOWN)
            outcome.verdicts = self._verdicts

    def _evidence(self, folder: Path, figures: Figures) -> Evidence:
        last = min(self._last, self._historian.revision)
        compactions = read(self._recorder.path(COMPACTION))
        truth = Truth(self._historian.changes, last, [] if compactions is None else placed(compactions.operations, last))
        truth.write(folder / "log.jsonl")
        complete_locks(folder / "lock.jsonl", truth)
        sight_leases(folder / "lease.jsonl", self._leases_gone())
        return Evidence(
            folder,
            truth,
            self._copies,
            self._horizon.compacted + 1,
            figures.longest_gap_s,
            {node.name: node.process.log for node in self.cluster.nodes},
            self._options.target.bad_lines,
            self._options.target.known,
            CHECK_TIMEOUT_S,
            self._clock,
        )

    def _leases_gone(self) -> dict[int, float]:
        """When it was told that the key of a lease had gone."""
        return {
            int(event.kv.key.rpartition(b"/")[2]): self._historian.sight.arrivals[revision]
            for revision, events in self._historian.changes.items()
            for event in events
            if event.type == kv.Event.DELETE and event.kv.key.startswith(b"lease/")
        }


class _Over(Exception):  # noqa: N818  (an end, not an error)
    """The steps are over: everything else is to end."""


async def _stop() -> None:
    raise _Over
