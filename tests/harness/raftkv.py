"""raftkv itself, as its users start it."""

import sys
from collections.abc import Mapping, Sequence
from typing import ClassVar

from tests.harness.cluster import Cluster


class RaftkvCluster(Cluster):
    """Nodes of the raftkv in this tree."""

    target: ClassVar[str] = "raftkv"
    # -P: what PYTHONPATH names (the compiled build) comes before the folder that this runs in.
    program: ClassVar[Sequence[str]] = (sys.executable, "-P", "-m", "raftkv_cli.main", "serve")
    default_options: ClassVar[Mapping[str, str]] = {}
