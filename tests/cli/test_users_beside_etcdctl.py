"""The commands about users, roles and authentication: given to etcdctl 3.5.1 and to raftkv, each with an etcd of its own, they
print the same. What etcdctl prints is the same with raftkv behind it, too.
"""

import io
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from raftkv_cli.main import run
from tests.harness.cluster import Cluster
from tests.harness.etcd import ETCDCTL, EtcdCluster
from tests.harness.raftkv import RaftkvCluster

OPTIONS = {"bcrypt-cost": "4"}
MASK = re.compile(rb'("(?:cluster_id|member_id|raft_term|ClusterID|MemberID|RaftTerm)" ?: ?)\d+')
ROOT = ("--user", "root:pw")


class Step(NamedTuple):
    """A command line, and what stdin says."""

    arguments: tuple[str, ...]
    stdin: bytes = b""


class Printed(NamedTuple):
    """What a program printed, and whether it failed."""

    output: bytes
    failed: bool


def step(*arguments: str, stdin: bytes = b"") -> Step:
    return Step(arguments, stdin)


STEPS = [
    step("auth", "status"),
    step("auth", "enable"),
    step("user", "add", "root:pw"),
    step("user", "add", "u", "--new-user-password", "x"),
    step("user", "add", "v", "--interactive=false", stdin=b"secret\n"),
    step("user", "add", "w", "--no-password"),
    step("user", "add", "x", stdin=b"a\na\n"),
    step("user", "add", "y", stdin=b"a\nb\n"),
    step("user", "add", "w:x", "--no-password"),
    step("user", "add", ":x"),
    step("user", "add", "u:x"),
    step("user", "add", "u1:x", "-w", "json"),
    step("user", "add", "u2:x", "-w", "fields"),
    step("user", "add"),
    step("role", "add", "r"),
    step("role", "add", "r"),
    step("role", "add", "r2", "-w", "json"),
    step("role", "add", "r3", "-w", "fields"),
    step("role", "grant-permission", "r", "read", "k"),
    step("role", "grant-permission", "r", "readwrite", "k", "m"),
    step("role", "grant-permission", "r", "write", "p/", "--prefix"),
    step("role", "grant-permission", "r", "read", "z", "--from-key"),
    step("role", "grant-permission", "r", "READ", "a"),
    step("role", "grant-permission", "r", "bad", "a"),
    step("role", "grant-permission", "r", "read", "", "--prefix"),
    step("role", "grant-permission", "r", "read", "q", "r", "--prefix"),
    step("role", "grant-permission", "r", "read", "q", "--from-key", "--prefix"),
    step("role", "grant-permission", "r", "read"),
    step("role", "grant-permission", "r", "read", "\u00ff", "--prefix"),
    step("role", "grant-permission", "r", "read", "j", "-w", "json"),
    step("role", "grant-permission", "r", "read", "j", "-w", "fields"),
    *(
        step(*command, "-w", form)
        for command in (("role", "get", "r"), ("role", "list"))
        for form in ("simple", "json", "fields")
    ),
    *(step(*command, "-w", form) for command in (("user", "list"), ("user", "get", "u")) for form in ("simple", "json")),
    step("role", "get", "r", "--hex"),
    step("role", "get", "nothing"),
    step("role", "get", "r", "r2"),
    step("user", "grant-role", "u", "r"),
    step("user", "grant-role", "u", "r2", "-w", "json"),
    step("user", "grant-role", "u", "r3", "-w", "fields"),
    step("user", "grant-role", "u", "nothing"),
    step("user", "get", "u"),
    step("user", "get", "u", "--detail"),
    step("user", "get", "u", "--detail", "-w", "json"),
    step("user", "get", "nobody"),
    step("user", "revoke-role", "u", "r3"),
    step("user", "revoke-role", "u", "r3"),
    step("user", "revoke-role", "u", "r2", "-w", "json"),
    step("user", "passwd", "u", "--interactive=false", stdin=b"new\n"),
    step("user", "passwd", "u", stdin=b"new\nnew\n"),
    step("user", "passwd", "nobody", "--interactive=false", stdin=b"new\n"),
    step("role", "revoke-permission", "r", "k"),
    step("role", "revoke-permission", "r", "k", "m", "-w", "json"),
    step("role", "revoke-permission", "r", "p/", "--prefix"),
    step("role", "revoke-permission", "r", "z", "--from-key"),
    step("role", "revoke-permission", "r", "nothing"),
    step("role", "revoke-permission", "r", "j", "-w", "fields"),
    step("role", "revoke-permission", "r", "", "--prefix"),
    step("role", "grant-permission", "r", "readwrite", "k"),
    step("role", "delete", "r2"),
    step("role", "delete", "r3", "-w", "json"),
    step("role", "delete", "nothing"),
    step("user", "delete", "u1"),
    step("user", "delete", "u2", "-w", "fields"),
    step("user", "delete", "nobody"),
    step("auth", "enable"),
    step("auth", "enable"),
    step("auth", "status"),
    step("auth", "status", *ROOT),
    step("auth", "status", "--user", "root", "--password", "pw", "-w", "json"),
    step("auth", "status", "--user", "root:wrong"),
    step("auth", "status", "--user", "root", stdin=b"pw\n"),
    step("put", "k", "v", "--user", "u:new"),
    step("get", "k", "--user", "u:new"),
    step("get", "k"),
    step("get", "", "--prefix", "--user", "u:new"),
    step("get", "", "--prefix", *ROOT),
    step("user", "get", "u", "--user", "u:new"),
    step("user", "delete", "root", *ROOT),
    step("auth", "disable", "--user", "u:new"),
    step("auth", "disable", *ROOT, "-w", "json"),
    step("auth", "disable"),
    step("auth", "disable", "extra"),
    step("auth", "status"),
]


