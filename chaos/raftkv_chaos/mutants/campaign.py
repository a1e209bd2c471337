"""All mutants over some worker processes: each finder in turn until one finds the mutant, each find tried again without it."""

import json
import os
import sys
from asyncio import Queue, TaskGroup, Timeout, create_subprocess_exec, get_running_loop, sleep, timeout
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from raftkv_chaos.mutants.finders import seeds_of
from raftkv_chaos.mutants.hunt import NO_MUTANT, ROOT
from raftkv_chaos.mutants.mutant import Mutant

GRACE = 4.0
"""Real time that a worker gets for each second of processor time that it may use, and again as long as it uses any: the machine may be
busy with other things.
"""
IDLE_S = 1.0
"""Whoever uses less in all that time waits for what never comes."""


class CampaignError(Exception):
    """Nothing can be said about the mutants."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How long each mutant is looked for, by each of its finders."""

    seeds: int = 200
    seed_s: float = 30.0
    """Processor time of one seed, beyond which it counts as one that never ends."""
    finder_s: float = 120.0
    """Processor time of all seeds of one finder."""


@dataclass(frozen=True, slots=True)
class Find:
    """What found a mutant."""

    finder: str
    seed: int
    where: str
    what: str


@dataclass(slots=True)
class Outcome:
    """What became of a mutant."""

    mutant: Mutant
    find: Find | None = None
    seeds: int = 0
    """Tried, by all finders together."""
    seconds: float = 0.0
    unsound: list[str] = field(default_factory=list)
    """Finders that find the same without the mutant: a bug of theirs, or of raftkv."""
    broken: str = ""
    """Why it could not be planted: the catalogue is out of date."""


async def campaign(
    mutants: Iterable[Mutant],
    budget: Budget,
    *,
    jobs: int,
    told: Callable[[Outcome], None],
    first_seed: int = 0,
    kept: Mapping[str, Find] | None = None,
) -> list[Outcome]:
    """Looks for each mutant; `told` hears of each as soon as it is settled. In the order of the mutants.

    `kept`: what found them before, by their ids; then nothing else is tried.
    """
    outcomes = [Outcome(mutant) for mutant in mutants]
    waiting: Queue[Outcome] = Queue()
    for outcome in outcomes:
        waiting.put_nowait(outcome)

    async def work() -> None:
        while not waiting.empty():
            outcome = waiting.get_nowait()
            if kept is None:
                await _look_for(outcome, budget, first_seed)
            else:
                await _look_again(outcome, budget, kept.get(outcome.mutant.id))
            told(outcome)

    async with TaskGroup() as workers:
        for _ in range(jobs):
            workers.create_task(work())
    return outcomes


async def _look_again(outcome: Outcome, budget: Budget, find: Find | None) -> None:
    if find is not None:
        await _settle(outcome, await _hunt(outcome, find.finder, range(find.seed, find.seed + 1), budget), budget)


async def _look_for(outcome: Outcome, budget: Budget, first_seed: int) -> None:
    for name in outcome.mutant.finders:
        seeds = seeds_of(name, budget.seeds)
        find = await _hunt(outcome, name, range(first_seed, first_seed + seeds), budget)
        await _settle(outcome, find, budget)
        if outcome.broken or outcome.find:
            return


async def _settle(outcome: Outcome, find: Find | None, budget: Budget) -> None:
    """A find counts if there is none without the mutant."""
    if find is None:
        return
    if await replay(None, find, budget) is None:
        outcome.find = find
    else:
        outcome.unsound.append(f"{find.finder} {find.seed}: {find.where} {find.what}")


async def _hunt(outcome: Outcome, name: str, seeds: range, budget: Budget) -> Find | None:
    answer = await _worker(outcome.mutant.id, name, seeds, budget)
    outcome.seeds += answer["seeds"]
    outcome.seconds += answer["seconds"]
    found = answer["found"]
    if found and found.pop("broken"):
        outcome.broken = f"{found['where']} {found['what']}"
        return None
    return Find(name, **found) if found else None


async def replay(mutant: Mutant | None, find: Find, budget: Budget) -> Find | None:
    """What that finder finds at that seed, with the mutant or without any."""
    answer = await _worker(mutant.id if mutant else NO_MUTANT, find.finder, range(find.seed, find.seed + 1), budget)
    found = answer["found"]
    if found:
        found.pop("broken")
    return Find(find.finder, **found) if found else None


async def _worker(mutant: str, name: str, seeds: Sequence[int], budget: Budget) -> dict:  # type: ignore[type-arg] # as JSON has it
    arguments = [mutant, name, str(seeds[0]), str(len(seeds)), str(budget.seed_s), str(budget.finder_s)]
    process = await create_subprocess_exec(
        sys.executable, "-m", "raftkv_chaos.mutants.hunt", *arguments,
        stdin=DEVNULL, stdout=PIPE, stderr=PIPE, cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": "0"},
    )  # fmt: skip
    watched = _Watched(process.pid, budget.finder_s + budget.seed_s)
    try:
        async with timeout(watched.allowed_s) as patience, TaskGroup() as tasks:
            watcher = tasks.create_task(watched.extend(patience))
            output, errors = await process.communicate()
            watcher.cancel()
    except TimeoutError:
        process.kill()
        await process.wait()
        found = {"seed": seeds[0], "broken": False, "where": "", "what": "does not end, and cannot be interrupted"}
        return {"seeds": len(seeds), "seconds": budget.finder_s, "found": found}
    if not output:
        raise CampaignError(f"the worker for {mutant} and {name} failed:\n{errors.decode()[-2000:]}")
    answer: dict = json.loads(output)  # type: ignore[type-arg] # as above
    return answer


class _Watched:
    """A worker, which has as much time as it makes use of."""

    def __init__(self, pid: int, budget_s: float) -> None:
        self._pid = pid
        self._budget_s = budget_s
        self.allowed_s = GRACE * budget_s

    async def extend(self, patience: Timeout) -> None:
        """Shortly before its time is over: it gets as much again, unless it hangs, or cannot be interrupted."""
        before_s, used_s = 0.0, IDLE_S
        while before_s + IDLE_S <= used_s <= 2 * self._budget_s:
            await sleep(0.9 * self.allowed_s)
            before_s, used_s = used_s, self._used_s()
            now = get_running_loop().time()
            patience.reschedule(now + self.allowed_s)

    def _used_s(self) -> float:
        """Its processor time, as Linux tells it (proc(5): utime and stime)."""
        fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
