"""torchft's Manager trains on: the leader of the cluster is killed -9 between quorums and with a group; a group dies and comes back."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.harness.raftkv import RaftkvCluster
from tests.torchft.address import lighthouse, set_options

SCRIPT = Path(__file__).with_name("replica_group.py")
PATIENCE_S = 60.0


class ReplicaGroup:
    """A process, and what it says."""

    def __init__(self, name: str, address: str) -> None:
        environment = {**os.environ, "TORCHFT_LIGHTHOUSE": address, "RUST_LOG": "error"}
        command = [sys.executable, str(SCRIPT), name, "0.1"]
        self._process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        self.said: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                with self._changed:
                    self.said.append(json.loads(line))
                    self._changed.notify_all()

    def until(self, condition: Callable[[dict[str, Any]], bool]) -> None:
        """Returns when it says something from now on that meets the condition."""
        with self._changed:
            begin = len(self.said)
            assert self._changed.wait_for(lambda: any(condition(what) for what in self.said[begin:]), PATIENCE_S), self.said[
                -3:
            ]

    def trains_with(self, groups: int) -> None:
        self.until(lambda what: what.get("groups") == groups)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._listener.join()

    @property
    def steps(self) -> dict[int, float]:
        """The weight after each step."""
        return {what["step"]: what["weight"] for what in self.said if "step" in what}


@contextmanager
def training(*names: str, address: str) -> Iterator[dict[str, ReplicaGroup]]:
    groups = {name: ReplicaGroup(name, address) for name in names}
    try:
        yield groups
    finally:
        for group in groups.values():
            group.kill()


def test_replica_groups_train_on_whoever_dies(tmp_path: Path) -> None:
    with RaftkvCluster(tmp_path, size=3) as cluster, lighthouse(",".join(cluster.endpoints), "mnist") as address:
        set_options(cluster.endpoints[0], "mnist", min_replicas=2, join_timeout_ms=5000, heartbeat_timeout_ms=2000)
        with training("a", "b", "c", address=address) as groups:
            for group in groups.values():
                group.trains_with(3)
            first = cluster.leader()
            first.kill()
            groups["a"].trains_with(3)
            groups["c"].kill()
            groups["a"].trains_with(2)
            first.start()
            cluster.wait_ready([first])
            groups["c"] = ReplicaGroup("c", address)
            groups["c"].until(lambda what: what.get("healed", False))
            groups["a"].trains_with(3)
            cluster.leader().kill()
            groups["b"].kill()
            groups["c"].trains_with(2)
            for group in groups.values():
                assert all(weight == step * (step + 1) / 2 for step, weight in group.steps.items())
                assert len(group.steps) >= 2
