"""Training jobs: where they stand, their rounds in time, who is which rank and how far, what they wait for, what is saved.

Ranks come a page at a time, and all of them in short: a letter for each, so a thousand ranks are a thousand bytes. What
workers say of their steps is known to the leader alone; it is asked by the method that clients ask, with the caller's rights.
"""

import json
from collections.abc import Awaitable, Iterable, Mapping
from heapq import nlargest
from itertools import islice
from typing import Any, Final, cast

from raftkv.errors import RequestError
from raftkv.gateway.routes import Route
from raftkv.mvcc.steps import SLICE_ROWS, Steps
from raftkv.pb.rendezvous import BarrierResponse, JobSettings, Outcome, Phase, RankOrder
from raftkv.rendezvous import Job
from raftkv.rendezvous.job import Barrier, World
from raftkv.rpc.method import Call, Method
from raftkv.server.replica import Replica
from raftkv.ui.question import Gate, Json, Parameters
from raftkv.ui.quorums import QuorumsView
from raftkv.ui.rounds import Rounds
from raftkv.ui.visible import check_job, may_see_job

MAX_BARRIERS: Final = 50
MAX_CHECKPOINTS: Final = 50
MAX_NAMES: Final = 50
"""Of those who are missing, excluded, or beside a world."""
STEPS: Final = "/raftkv.v1.Rendezvous/Steps"
MAX_WORKERS: Final = 200

AT_WORK, DONE, GONE = "w", "d", "g"


class JobsView:
    """Answers about jobs."""

    def __init__(
        self, replica: Replica, gate: Gate, rounds: Rounds, quorums: QuorumsView, methods: Mapping[str, Method]
    ) -> None:
        self._replica = replica
        self._jobs = replica.machine.rendezvous.jobs
        self._gate = gate
        self._rounds = rounds
        self._quorums = quorums
        self._steps = Route(methods[STEPS]) if STEPS in methods else None

    async def page(self, call: Call, parameters: Parameters) -> Json:
        """`limit` jobs from `offset` on: those not closed first, by name; `find`: with this in their name."""
        limit, offset, find = parameters.limit(50), parameters.number("offset", 0, most=2**31), parameters.text("find")
        answer: Json = await self._replica.read_local(lambda: self._select(call, find, offset, limit))
        return answer

    def _select(self, call: Call, find: str, offset: int, limit: int) -> Steps[Json]:
        known: list[Job] = []
        for number, (name, job) in enumerate(list(self._jobs.items()), start=1):
            if find in name and may_see_job(self._gate, call, name):
                known.append(job)
            if number % SLICE_ROWS == 0:
                yield
        known.sort(key=lambda job: (job.phase == Phase.CLOSED, job.name))
        return {
            "found": len(known),
            "open": sum(job.phase != Phase.CLOSED for job in known),
            "jobs": [summary(job) for job in known[offset : offset + limit]],
        }

    async def one(self, call: Call, parameters: Parameters) -> Json:
        """The job of this `name`, with `limit` of its ranks from `offset` on, and its workers' steps."""
        name = parameters.text("name")
        check_job(self._gate, call, name)
        limit, offset = parameters.limit(50), parameters.number("offset", 0, most=2**31)
        steps = await self._step_state(call, name)
        rounds = await self._rounds.of(name)
        job = self._jobs.get(name)
        if job is None:
            return {"job": None}
        if steps is not None and job.world is not None:
            steps["each"] = [{**worker, "node_rank": job.world.ranks.get(worker["node"])} for worker in steps.get("each", [])]
        return {
            "job": {
                **summary(job),
                "settings": settings_of(job.settings),
                "rounds": rounds,
                "states": states(job),
                "offset": offset,
                "ranks": ranks(job, offset, limit),
                "beside": beside(job),
                "excluded": excluded(job),
                "barriers": barriers(job),
                "checkpoints": checkpoints(job),
                "writing": being_written(job),
                "steps": steps,
                "quorum": self._quorums.id_of(call, name),
            }
        }

    async def _step_state(self, call: Call, name: str) -> Json | None:
        """What is known of its workers' steps; None: nothing, or nobody says."""
        if self._steps is None:
            return None
        request: Any = self._steps.method.request(job=name, limit=MAX_WORKERS)
        asked = Call(STEPS, call.metadata, call.deadline, call.peer)
        try:
            answer = await cast("Awaitable[Any]", self._steps.method.handler(request, asked))
        except RequestError:
            return None
        found = json.loads(self._steps.write(answer)).get("jobs", [])
        return found[0] if found else None


