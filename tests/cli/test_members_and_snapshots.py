"""The commands about members, snapshots and upkeep: beside etcdctl where it has them, and on a cluster of raftkv."""

import io
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from raftkv.client import BlockingClient, Put
from raftkv_cli.main import run
from tests.harness.cluster import Cluster
from tests.harness.etcd import ETCDCTL, EtcdCluster
from tests.harness.raftkv import RaftkvCluster

FORMATS = ("simple", "json", "fields", "table")
ID = re.compile(rb" *(?:\b[0-9a-f]{11,16}\b|\b\d{13,20}\b)")


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with EtcdCluster(tmp_path_factory.mktemp("etcd"), options={"unsafe-no-fsync": "true"}) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with RaftkvCluster(tmp_path_factory.mktemp("raftkv")) as cluster:
        yield cluster


def etcdctl(cluster: Cluster, *arguments: str) -> bytes:
    command = [str(ETCDCTL), f"--endpoints={cluster.endpoints[0]}", *arguments]
    return subprocess.run(command, capture_output=True, check=True, timeout=30).stdout


class Shell:
    """Runs `raftkv` in this process."""

    def __init__(self, capture: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capture = capture
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))

    def __call__(self, *arguments: str, code: int = 0) -> bytes:
        assert run(list(arguments)) == code, self._capture.readouterr().err
        captured = self._capture.readouterr()
        return captured.err if code else captured.out

    def at(self, cluster: Cluster, *arguments: str, code: int = 0) -> bytes:
        return self(*arguments, f"--endpoints={cluster.endpoints[0]}", code=code)


@pytest.fixture
def raftkv(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(capfdbinary, monkeypatch)


def learners(cluster: Cluster) -> list[str]:
    members = etcdctl(cluster, "member", "list").decode().splitlines()
    return [line.split(",")[0] for line in members if "unstarted" in line]


@pytest.mark.parametrize("write_out", ["simple", "json"])
def test_members_are_added_updated_and_removed_as_etcdctl_says_it(raftkv: Shell, etcd: Cluster, write_out: str) -> None:
    printed: list[list[bytes]] = []
    for number, program in enumerate((etcdctl, raftkv.at)):
        url = f"--peer-urls=http://127.0.0.2:{1 + number}{len(write_out)}"  # which begins no other member's
        outputs = [program(etcd, "member", "add", "new", url, "--learner", "-w", write_out)]
        (member,) = learners(etcd)
        outputs += [
            program(etcd, "member", "update", member, url, "-w", write_out),
            program(etcd, "member", "remove", member, "-w", write_out),
        ]
        printed.append(
            [sorted_members(ID.sub(b"ID", output.replace(url.partition("=")[2].encode(), b"URL"))) for output in outputs]
        )
    assert printed[1] == printed[0]


def sorted_members(output: bytes) -> bytes:
    """The order of members is that of their ids."""
    return b" ".join(sorted(re.findall(rb"[^][{},\"=\n]+", output)))


@pytest.mark.parametrize("write_out", FORMATS)
def test_checksums_and_defrag_look_as_etcdctls(raftkv: Shell, etcd: Cluster, write_out: str) -> None:
    assert raftkv.at(etcd, "endpoint", "hashkv", "-w", write_out) == etcdctl(etcd, "endpoint", "hashkv", "-w", write_out)
    if write_out == "simple":
        assert raftkv.at(etcd, "defrag") == etcdctl(etcd, "defrag")
        leader = etcdctl(etcd, "member", "list").split(b",")[0].decode()
        assert raftkv.at(etcd, "move-leader", leader) == etcdctl(etcd, "move-leader", leader)
        assert b"bad leader transferee" in raftkv.at(etcd, "move-leader", "5", code=1)


def test_etcdctl_unchanged_works_on_raftkv(own: Cluster, tmp_path: Path) -> None:
    etcdctl(own, "put", "k", "v")
    assert etcdctl(own, "defrag").startswith(b"Finished defragmenting")
    assert etcdctl(own, "endpoint", "hashkv").startswith(own.endpoints[0].encode())
    assert b"added to cluster" in etcdctl(own, "member", "add", "x", "--peer-urls=http://127.0.0.1:7", "--learner")
    (learner,) = learners(own)
    assert b"updated in cluster" in etcdctl(own, "member", "update", learner, "--peer-urls=http://127.0.0.1:8")
    assert b"removed from cluster" in etcdctl(own, "member", "remove", learner)
    own_id = etcdctl(own, "member", "list").split(b",")[0].decode()
    assert etcdctl(own, "move-leader", own_id).startswith(b"Leadership transferred")
    assert etcdctl(own, "snapshot", "save", str(tmp_path / "s")).startswith(b"Snapshot saved at")


def test_a_snapshot_is_saved_looked_at_and_restored(raftkv: Shell, own: Cluster, tmp_path: Path) -> None:
    for number in range(20):
        etcdctl(own, "put", f"key{number}", "value" * number)
    file, data = tmp_path / "saved", tmp_path / "data"
    assert raftkv.at(own, "snapshot", "save", str(file)) == f"Snapshot saved at {file}\n".encode()
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]
    for write_out in FORMATS:
        assert str(file.stat().st_size).encode() in raftkv("snapshot", "status", str(file), "-w", write_out) or write_out in {
            "simple",
            "table",
        }
    restored = raftkv(
        "snapshot", "restore", str(file), "--data-dir", str(data), "--bump-revision=1000", "--mark-compacted=true"
    )
    assert restored.startswith(f"Restored {file} to {data}".encode())
    assert b"is not empty" in raftkv("snapshot", "restore", str(file), "--data-dir", str(data), code=2)
    with RaftkvCluster(tmp_path, options={"data-dir": str(data)}) as again:
        assert etcdctl(again, "get", "key3").endswith(b"valuevaluevalue\n")
        assert b'"revision":10' in etcdctl(again, "get", "k", "-w", "json")
        names = [line.split(", ")[2] for line in etcdctl(again, "member", "list").decode().splitlines()]
        assert names == ["node1"]  # it tells its name anew


