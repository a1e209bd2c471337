"""watch and lease: the same lines as etcdctl prints, whichever server answers, and what they do beyond printing."""

import re
import signal
import subprocess
from collections.abc import Iterator

import pytest

from raftkv.client import BlockingClient, Delete, Put
from tests.cli.conversation import PROGRAMS, RAFTKV, CommandLine
from tests.client.targets import OPTIONS, TARGETS
from tests.harness.cluster import Cluster

FORMATS = ("simple", "json", "fields", "protobuf")
END = (b"zend", b"emVuZA==", rb"\x7a\x65\x6e\x64")
REMAINING = re.compile(rb'remaining\(\d+s\)|"ttl":\d+|"TTL" : \d+')


@pytest.fixture(scope="module", params=TARGETS)
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    directory = tmp_path_factory.mktemp("cluster")
    with TARGETS[request.param](directory, options=OPTIONS.get(request.param)) as cluster:
        yield cluster


@pytest.fixture
def client(cluster: Cluster) -> Iterator[BlockingClient]:
    with BlockingClient(cluster.endpoints, timeout=20.0) as client:
        client.delete("", prefix=True)
        yield client


def ask(program: str, cluster: Cluster, *arguments: str) -> tuple[int, bytes]:
    command = [*PROGRAMS[program], f"--endpoints={cluster.endpoints[0]}", *arguments]
    done = subprocess.run(command, capture_output=True, check=False, timeout=30)
    return done.returncode, done.stdout


def make_history(client: BlockingClient) -> int:
    """Its first revision; the last key is `zend`."""
    first = client.put("a1", "v").header.revision
    client.put("a1", 'w"\n')
    client.txn(success=[Put("a2", "x"), Delete("a1")])
    client.put("zend", "")
    return first


@pytest.mark.parametrize("write_out", FORMATS)
def test_watch_prints_what_etcdctl_prints(cluster: Cluster, client: BlockingClient, write_out: str) -> None:
    first = str(make_history(client))
    options = (
        "watch",
        "",
        "--prefix",
        "--rev",
        first,
        "--prev-kv",
        "-w",
        write_out,
        *(["--hex"] if write_out == "simple" else []),
    )
    printed = {}
    for name, program in PROGRAMS.items():
        with CommandLine(program, cluster.endpoints, *options) as watching:
            mark = next(
                mark
                for mark, use in zip(END, (write_out in {"fields", "protobuf"}, write_out == "json", True), strict=True)
                if use
            )
            watching.read_until(mark)
            code, lines, _ = watching.end(signal.SIGINT)
            assert code == (130 if name == "raftkv" else -signal.SIGINT)
        printed[name] = lines[: lines.index(mark)]  # either may be stopped in the middle of the last event
    assert printed["raftkv"] == printed["etcdctl"]
    assert printed["raftkv"]


def test_watch_runs_a_program_for_each_event(cluster: Cluster, client: BlockingClient) -> None:
    first = str(make_history(client))
    script = 'printf "%s %s %s," $ETCD_WATCH_EVENT_TYPE $ETCD_WATCH_KEY $ETCD_WATCH_VALUE; test $ETCD_WATCH_KEY != \'"zend"\''
    with CommandLine(RAFTKV, cluster.endpoints, "watch", "a", "zz", "--rev", first, "--", "sh", "-c", script) as watching:
        code, output, complaint = watching.end()
    assert b'"PUT" "a1" "v",' in output
    assert rb'"PUT" "a1" "w\"\n",' in output
    assert b'"DELETE" "a1" "",' in output
    assert (code, complaint) == (1, f'Error: command ["sh" "-c" {quoted(script)}] error (exit status 1)\n'.encode())


def quoted(script: str) -> str:
    return '"' + script.replace('"', '\\"') + '"'


def test_interactive_watch_takes_watches_and_progress_and_complains(cluster: Cluster, client: BlockingClient) -> None:
    with CommandLine(RAFTKV, cluster.endpoints, "watch", "-i") as watching:
        watching.say(b"watch k1")
        watching.say(b"watch 'k 2' --prev-kv -- echo changed")
        watching.say(b"progress")
        watching.read_until(b"progress notify: ")
        client.put("k1", "one")
        watching.read_until(b"PUT\nk1\none\n")
        client.put("k 2", "two")
        watching.read_until(b"PUT\nk 2\ntwo\n", b"changed\n")
        for line in (b"look", b"", b"watch", b"watch a b --prefix", b"watch 'a"):
            watching.say(line)
        watching.say(b"watch k3 --rev 1")
        client.put("k3", "three")
        watching.read_until(b"PUT\nk3\nthree\n")
        _, _, complaints = watching.end(signal.SIGINT)
    assert complaints.splitlines()[:4] == [
        b"Invalid command look (only support watch)",
        b"Invalid command:  (watch and progress supported)",
        b"Invalid command watch (watch needs a key)",
        b"Invalid command watch a b --prefix (range_end and --prefix are mutually exclusive)",
    ]


def test_watch_of_what_is_compacted_fails(cluster: Cluster, client: BlockingClient) -> None:
    make_history(client)
    client.compact(client.put("k", "v").header.revision)
    with CommandLine(RAFTKV, cluster.endpoints, "watch", "a1", "--rev", "1") as watching:
        assert watching.end() == (1, b"", b"Error: etcdserver: mvcc: required revision has been compacted\n")


@pytest.mark.parametrize("write_out", ["simple", "json", "fields"])
def test_leases_are_shown_as_etcdctl_shows_them(cluster: Cluster, client: BlockingClient, write_out: str) -> None:
    for status in client.leases().leases:
        client.lease_revoke(status.ID)
    with client.lease(600) as lease:
        client.put("k", "v", lease=lease.id)
        identity = f"{lease.id:x}"
        for arguments in (
            ("timetolive", identity),
            ("timetolive", identity, "--keys"),
            ("timetolive", "1234"),
            ("list",),
            ("keep-alive", identity, "--once"),
            ("keep-alive", "1234"),
        ):
            theirs, ours = (ask(name, cluster, "lease", *arguments, "-w", write_out) for name in ("etcdctl", "raftkv"))
            assert (ours[0], REMAINING.sub(b"", ours[1])) == (theirs[0], REMAINING.sub(b"", theirs[1])), arguments


def test_lease_is_granted_renewed_until_it_is_gone_and_revoked(cluster: Cluster, client: BlockingClient) -> None:
    code, granted = ask("raftkv", cluster, "lease", "grant", "2")
    match = re.fullmatch(rb"lease ([0-9a-f]{16}) granted with TTL\(2s\)\n", granted)
    assert match is not None
    identity = match[1].decode()
    with CommandLine(RAFTKV, cluster.endpoints, "lease", "keep-alive", identity) as keeping:
        renewed = b"lease %s keepalived with TTL(2)\n" % match[1]
        keeping.read_until(renewed * 3)
        assert ask("raftkv", cluster, "lease", "revoke", identity) == (0, b"lease %s revoked\n" % match[1])
        code, output, _ = keeping.end()
    assert (code, output.endswith(b"lease %s expired or revoked.\n" % match[1])) == (0, True)
    assert ask("raftkv", cluster, "lease", "revoke", identity)[0] == 1
