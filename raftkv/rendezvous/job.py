r"""A job as all replicas know it, and its rows.

                 min_nodes, and last call over or all are there
    GATHERING ----------------------------------------------------> FORMED
        ^                                                              |
        '--- a member dies, leaves, fails, is excluded, joins again ---'     the next round
        |                                                              |
        '------------------------------> CLOSED <----------------------'     all succeeded, limits, timeout, by request

    members   everybody who takes part, each with a lease
    GATHERING members = ready + awaited     ready: joined this round; awaited: of the last world, alive, not back yet
    FORMED    members = in the world and not done + ready     ready: those beside the world, waiting or spare
    token     of the world: the revision that formed it, so it grows from world to world, over jobs of one name, too

Who has joined for a round is never forgotten by a later one: who stood beside the world of round 3 is ready in round 4.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from raftkv.pb.rendezvous import BarrierResponse, Hang, JobSettings, Outcome, Phase, RankOrder
from raftkv.rendezvous.ranks import NO_LAST, Candidate, Last, Path

Json = dict[str, Any]

_SETTINGS = [field.name for field in JobSettings.DESCRIPTOR.fields if field.name != "rank_order"]


def encode(value: Json) -> str:
    """As the rows have it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


class Member:
    """One incarnation of a node that takes part."""

    __slots__ = ("address", "data", "incarnation", "lease", "node", "round", "segments", "sequence", "slot", "survivor")

    def __init__(self, row: Json) -> None:
        self.node: str = row["node"]
        self.incarnation: str = row["incarnation"]
        self.lease: int = row["lease"]
        self.address: str = row["address"]
        self.data: str = row["data"]
        self.segments: Path = tuple(row["segments"])
        self.slot: int = row["slot"]
        self.sequence: int = row["sequence"]
        """The revision at which it joined: the order of arrival."""
        self.round: int = row["round"]
        """In which it joined."""
        self.survivor: bool = row["survivor"]
        """Whether it came straight from the last world."""

    def row(self) -> Json:
        return {
            "node": self.node,
            "incarnation": self.incarnation,
            "lease": self.lease,
            "address": self.address,
            "data": self.data,
            "segments": list(self.segments),
            "slot": self.slot,
            "sequence": self.sequence,
            "round": self.round,
            "survivor": self.survivor,
        }

    def candidate(self) -> Candidate:
        return Candidate(self.node, self.segments, self.slot, self.survivor)


class World:
    """Who is in a round, by rank. Never changed."""

    __slots__ = ("addresses", "last", "nodes", "ranks", "round", "token")

    def __init__(self, row: Json) -> None:
        self.round: int = row["round"]
        self.token: int = row["token"]
        self.nodes: list[str] = row["nodes"]
        self.addresses: list[str] = row["addresses"]
        self.ranks: Mapping[str, int] = {node: rank for rank, node in enumerate(self.nodes)}
        self.last = Last(self.ranks, [tuple(path) for path in row["segments"]])

    def row(self) -> Json:
        return {
            "round": self.round,
            "token": self.token,
            "nodes": self.nodes,
            "addresses": self.addresses,
            "segments": [list(path) for path in self.last.segments],
        }


class Exclusion:
    """Why a node is kept out."""

    __slots__ = ("cool_down_ms", "number", "reason")

    def __init__(self, row: Json) -> None:
        self.reason: str = row["reason"]
        self.cool_down_ms: int = row["cool_down_ms"]
        self.number: int = row["number"]
        """The revision at which it began."""

    def row(self) -> Json:
        return {"reason": self.reason, "cool_down_ms": self.cool_down_ms, "number": self.number}


