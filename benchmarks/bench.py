"""What every measurement needs: the targets, the load generator, a place for data, and where results and news go."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.figures import Figures
from benchmarks.load import Load
from tests.harness.cluster import Cluster

NODES = 3


@dataclass(frozen=True, slots=True)
class Bench:
    """One run of the benchmarks."""

    targets: Sequence[type[Cluster]]
    load: Load
    directory: Path
    figures: Figures = field(default_factory=Figures)

    def cluster(self, target: type[Cluster], purpose: str) -> Cluster:
        """Three fresh nodes, not started yet."""
        return target(self.directory / f"{purpose}-{target.target}", size=NODES)

    def tell(self, what: str) -> None:
        """A line for whoever is waiting."""
        sys.stderr.write(f"{what}\n")

    def failed(self, what: str, error: Exception) -> None:
        """A figure that cannot be had: the report names it, and the run goes on."""
        first_line = f"{what}: {str(error).splitlines()[0]}"
        self.figures.failures.append(first_line)
        self.tell(f"{what}: {error}")
