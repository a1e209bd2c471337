"""Jobs from their rows.

Rows come in the order of their keys, so a replica that has started from them meets members, arrivals and parts in another order
than one that has seen them come. Whatever is written for each of several is therefore written in an order of its own.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from raftkv.rendezvous.job import Barrier, Checkpoint, Exclusion, Job, Member, World
from raftkv.rendezvous.layout import parts_of

Rows = Sequence[tuple[str, str]]
"""Keys and values."""


def read_jobs(rows: Rows) -> dict[str, Job]:
    """All jobs, by name."""
    by_job: dict[str, dict[str, list[tuple[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for key, value in rows:
        job, kind, name = parts_of(key)
        by_job[job][kind].append((name, json.loads(value)))
    return {name: _read_job(name, kinds) for name, kinds in by_job.items()}


def _read_job(name: str, kinds: dict[str, list[tuple[str, Any]]]) -> Job:
    head = kinds["job"][0][1]
    job = Job.read(name, head)
    worlds = [world for _, world in kinds["rounds"] if world["round"] == head["world_round"]]
    job.world = World(worlds[0]) if worlds else None
    job.members = {node: Member(row) for node, row in kinds["members"]}
    job.succeeded = {node: None for node, _ in kinds["succeeded"]}
    job.excluded = {node: Exclusion(row) for node, row in kinds["excluded"]}
    for node, row in kinds["acknowledged"]:
        if row["step"] is None:
            job.answering[node] = {int(worker): step for worker, step in row["answers"].items()}
        else:
            job.acknowledged[node] = row["step"]
    job.checkpoints = {row["step"]: Checkpoint(**row) for _, row in kinds["checkpoints"]}
    _read_barriers(job, kinds)
    _read_shards(job, kinds)
    job.sort_members()
    return job


def _read_barriers(job: Job, kinds: dict[str, list[tuple[str, Any]]]) -> None:
    barriers = {name: Barrier.read(row) for name, row in kinds["barriers"]}
    job.barriers = dict(sorted(barriers.items(), key=lambda item: item[1].decided))
    for place, _ in kinds["arrived"]:
        name, _, node = place.partition("/")
        job.barriers[name].arrived[node] = None


def _read_shards(job: Job, kinds: dict[str, list[tuple[str, Any]]]) -> None:
    """Of the checkpoints that are being written: those that are there need no more to be known."""
    for place, _ in kinds["shards"]:
        step, _, rank = place.partition("/")
        if int(step) not in job.checkpoints:
            job.being_written.setdefault(int(step), {})[int(rank)] = None
