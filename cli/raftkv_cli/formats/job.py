"""How training jobs and their checkpoints are printed. There is no etcdctl to agree with: lines for people, JSON for programs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from raftkv.pb import rendezvous as pb
from raftkv_cli.formats.answers import Field, Style, Tabular
from raftkv_cli.formats.columns import columns
from raftkv_cli.formats.json_text import message_value

Rows = list[list[str]]

SILENT_S = 10.0
"""Who has not sent a heartbeat for so long is said to be silent."""


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


def seconds_of(seconds: float) -> str:
    """In as many digits as count."""
    return f"{seconds:.3g}s" if seconds else "-"


def pace_fields(steps: pb.JobSteps) -> Iterator[Field]:
    """What can be said of a job's pace."""
    if steps.workers:
        yield from (("SlowestStep", steps.lowest_step), ("FastestStep", steps.highest_step))
        yield from (("StepTime", seconds_of(steps.step_seconds)), ("Stragglers", steps.stragglers), ("Hung", steps.hung))
    if steps.working_seconds or steps.lost_seconds:
        yield "TimeLost", f"{steps.lost_seconds:.0f}s of {steps.lost_seconds + steps.working_seconds:.0f}s"
        yield "BetweenFailures", f"{steps.working_seconds / steps.failures:.0f}s" if steps.failures else "-"


WORKER_COLUMNS = ("STEP", "STEP TIME", "SCORE", "NOTE")


def worker_row(worker: pb.WorkerSteps) -> list[str]:
    """One worker, in WORKER_COLUMNS."""
    note = "straggler" if worker.straggler else ""
    if worker.hung:
        note = f"hangs for {worker.still_seconds:.0f}s"
    elif worker.silent_seconds > SILENT_S:
        note = f"silent for {worker.silent_seconds:.0f}s"
    return [str(worker.step), seconds_of(worker.step_seconds), f"{worker.score:.2f}", note]


def _done(node: pb.WorldNode) -> str:
    return "done" if node.done else ""


@dataclass(frozen=True, slots=True)
class Jobs(Tabular):
    """All jobs; `steps`: how far those are that send heartbeats, by name."""

    message: pb.ListResponse
    steps: Mapping[str, pb.JobSteps]

    def table(self) -> tuple[list[str], Rows]:
        rows = []
        for job in self.message.jobs:
            steps = self.steps.get(job.job, pb.JobSteps())
            step = max(job.step, steps.lowest_step)
            row = [job.job, state_of(job), str(job.round), nodes_of(job), str(job.restarts), str(step)]
            rows.append([*row, seconds_of(steps.step_seconds), str(steps.stragglers), str(steps.hung), job.reason])
        return ["JOB", "STATE", "ROUND", "NODES", "RESTARTS", "STEP", "STEP TIME", "SLOW", "HUNG", "REASON"], rows

    def lines(self, style: Style) -> Iterator[bytes]:  # noqa: ARG002 - nothing to choose
        names, rows = self.table()
        return columns([names, *rows])

    def fields(self) -> Iterator[Field]:
        for job in self.message.jobs:
            yield from OneJob(job, steps=self.steps.get(job.job)).fields()
            yield "", ""

    def value(self) -> object:
        return [OneJob(job, steps=self.steps.get(job.job)).value() for job in self.message.jobs]