def test_a_snapshot_under_load_is_one_moment_of_it(raftkv: Shell, own: Cluster, tmp_path: Path) -> None:
    """Everything acknowledged before is in it, and nothing of what came later without what came before that."""
    file, data, written, over = tmp_path / "saved", tmp_path / "data", count(), threading.Event()

    def write() -> None:
        with BlockingClient(own.endpoints) as client:
            while not over.is_set():
                client.txn(success=[Put("load/a", str(at := next(written))), Put(f"load/at/{at:06}", "")])
                under_way.set()

    under_way = threading.Event()
    with ThreadPoolExecutor() as pool:
        writing = pool.submit(write)
        assert under_way.wait(20)
        acknowledged = int(etcdctl(own, "get", "load/a", "--print-value-only"))
        raftkv.at(own, "snapshot", "save", str(file))
        over.set()
        writing.result(20)
    raftkv("snapshot", "restore", str(file), "--data-dir", str(data))
    with RaftkvCluster(tmp_path, options={"data-dir": str(data)}) as again:
        last = int(etcdctl(again, "get", "load/a", "--print-value-only"))
        keys = etcdctl(again, "get", "load/at/", "--prefix", "--keys-only").split()
    assert last >= acknowledged
    assert keys == [b"load/at/%06d" % at for at in range(last + 1)]


@pytest.mark.parametrize("damage", ["cut", "flipped", "nothing"])
def test_a_damaged_file_is_refused(raftkv: Shell, own: Cluster, tmp_path: Path, damage: str) -> None:
    file = tmp_path / "saved"
    raftkv.at(own, "snapshot", "save", str(file))
    whole = file.read_bytes()
    if damage == "nothing":
        file.write_bytes(b"something else")
    elif damage == "cut":
        file.write_bytes(whole[:-512])
    else:
        file.write_bytes(whole[:200] + bytes([whole[200] ^ 1]) + whole[201:])
    for command in ("status", "restore"):
        options = ["--data-dir", str(tmp_path / "data")] if command == "restore" else []
        assert str(file).encode() in raftkv("snapshot", command, str(file), *options, code=1)
    assert not (tmp_path / "data").exists()


def test_a_downgrade_is_validated_enabled_and_cancelled(raftkv: Shell, own: Cluster) -> None:
    assert raftkv.at(own, "downgrade", "validate", "3.4.0") == b"Downgrade validate success, cluster version 3.5\n"
    raftkv.at(own, "downgrade", "enable", "3.4")
    assert b"downgrade job in progress" in raftkv.at(own, "downgrade", "validate", "3.4.0", code=1)
    raftkv.at(own, "downgrade", "cancel")
    assert b"no inflight downgrade job" in raftkv.at(own, "downgrade", "cancel", code=1)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("member", "remove", "xyz"), b"expecting ID in Hex"),
        (("member", "add", "x"), b"--peer-urls"),
        (("member", "promote", "5"), b"member not found"),
        (("snapshot", "restore", "f", "--bump-revision=1"), b"--mark-compacted"),
        (("snapshot", "restore", "f", "--name=x"), b"--initial-cluster"),
    ],
)
def test_what_cannot_be_is_refused(raftkv: Shell, own: Cluster, arguments: tuple[str, ...], says: bytes) -> None:
    code = 1 if arguments[1] == "promote" else 2
    assert says in raftkv.at(own, *arguments, code=code)