def etcdctl(cluster: Cluster, step: Step) -> Printed:
    command = [str(ETCDCTL), f"--endpoints={cluster.endpoints[0]}", *step.arguments]
    done = subprocess.run(command, input=step.stdin, capture_output=True, check=False, timeout=30)
    return Printed(MASK.sub(rb"\1N", done.stdout), done.returncode != 0)


@pytest.fixture
def raftkv(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Callable[[Cluster, Step], Printed]:
    def run_step(cluster: Cluster, step: Step) -> Printed:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(step.stdin)))
        code = run([*step.arguments, f"--endpoints={cluster.endpoints[0]}"])
        return Printed(MASK.sub(rb"\1N", capfdbinary.readouterr().out), code != 0)

    return run_step


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[Callable[[], Cluster]]:
    """Starts etcd, each time a new one."""
    with ExitStack() as started:

        def start() -> Cluster:
            directory = tmp_path / f"etcd-{len(list(tmp_path.iterdir()))}"
            return started.enter_context(EtcdCluster(directory, options=OPTIONS | {"unsafe-no-fsync": "true"}))

        yield start


def differences(steps: Sequence[Step], left: Callable[[Step], Printed], right: Callable[[Step], Printed]) -> list[str]:
    pairs = [(one, left(one), right(one)) for one in steps]
    return [f"{' '.join(one.arguments)}:\n{expected}\n{actual}" for one, expected, actual in pairs if expected != actual]


def test_raftkv_prints_what_etcdctl_prints(etcd: Callable[[], Cluster], raftkv: Callable[[Cluster, Step], Printed]) -> None:
    theirs, ours = etcd(), etcd()
    assert differences(STEPS, lambda one: etcdctl(theirs, one), lambda one: raftkv(ours, one)) == []


def test_etcdctl_prints_the_same_with_raftkv_behind_it(etcd: Callable[[], Cluster], tmp_path: Path) -> None:
    theirs = etcd()
    with RaftkvCluster(tmp_path / "raftkv", options=OPTIONS) as ours:
        assert differences(STEPS, lambda one: etcdctl(theirs, one), lambda one: etcdctl(ours, one)) == []