@dataclass(frozen=True, slots=True)
class OneJob(Tabular):
    """One job, as it stands; with its world, by rank, and what its workers' heartbeats say."""

    message: pb.Standing
    world: pb.WorldResponse | None = None
    steps: pb.JobSteps | None = None

    def table(self) -> tuple[list[str], Rows]:
        return ["FIELD", "VALUE"], [[name, str(value)] for name, value in self.fields()]

    def lines(self, style: Style) -> Iterator[bytes]:  # noqa: ARG002 - nothing to choose
        yield from columns([[f"{name}:", str(value)] for name, value in self.fields()])
        if self.world is not None and self.message.world_size:
            yield b""
            if self.steps is not None and self.steps.workers:
                yield from columns([["RANK", "NODE", "ADDRESS", *WORKER_COLUMNS], *self._workers(self.world, self.steps)])
            else:
                ranks = [[str(rank), node.node, node.address, _done(node)] for rank, node in enumerate(self.world.nodes)]
                yield from columns([["RANK", "NODE", "ADDRESS", "NOTE"], *ranks])

    def _workers(self, world: pb.WorldResponse, steps: pb.JobSteps) -> Iterator[list[str]]:
        """By rank; of nodes without heartbeats, where no worker is left out, a line, too: nobody hears of those that are done."""
        addresses = {node.node: node.address for node in world.nodes}
        for worker in steps.each:
            yield [str(worker.rank), worker.node, addresses.get(worker.node, ""), *worker_row(worker)]
        if len(steps.each) < steps.workers:
            return
        heard, several = {worker.node for worker in steps.each}, any(worker.worker for worker in steps.each)
        for rank, node in enumerate(world.nodes):
            if node.node not in heard:
                shown = "-" if several else str(rank)  # ranks are those of workers, and how many this node has nobody knows
                blank = ["-"] * (len(WORKER_COLUMNS) - 1)
                yield [shown, node.node, node.address, *blank, _done(node) or "no heartbeats"]

    def fields(self) -> Iterator[Field]:
        job = self.message
        yield from (("Job", job.job), ("State", state_of(job)), ("Round", job.round), ("Nodes", nodes_of(job)))
        yield from (("Restarts", job.restarts), ("Step", max(job.step, 0 if self.steps is None else self.steps.lowest_step)))
        if self.steps is not None:
            yield from pace_fields(self.steps)
        if job.HasField("hang"):
            yield "Hangs", f"{', '.join(job.hang.nodes)}: {job.hang.workers} at step {job.hang.step}"
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
        if self.steps is not None and self.steps.workers:
            value = {**value, "steps": message_value(self.steps)}
        return value


@dataclass(frozen=True, slots=True)
class OneJobsSteps(Tabular):
    """What the heartbeats of a job's workers say."""

    message: pb.JobSteps

    def table(self) -> tuple[list[str], Rows]:
        rows = [[str(worker.rank), worker.node, *worker_row(worker)] for worker in self.message.each]
        return ["RANK", "NODE", *WORKER_COLUMNS], rows

    def lines(self, style: Style) -> Iterator[bytes]:  # noqa: ARG002 - nothing to choose
        names, rows = self.table()
        return columns([names, *rows])

    def fields(self) -> Iterator[Field]:
        yield "Job", self.message.job
        yield from pace_fields(self.message)

    def value(self) -> object:
        return message_value(self.message)


@dataclass(frozen=True, slots=True)
class Barriers(Tabular):
    """The barriers of a world."""

    message: pb.BarriersResponse

    def table(self) -> tuple[list[str], Rows]:
        return ["BARRIER", "STATE", "ARRIVED", "MISSING"], [self._row(state) for state in self.message.barriers]

    def lines(self, style: Style) -> Iterator[bytes]:  # noqa: ARG002 - nothing to choose
        names, rows = self.table()
        return columns([names, *rows])

    def fields(self) -> Iterator[Field]:
        for state in self.message.barriers:
            name, state_, arrived, missing = self._row(state)
            yield from (("Barrier", name), ("State", state_), ("Arrived", arrived), ("Missing", missing))

    def value(self) -> object:
        return [message_value(state) for state in self.message.barriers]

    @staticmethod
    def _row(state: pb.BarrierState) -> list[str]:
        missing = [f"{node} (rank {rank})" for node, rank in zip(state.missing, state.missing_ranks, strict=True)]
        arrived = "" if state.decided else f"{state.arrived}/{state.expected}"
        outcome = pb.BarrierResponse.Outcome.Name(state.outcome).lower() if state.decided else "open"
        return [state.name, outcome, arrived, ", ".join(missing)]


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
