"""What can go wrong, as values. The simulator and the live runs inject the same ones, each in its own way.

A fault begins at a time of the run and lasts a while; where it lasts 0 s it is a moment. Nodes are numbers from 1 on, in the order
in which the cluster was given them; LEADER stands for whoever leads when the fault begins. Every fault is plain data: it can be
written as JSON, drawn from a seed, left out, and replayed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

LEADER = 0
"""In place of a node: whoever leads when the fault begins."""

CLIENTS = -1
"""In place of a node at an end of a link: all clients."""

Link = tuple[int, int]
"""One direction between two nodes, or between clients and a node: source, target."""

POINTS = (
    "raftBeforeSave",  # entries, a term or a vote are about to be written
    "raftAfterSave",  # they are on disk, and nobody has been told
    "beforeCommit",  # rows of applied entries are about to be written
    "afterCommit",  # they are written
    "raftBeforeLeaderSend",  # a leader is about to send
    "raftBeforeFollowerSend",  # anybody else is about to send
    "raftBeforeSaveSnap",  # the state is about to be frozen for a snapshot
    "raftBeforeApplySnap",  # a received snapshot is about to be swapped in
    "raftAfterApplySnap",  # it is swapped in, and not yet loaded
    "raftBeforeWALRelease",  # the log is about to be shortened
    "raftAfterWALRelease",  # it is shortened
    "compactBeforeCommitBatch",  # rows that compaction made unreachable are about to be deleted
    "compactAfterCommitBatch",  # they are deleted
    "beforeApplyOneConfChange",  # a change of the members is applied in memory, and nowhere else yet
    "beforeSendWatchResponse",  # watchers are about to be told
)
"""Where a node can be made to crash or to stand still, by the names that etcd has for the same places."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong."""

    kind: ClassVar[str]
    at_s: float
    """Seconds after the beginning of the run."""
    for_s: float = 0.0
    """How long it lasts; 0: a moment."""

    @property
    def end_s(self) -> float:
        """When it is over."""
        return self.at_s + self.for_s

    def describe(self) -> str:
        """One line for people."""
        fields = {name: value for name, value in asdict(self).items() if name not in {"at_s", "for_s"} and value}
        said = " ".join(f"{name}={value}" for name, value in fields.items())
        until = f" for {self.for_s:.2f} s" if self.for_s else ""
        return f"{self.at_s:7.2f} s  {self.kind}{until}  {said}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition(Fault):
    """Messages over these links vanish; connections stay open and silent. Clients may be cut off, too, from one side or in one direction."""

    kind: ClassVar[str] = "partition"
    links: tuple[Link, ...]
    shape: str = ""
    """How the links were chosen: halves, isolate, ring, bridge, one-way. For people only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather(Fault):
    """Messages over these links are late, lost, repeated or overtake each other. No links: all of them."""

    kind: ClassVar[str] = "weather"
    links: tuple[Link, ...] = ()
    delay_s: float = 0.0
    jitter_s: float = 0.0
    """Added to the delay, evenly drawn for each message; they may overtake each other."""
    loss: float = 0.0
    duplication: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Clog(Fault):
    """Messages over these links wait, and arrive all at once in the end."""

    kind: ClassVar[str] = "clog"
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash(Fault):
    """A node ends, and starts again when the fault is over. With a `point`: when it next comes to that place, or not at all."""

    kind: ClassVar[str] = "crash"
    node: int
    power: bool = False
    """The machine loses power, too, and with it what was not synced."""
    point: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause(Fault):
    """A node stands still (SIGSTOP). With a `point`: from when it next comes there."""

    kind: ClassVar[str] = "pause"
    node: int
    point: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk(Fault):
    """A node's disk misbehaves. `damage` is one of DAMAGES."""

    kind: ClassVar[str] = "disk"
    node: int
    damage: str
    delay_s: float = 0.0
    """Of `slow`: what each sync takes."""


DAMAGES = ("slow", "eio-write", "eio-sync", "enospc", "torn", "bit-flip", "misdirect")
"""Syncs are slow; a write fails; a sync fails; the disk is full; the machine loses power while it writes; a stored bit changes; a
write goes to the place of another one. The last two only become apparent at the next start, or when the row is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockFault(Fault):
    """A node's clocks are wrong: the calendar jumps, and monotonic time runs fast or slow by a rate."""

    kind: ClassVar[str] = "clock"
    node: int
    jump_s: float = 0.0
    drift: float = 0.0
    """0.1: a tenth too fast."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberChange(Fault):
    """An operator changes the members: `action` is one of ACTIONS."""

    kind: ClassVar[str] = "member"
    action: str
    node: int = LEADER


ACTIONS = ("add", "add-learner", "promote", "remove", "replace")
"""A new voter; a new learner; a learner becomes a voter; a node leaves; a node leaves and a new one comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RollingRestart(Fault):
    """Each of the nodes is stopped in order and started again, one after the other, evenly over the time. `upgrade`: each comes
    back with other settings, as a newer version would have them.
    """

    kind: ClassVar[str] = "restart"
    nodes: tuple[int, ...]
    upgrade: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Admin(Fault):
    """An operator's everyday work: `action` is compact, defragment or transfer (of leadership, to `node`)."""

    kind: ClassVar[str] = "admin"
    action: str
    node: int = LEADER


FAULTS: dict[str, type[Fault]] = {
    each.kind: each
    for each in (
        Partition,
        Weather,
        Clog,
        Crash,
        Pause,
        Disk,
        ClockFault,
        MemberChange,
        RollingRestart,
        Admin,
    )
}
"""By kind."""


def to_json(fault: Fault) -> dict[str, Any]:
    """The fault as JSON has it."""
    return {"kind": fault.kind, **asdict(fault)}


def from_json(fields: Mapping[str, Any]) -> Fault:
    """What `to_json` made.

    Raises:
        ValueError: it did not.
    """
    named = {name: _frozen(value) for name, value in fields.items()}
    kind = FAULTS.get(named.pop("kind", ""))
    if kind is None:
        raise ValueError(f"no such fault: {fields.get('kind')!r}")
    try:
        return kind(**named)
    except TypeError as error:
        raise ValueError(f"{fields}: {error}") from error


def _frozen(value: Any) -> Any:
    return tuple(_frozen(each) for each in value) if isinstance(value, list) else value


def both_ways(pairs: Iterable[Link]) -> tuple[Link, ...]:
    """Each link with its opposite direction."""
    return tuple(link for source, target in pairs for link in ((source, target), (target, source)))
