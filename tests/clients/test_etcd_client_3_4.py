"""The etcdctl that Debian ships (package etcd-client, 3.4) works unchanged."""

import os
import subprocess

from tests.clients.programs import CLIENTS, ETCDCTL_3_4
from tests.harness.cluster import Cluster


def start(cluster: Cluster, *arguments: str) -> "subprocess.Popen[str]":
    assert ETCDCTL_3_4.exists(), f"no {ETCDCTL_3_4}: run `make {CLIENTS}/.done`"
    command = [str(ETCDCTL_3_4), "--endpoints", cluster.endpoints[0], *arguments]
    return subprocess.Popen(
        command,
        env={**os.environ, "ETCDCTL_API": "3"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def told(cluster: Cluster, *arguments: str) -> str:
    with start(cluster, *arguments) as process:
        out, error = process.communicate(timeout=30)
    assert process.returncode == 0, error
    return out


def test_keys(raftkv_node: Cluster) -> None:
    assert told(raftkv_node, "put", "a/1", "one") == "OK\n"
    assert told(raftkv_node, "get", "--prefix", "a/") == "a/1\none\n"
    assert told(raftkv_node, "del", "a/1") == "1\n"
    assert "3.5." in told(raftkv_node, "endpoint", "status")
    assert "node1" in told(raftkv_node, "member", "list")


def test_leases(raftkv_node: Cluster) -> None:
    lease = told(raftkv_node, "lease", "grant", "60").split()[1]
    told(raftkv_node, "put", "l/1", "one", f"--lease={lease}")
    assert "attached keys([l/1])" in told(raftkv_node, "lease", "timetolive", lease, "--keys")
    assert "keepalived" in told(raftkv_node, "lease", "keep-alive", "--once", lease)
    assert "revoked" in told(raftkv_node, "lease", "revoke", lease)
    assert told(raftkv_node, "get", "l/1") == ""


def test_watch(raftkv_node: Cluster) -> None:
    told(raftkv_node, "put", "w", "one")
    with start(raftkv_node, "watch", "w", "--rev=1") as watching:
        assert watching.stdout is not None
        assert [watching.stdout.readline() for _ in range(3)] == ["PUT\n", "w\n", "one\n"]
        watching.kill()


def test_lock_passes_from_one_to_the_next(raftkv_node: Cluster) -> None:
    with start(raftkv_node, "lock", "job") as first:
        assert first.stdout is not None
        key = first.stdout.readline().strip()
        assert key.startswith("job/")
        with start(raftkv_node, "lock", "job", "echo", "mine") as second:
            first.terminate()
            out, _ = second.communicate(timeout=30)
            assert out == "mine\n"
            assert second.returncode == 0


def test_elect(raftkv_node: Cluster) -> None:
    with start(raftkv_node, "elect", "boss", "one") as leading:
        assert leading.stdout is not None
        assert leading.stdout.readline().startswith("boss/")
        assert leading.stdout.readline() == "one\n"
        with start(raftkv_node, "elect", "--listen", "boss") as listening:
            assert listening.stdout is not None
            assert listening.stdout.readline().startswith("boss/")
            assert listening.stdout.readline() == "one\n"
            listening.terminate()
        leading.terminate()
