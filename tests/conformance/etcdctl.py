"""etcdctl 3.5.1, run against a cluster, and its answers without what differs from one cluster to the next."""

import json
import os
import subprocess
from collections.abc import Sequence
from typing import Any

from tests.harness.cluster import Cluster
from tests.harness.etcd import ETCDCTL

TIMEOUT_S = 30


class EtcdctlFailedError(AssertionError):
    """A command that had to succeed and did not."""


def etcdctl(cluster: Cluster, *arguments: str, stdin: str = "") -> str:
    """What a command prints; it goes to all endpoints of the cluster."""
    command = [str(ETCDCTL), f"--endpoints={','.join(cluster.endpoints)}", *arguments]
    done = subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        env={**os.environ, "ETCDCTL_API": "3"},
    )
    if done.returncode:
        raise EtcdctlFailedError(f"etcdctl {' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
    return done.stdout


def etcdctl_json(cluster: Cluster, *arguments: str, stdin: str = "") -> Any:
    """As `etcdctl`, parsed, without cluster id, member id and raft term."""
    return _without_identity(json.loads(etcdctl(cluster, *arguments, "--write-out=json", stdin=stdin)))


def table_rows(output: str) -> Sequence[list[str]]:
    """The cells of a table's rows, without its head."""
    lines = [line for line in output.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def _without_identity(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {name: _without_identity(inner) for name, inner in value.items()}
        return {name: inner for name, inner in kept.items() if name not in {"cluster_id", "member_id", "raft_term"}}
    return [_without_identity(inner) for inner in value] if isinstance(value, list) else value
