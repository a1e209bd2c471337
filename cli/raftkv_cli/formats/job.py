"""How training jobs and their checkpoints are printed. There is no etcdctl to agree with: lines for people, JSON for programs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from raftkv.pb import rendezvous as pb
from raftkv_cli.formats.answers import Field, Style, Tabular
from raftkv_cli.formats.columns import columns
from raftkv_cli.formats.json_text import message_value

Rows = list[list[str]]


def nodes_of(standing: pb.Standing) -> str:
    """How many nodes there are, and beside them: `4/2-8 +1`."""
    settings = standing.settings
    there = standing.world_size or standing.ready
    beside = standing.waiting + standing.spares
    return f"{there}/{settings.min_nodes}-{settings.max_nodes}" + (f" +{beside}" if beside else "")


def state_of(standing: pb.Standing) -> str:
    """Phase, or outcome."""
    if standing.phase == pb.CLOSED:
        return pb.Outcome.Name(standing.outcome).lower()
    return pb.Phase.Name(standing.phase).lower()


@dataclass(frozen=True, slots=True)
class Jobs(Tabular):
    """All jobs."""

    message: pb.ListResponse

    def table(self) -> tuple[list[str], Rows]:
        rows = [
            [job.job, state_of(job), str(job.round), nodes_of(job), str(job.restarts), str(job.step), job.reason]
            for job in self.message.jobs
        ]
        return ["JOB", "STATE", "ROUND", "NODES", "RESTARTS", "STEP", "REASON"], rows

    def lines(self, style: Style) -> Iterator[bytes]:  # noqa: ARG002 - nothing to choose
        names, rows = self.table()
        return columns([names, *rows])

    def fields(self) -> Iterator[Field]:
        for job in self.message.jobs:
            yield from OneJob(job).fields()
            yield "", ""

    def value(self) -> object:
        return [message_value(job) for job in self.message.jobs]


@dataclass(frozen=True, slots=True)
class OneJob(Tabular):
    """One job, as it stands; with its world, by rank."""

    message: pb.Standing
    world: pb.WorldResponse | None = None

    def table(self) -> tuple[list[str], Rows]:
        return ["FIELD", "VALUE"], [[name, str(value)] for name, value in self.fields()]

    def lines(self, style: Style) -> Iterator[bytes]:  # noqa: ARG002 - nothing to choose
        yield from columns([[f"{name}:", str(value)] for name, value in self.fields()])
        if self.world is not None and self.message.world_size:
            yield b""
            ranks = [[str(rank), node.node, node.address] for rank, node in enumerate(self.world.nodes)]
            yield from columns([["RANK", "NODE", "ADDRESS"], *ranks])

    def fields(self) -> Iterator[Field]:
        job = self.message
        yield from (("Job", job.job), ("State", state_of(job)), ("Round", job.round), ("Nodes", nodes_of(job)))
        yield from (("Restarts", job.restarts), ("Step", job.step))
        if job.awaited:
            yield "Awaited", job.awaited
        if job.reason:
            yield "Reason", job.reason
        if job.HasField("preemption"):
            notice = job.preemption
            yield "Preempted", f"stop after step {notice.stop_step}" if notice.agreed else f"{notice.answers} have answered"

    def value(self) -> object:
        value: Any = message_value(self.message)
        if self.world is not None:
            value = {**value, "nodes": [message_value(node) for node in self.world.nodes]}
        return value


@dataclass(frozen=True, slots=True)
class Checkpoints(Tabular):
    """Checkpoints that are there as a whole."""

    message: pb.CheckpointsResponse
    with_shards: bool

    def table(self) -> tuple[list[str], Rows]:
        if self.with_shards:
            rows = [
                [str(found.step), str(shard.rank), shard.node, shard.location, shard.data]
                for found in self.message.checkpoints
                for shard in found.shards
            ]
            return ["STEP", "RANK", "NODE", "LOCATION", "DATA"], rows
        rows = [[str(found.step), str(found.round), str(found.world_size)] for found in self.message.checkpoints]
        return ["STEP", "ROUND", "SHARDS"], rows

    def lines(self, style: Style) -> Iterator[bytes]:  # noqa: ARG002 - nothing to choose
        names, rows = self.table()
        return columns([names, *rows])

    def fields(self) -> Iterator[Field]:
        for found in self.message.checkpoints:
            yield from (("Step", found.step), ("Round", found.round), ("WorldSize", found.world_size))
            yield from ((f"Location{shard.rank}", shard.location) for shard in found.shards)

    def value(self) -> object:
        return [message_value(found) for found in self.message.checkpoints]
