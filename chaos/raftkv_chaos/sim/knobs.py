"""What a seed draws beside the faults: the cluster, and settings at which rare things are common.

A log that is shortened after every third entry sends snapshots all day; a follower that is told of one entry at a time has
always some to catch up with. Such settings find more than lost packets do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from raftkv.raft.config import Config
from raftkv_chaos.schedule import KINDS, Schedule, draw_schedule

DURATION_S = 20.0

STORE, TRAINING = "store", "training"
WORKLOADS = (STORE, TRAINING)
"""Who the clients are: of the store, its watches, leases and locks; or those of training jobs: nodes of jobs, replica groups of
torchft, and tenants with quotas.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Knobs:
    """The settings of the nodes of one version."""

    tick_s: float = 0.1
    election_ticks: int = 10
    snapshot_count: int = 10_000
    catch_up_entries: int = 5_000
    max_append_bytes: int = 256 * 1024
    max_inflight_messages: int = 2
    max_committed_bytes: int = 4 * 1024 * 1024
    max_cached_entries: int = 16384
    max_uncommitted_bytes: int = 256 * 1024 * 1024
    progress_interval_s: float = 600.0
    fragment_bytes: int = 2 * 1024 * 1024
    checkpoint_interval_s: float = 300.0
    disk_latency_s: float = 0.002
    look_costs_s: float = 0.0
    """What one look at the clock costs: with it, long work comes in slices."""

    @property
    def election_timeout_s(self) -> float:
        """As the flag has it."""
        return self.tick_s * self.election_ticks

    def raft(self, member_id: int) -> Config:
        """The settings of Raft's core."""
        return Config(
            member_id,
            election_ticks=self.election_ticks,
            max_append_bytes=self.max_append_bytes,
            max_inflight_messages=self.max_inflight_messages,
            max_inflight_bytes=self.max_inflight_messages * self.max_append_bytes,
            max_committed_bytes=self.max_committed_bytes,
            max_cached_entries=self.max_cached_entries,
            max_uncommitted_bytes=self.max_uncommitted_bytes,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Who the clients are, and how hasty."""

    keys: int
    think_s: float
    key_clients: int
    appenders: int
    watchers: int
    leaseholders: int
    lockers: int
    campaigners: int
    patience_s: float
    """What a client waits for an answer."""
    retries: bool
    """Whether some writes carry request ids and are sent again."""

    @property
    def clients(self) -> int:
        """How many there are; they are numbered from 1 on."""
        return self.key_clients + self.appenders + self.watchers + self.leaseholders + self.lockers + self.campaigners


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """Who trains, and beside whom."""

    trainers: int
    min_nodes: int
    max_nodes: int
    workers: int
    """Of each node."""
    rank_order: int
    groups: int
    min_replicas: int
    tenants: int
    max_keys: int
    max_bytes: int
    """Of the tenants' quotas, for a start."""

    @property
    def clients(self) -> int:
        """How many there are; they are numbered from 1 on."""
        return self.trainers + self.groups + self.tenants


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """All that a seed draws."""

    nodes: int
    knobs: Knobs
    newer: Knobs
    """Of the nodes that an upgrade has reached."""
    traffic: Traffic
    crew: Crew | None
    """Of the training, in place of the traffic."""
    schedule: Schedule

    @property
    def clients(self) -> int:
        """How many there are."""
        return self.traffic.clients if self.crew is None else self.crew.clients


def draw_setup(
    seed: int,
    *,
    kinds: Sequence[str] = KINDS,
    nodes: int | None = None,
    duration_s: float = DURATION_S,
    workload: str = STORE,
) -> Setup:
    """What a seed stands for."""
    dice = Random(f"raftkv-chaos {seed}")
    count = nodes or dice.choice((1, 2, 3, 3, 3, 3, 3, 4, 5, 5))
    tick_s, election_ticks = dice.choice(((0.1, 10), (0.03, 9), (0.1, 5), (0.05, 10)))
    knobs, newer = (_draw_knobs(dice, tick_s, election_ticks) for _ in range(2))
    traffic = _draw_traffic(dice)
    schedule = draw_schedule(dice, nodes=count, duration_s=duration_s, kinds=kinds, every_s=dice.choice((0.7, 1.5, 3.0)))
    crew = _draw_crew(Random(f"raftkv-chaos training {seed}")) if workload == TRAINING else None
    return Setup(nodes=count, knobs=knobs, newer=newer, traffic=traffic, crew=crew, schedule=schedule)


def _draw_knobs(dice: Random, tick_s: float, election_ticks: int) -> Knobs:
    """Each at its usual value half of the time."""

    def rarely(usual: int, *others: int) -> int:
        return usual if dice.random() < 0.5 else dice.choice(others)

    return Knobs(
        tick_s=tick_s,
        election_ticks=election_ticks,
        snapshot_count=dice.choice((10_000, 1, 3, 10, 50)),
        catch_up_entries=dice.choice((1, 2, 5, 20, 100)),
        max_append_bytes=rarely(256 * 1024, 1, 64, 300),
        max_inflight_messages=rarely(2, 1, 4, 64),
        max_committed_bytes=rarely(4 * 1024 * 1024, 1, 200),
        max_cached_entries=rarely(16384, 1, 4),
        max_uncommitted_bytes=rarely(256 * 1024 * 1024, 500, 5000),
        progress_interval_s=float(rarely(600, 1, 2)),
        fragment_bytes=rarely(2 * 1024 * 1024, 64, 200),
        checkpoint_interval_s=float(rarely(300, 1)),
        disk_latency_s=dice.choice((0.0005, 0.002, 0.02)),
        look_costs_s=dice.choice((0.0, 0.0005, 0.002)),
    )


def _draw_traffic(dice: Random) -> Traffic:
    return Traffic(
        keys=dice.choice((1, 3, 6, 12)),
        think_s=dice.choice((0.05, 0.1, 0.25)),
        key_clients=dice.randint(2, 4),
        appenders=dice.randint(0, 2),
        watchers=dice.randint(1, 2),
        leaseholders=dice.randint(0, 2),
        lockers=dice.choice((0, 2, 3)),
        campaigners=dice.choice((0, 0, 2)),
        patience_s=dice.choice((0.3, 1.0, 5.0)),
        retries=dice.random() < 0.5,
    )


def _draw_crew(dice: Random) -> Crew:
    trainers, groups = dice.choice((0, 3, 4, 5)), dice.choice((0, 2, 3, 4))
    min_nodes = dice.randint(1, max(1, trainers - 1))
    return Crew(
        trainers=trainers,
        min_nodes=min_nodes,
        max_nodes=dice.choice((trainers, trainers + 2, max(min_nodes, trainers - 1))) or 1,
        workers=dice.choice((1, 1, 2)),
        rank_order=dice.randrange(3),
        groups=groups,
        min_replicas=dice.randint(1, max(1, groups - 1)),
        tenants=dice.randint(1, 3),
        max_keys=dice.choice((2, 4, 8)),
        max_bytes=dice.choice((20, 60, 200)),
    )