def summary(job: Job) -> Json:
    """A job in a row."""
    preemption = job.preemption
    return {
        "name": job.name,
        "phase": Phase.Name(job.phase).lower(),
        "outcome": Outcome.Name(job.outcome).lower(),
        "reason": job.reason,
        "round": job.round,
        "token": job.token,
        "world_size": job.world_size,
        "min_nodes": job.settings.min_nodes,
        "max_nodes": job.settings.max_nodes,
        "ready": len(job.ready),
        "awaited": len(job.awaited),
        "done": len(job.succeeded),
        "restarts": job.restarts,
        "step": job.step,
        "open_barriers": sum(barrier.outcome is None for barrier in job.barriers.values()),
        "last_checkpoint": max(job.checkpoints, default=None),
        "preemption": None if preemption is None else _preemption(job),
    }


def _preemption(job: Job) -> Json:
    assert job.preemption is not None
    node, reason = job.preemption
    return {
        "node": node,
        "reason": reason,
        "agreed": job.agreed,
        "stop_step": job.stop_step,
        "answers": len(job.acknowledged),
    }


def settings_of(settings: JobSettings) -> Json:
    """What the job was begun with, as far as it says anything."""
    said: Json = {}
    for field, value in settings.ListFields():
        said[field.name] = RankOrder.Name(value).lower() if field.name == "rank_order" else value
    return said


def states(job: Job) -> str:
    """A letter for each rank of the last world: at work, done, or gone."""
    if job.world is None:
        return ""
    return "".join(_state(job, node) for node in job.world.nodes)


def _state(job: Job, node: str) -> str:
    if node in job.succeeded:
        return DONE
    if node in job.members and job.phase == Phase.FORMED:
        return AT_WORK
    return GONE


def ranks(job: Job, offset: int, limit: int) -> list[Json]:
    """Who is which rank of the last world."""
    world = job.world
    if world is None:
        return []
    return [_rank(job, world, rank) for rank in range(offset, min(offset + limit, len(world.nodes)))]


def _rank(job: Job, world: World, rank: int) -> Json:
    node = world.nodes[rank]
    return {
        "rank": rank,
        "node": node,
        "address": world.addresses[rank],
        "segments": list(world.last.segments[rank]),
        "state": _state(job, node),
        "failures": job.failures.get(node, 0),
    }


def beside(job: Job) -> Json:
    """Who takes part without a rank: ready for the open round, waited for, or standing by."""
    standing_by = "spare" if job.world_size and job.world_size >= job.settings.max_nodes else "waiting"
    return {
        "role": "ready" if job.phase == Phase.GATHERING else standing_by,
        "ready": list(islice(job.ready, MAX_NAMES)),
        "awaited": list(islice(job.awaited, MAX_NAMES)),
    }


def excluded(job: Job) -> list[Json]:
    """Who is kept out."""
    return [
        {"node": node, "reason": exclusion.reason, "cool_down_ms": exclusion.cool_down_ms}
        for node, exclusion in islice(sorted(job.excluded.items()), MAX_NAMES)
    ]


def barriers(job: Job) -> list[Json]:
    """Open ones first, then the ones that were decided last."""
    undecided = [(name, barrier) for name, barrier in job.barriers.items() if barrier.outcome is None]
    decided = [(name, barrier) for name, barrier in reversed(job.barriers.items()) if barrier.outcome is not None]
    return [_barrier(job, name, barrier) for name, barrier in islice([*undecided, *decided], MAX_BARRIERS)]


def _barrier(job: Job, name: str, barrier: Barrier) -> Json:
    expected = barrier.nodes or (job.world.nodes if job.world is not None else ())
    missing = barrier.missing if barrier.outcome is not None else [node for node in expected if node not in barrier.arrived]
    return {
        "name": name,
        "outcome": "open" if barrier.outcome is None else BarrierResponse.Outcome.Name(barrier.outcome).lower(),
        "expected": len(expected),
        "arrived": len(expected) - len(missing),
        "missing": _by_rank(job, missing),
        "timeout_ms": barrier.timeout_ms,
        "reason": barrier.reason,
    }


def _by_rank(job: Job, nodes: Iterable[str]) -> list[Json]:
    known = job.world.ranks if job.world is not None else {}
    named = [{"node": node, "rank": known.get(node)} for node in islice(nodes, MAX_NAMES)]
    return sorted(named, key=lambda missing: (missing["rank"] is None, missing["rank"]))


def checkpoints(job: Job) -> list[Json]:
    """Those that are there as a whole, the newest first."""
    newest = nlargest(MAX_CHECKPOINTS, job.checkpoints)
    return [job.checkpoints[step]._asdict() for step in newest]


def being_written(job: Job) -> list[Json]:
    """Those that are not there yet, with the ranks that are missing."""
    size = job.world_size
    return [
        {
            "step": step,
            "parts": len(parts),
            "world_size": size,
            "missing": list(islice((rank for rank in range(size) if rank not in parts), MAX_NAMES)),
        }
        for step, parts in sorted(job.being_written.items(), reverse=True)
    ]