class Barrier:
    """A barrier of the present world."""

    __slots__ = ("arrived", "decided", "missing", "nodes", "number", "outcome", "reason", "timeout_ms")

    def __init__(self, nodes: tuple[str, ...], timeout_ms: int, number: int) -> None:
        self.nodes = nodes
        """Who is waited for, sorted; none: the whole world."""
        self.timeout_ms = timeout_ms
        self.number = number
        """The revision at which it began."""
        self.arrived: dict[str, None] = {}
        self.outcome: BarrierResponse.Outcome | None = None
        self.missing: list[str] = []
        self.reason = ""
        self.decided = 0
        """The revision at which it was decided."""

    def row(self) -> Json:
        return {
            "nodes": list(self.nodes),
            "timeout_ms": self.timeout_ms,
            "number": self.number,
            "outcome": None if self.outcome is None else BarrierResponse.Outcome.Name(self.outcome),
            "missing": self.missing,
            "reason": self.reason,
            "decided": self.decided,
        }

    @classmethod
    def read(cls, row: Json) -> "Barrier":
        """The barrier whose row this is; arrivals have rows of their own."""
        barrier = cls(tuple(row["nodes"]), row["timeout_ms"], row["number"])
        if row["outcome"] is not None:
            barrier.outcome = cast("BarrierResponse.Outcome", BarrierResponse.Outcome.Value(row["outcome"]))
        barrier.missing, barrier.reason, barrier.decided = row["missing"], row["reason"], row["decided"]
        return barrier


class Checkpoint(NamedTuple):
    """A checkpoint that is there as a whole."""

    step: int
    round: int
    token: int
    world_size: int


