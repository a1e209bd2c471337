"""A case: all that is needed to live through a run again, as data."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from raftkv_chaos.schedule import KINDS, Schedule
from raftkv_chaos.sim.knobs import DURATION_S, STORE, WORKLOADS
from raftkv_chaos.sim.run import Result, run_seed


@dataclass(frozen=True, slots=True)
class Case:
    """A seed, and what differs from what it draws."""

    seed: int
    kinds: tuple[str, ...] = KINDS
    nodes: int | None = None
    duration_s: float = DURATION_S
    schedule: Schedule | None = None
    clients: frozenset[int] | None = None
    workload: str = STORE

    def run(self, *, keep: bool = False) -> Result:
        """Lives through it."""
        return run_seed(
            self.seed,
            kinds=self.kinds,
            nodes=self.nodes,
            duration_s=self.duration_s,
            schedule=self.schedule,
            clients=self.clients,
            workload=self.workload,
            keep=keep,
        )

    def as_drawn(self) -> "Case":
        """With everything that the seed draws spelt out, so that parts of it can be left out."""
        setup = self.run().setup
        assert setup is not None, "a result has its setup"
        return replace(
            self,
            schedule=self.schedule or setup.schedule,
            clients=self.clients or frozenset(range(1, setup.clients + 1)),
        )

    def command(self, file: Path | None = None) -> str:
        """The command that lives through it again; `file` has the case where options alone cannot say it."""
        if file is not None and (self.schedule is not None or self.clients is not None):
            return f"raftkv-chaos sim --case {file}"
        options = [f"--seeds {self.seed}"]
        if self.kinds != KINDS:
            options.append(f"--nemesis {','.join(self.kinds) or 'none'}")
        if self.nodes is not None:
            options.append(f"--nodes {self.nodes}")
        if self.duration_s != DURATION_S:
            options.append(f"--time {self.duration_s:g}")
        if self.workload != STORE:
            options.append(f"--workload {self.workload}")
        return "raftkv-chaos sim " + " ".join(options)

    def to_json(self) -> str:
        """As text."""
        fields = {
            "seed": self.seed,
            "kinds": self.kinds,
            "nodes": self.nodes,
            "duration_s": self.duration_s,
            "schedule": None if self.schedule is None else json.loads(self.schedule.to_json()),
            "clients": None if self.clients is None else sorted(self.clients),
            "workload": self.workload,
        }
        return json.dumps(fields, indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Case":
        """What `to_json` made.

        Raises:
            ValueError: it did not.
        """
        try:
            fields = json.loads(text)
            schedule, clients, workload = fields["schedule"], fields["clients"], fields.get("workload", STORE)
            if workload not in WORKLOADS:
                raise ValueError(f"no case: a workload {workload!r}")
            return cls(
                int(fields["seed"]),
                tuple(fields["kinds"]),
                fields["nodes"],
                float(fields["duration_s"]),
                None if schedule is None else Schedule.from_json(json.dumps(schedule)),
                None if clients is None else frozenset(clients),
                workload,
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"no case: {error}") from error


def cases(seeds: Sequence[int], **options: object) -> list[Case]:
    """A case for each seed, all with the same options."""
    return [Case(seed, **options) for seed in seeds]  # type: ignore[arg-type] # the fields of a case