class Job:
    """One job. Its methods only ask; what changes it is in raftkv.rendezvous.course."""

    __slots__ = (
        "acknowledged",
        "answering",
        "awaited",
        "barriers",
        "being_written",
        "checkpoints",
        "closed_at",
        "excluded",
        "failures",
        "gather",
        "hang",
        "idle_rounds",
        "last_call",
        "master_data",
        "members",
        "name",
        "outcome",
        "phase",
        "preemption",
        "ready",
        "reason",
        "restarts",
        "returned",
        "round",
        "settings",
        "step",
        "step_at_forming",
        "succeeded",
        "world",
    )

    def __init__(self, name: str, settings: JobSettings) -> None:
        self.name = name
        self.settings = settings
        self.phase: Phase = Phase.GATHERING
        self.round = 1
        self.world: World | None = None
        """The last that was formed."""
        self.master_data = ""
        """What rank 0 told of itself when it joined."""
        self.members: dict[str, Member] = {}
        self.ready: dict[str, Member] = {}
        """In the order of arrival."""
        self.awaited: dict[str, Member] = {}
        self.returned = 0
        """How many of those ready are survivors."""
        self.succeeded: dict[str, None] = {}
        self.excluded: dict[str, Exclusion] = {}
        self.failures: dict[str, int] = {}
        """How often nodes have failed."""
        self.reason = ""
        """Why the last round or the job ended."""
        self.outcome: Outcome = Outcome.UNDECIDED
        self.closed_at = 0
        """The revision at which it was closed."""
        self.restarts = 0
        self.idle_rounds = 0
        """Rounds in a row that failed without progress."""
        self.step = 0
        """The highest that was reported."""
        self.step_at_forming = 0
        self.last_call = 0
        """The number of its timer; 0: it does not run."""
        self.gather = 0
        self.preemption: tuple[str, str] | None = None
        """Which node is about to go (or nothing), and why."""
        self.hang: Hang | None = None
        """Who hangs, as a leader found."""
        self.barriers: dict[str, Barrier] = {}
        """Those of the world; the decided ones in the order of their decisions."""
        self.checkpoints: dict[int, Checkpoint] = {}
        """By step."""
        self.being_written: dict[int, dict[int, None]] = {}
        """Step and ranks whose parts are there."""
        self.acknowledged: dict[str, int] = {}
        """The steps that the notice was answered with."""
        self.answering: dict[str, dict[int, int]] = {}
        """Of nodes not all of whose workers have answered: the steps of those that have."""

    # --- questions -------------------------------------------------------------------------------------------------

    @property
    def token(self) -> int:
        """Of the world that is at work; 0: none is."""
        return self.world.token if self.world is not None and self.phase == Phase.FORMED else 0

    @property
    def last(self) -> Last:
        """The last world, for ranks."""
        return NO_LAST if self.world is None else self.world.last

    @property
    def world_size(self) -> int:
        return len(self.world.nodes) if self.world is not None and self.phase == Phase.FORMED else 0

    def works(self, node: str) -> bool:
        """Whether a node is in the world that is at work, and not done."""
        return self.token != 0 and self.world is not None and node in self.world.ranks and node not in self.succeeded

    @property
    def agreed(self) -> bool:
        """Whether everybody has answered the notice of preemption."""
        return self.preemption is not None and len(self.acknowledged) >= self.world_size - len(self.succeeded)

    @property
    def stop_step(self) -> int:
        return max(self.acknowledged.values(), default=0) if self.agreed else 0

    # --- its row ---------------------------------------------------------------------------------------------------

    def row(self) -> Json:
        """The head: small, for it changes with every phase."""
        return {
            "settings": settings_row(self.settings),
            "phase": Phase.Name(self.phase),
            "round": self.round,
            "token": self.token,
            "world_size": self.world_size,
            "world_round": 0 if self.world is None else self.world.round,
            "master_data": self.master_data,
            "reason": self.reason,
            "outcome": Outcome.Name(self.outcome),
            "closed_at": self.closed_at,
            "restarts": self.restarts,
            "idle_rounds": self.idle_rounds,
            "step": self.step,
            "step_at_forming": self.step_at_forming,
            "failures": self.failures,
            "last_call": self.last_call,
            "gather": self.gather,
            "preemption": None if self.preemption is None else list(self.preemption),
            "hang": None if self.hang is None else hang_row(self.hang),
            "stop_step": self.stop_step if self.agreed else None,
        }

    @classmethod
    def read(cls, name: str, row: Json) -> "Job":
        """The job whose head this is; its members and worlds have rows of their own."""
        job = cls(name, read_settings(row["settings"]))
        job.phase = cast("Phase", Phase.Value(row["phase"]))
        job.outcome = cast("Outcome", Outcome.Value(row["outcome"]))
        for field in (
            "round", "master_data", "reason", "closed_at", "restarts", "idle_rounds", "step", "step_at_forming", "failures", "last_call", "gather"
        ):  # fmt: skip
            setattr(job, field, row[field])
        if row["preemption"] is not None:
            node, reason = row["preemption"]
            job.preemption = (node, reason)
        if row.get("hang") is not None:  # rows of earlier versions have none
            job.hang = Hang(**row["hang"])
        return job

    def sort_members(self) -> None:
        """Finds out who is ready and who is awaited, once all rows are read."""
        if self.phase == Phase.CLOSED:
            return
        for member in sorted(self.members.values(), key=lambda member: member.sequence):
            node = member.node
            in_world = self.world is not None and node in self.world.ranks and member.sequence <= self.world.token
            if not in_world:
                self.ready[node] = member
            elif self.phase == Phase.GATHERING:
                self.awaited[node] = member
        self.returned = sum(member.survivor for member in self.ready.values())


def hang_row(hang: Hang) -> Json:
    """A hang as the head has it; `Hang(**row)` reads it."""
    return {
        "nodes": list(hang.nodes),
        "workers": hang.workers,
        "whole_job": hang.whole_job,
        "step": hang.step,
        "still_ms": hang.still_ms,
    }


def settings_row(settings: JobSettings) -> Json:
    """The settings as the head has them."""
    row: Json = {name: getattr(settings, name) for name in _SETTINGS}
    row["rank_order"] = RankOrder.Name(settings.rank_order)
    return row


def read_settings(row: Json) -> JobSettings:
    """What settings_row wrote."""
    return JobSettings(**{**row, "rank_order": RankOrder.Value(row["rank_order"])})


def world_of(job: Job, chosen: Sequence[Candidate], token: int) -> World:
    """A world of these, by rank."""
    return World(
        {
            "round": job.round,
            "token": token,
            "nodes": [candidate.node for candidate in chosen],
            "addresses": [job.members[candidate.node].address for candidate in chosen],
            "segments": [candidate.segments for candidate in chosen],
        }
    )
