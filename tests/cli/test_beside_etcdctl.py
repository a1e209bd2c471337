"""The same command line given to etcdctl 3.5.1 and to raftkv, against the same etcd, prints the same bytes.

Writes are given to both, so what differs by nature (the revision, the version of a key, how long it took) is masked.
"""

import io
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from raftkv_cli.main import run
from tests.harness.cluster import Cluster
from tests.harness.etcd import ETCDCTL, EtcdCluster

FORMATS = ("simple", "json", "fields")
MASKS = (
    (re.compile(rb'("(?:revision|mod_revision|version)":)\d+'), rb"\1N"),
    (re.compile(rb'("(?:Revision|(?:Prev)?ModRevision|(?:Prev)?Version)" : )\d+'), rb"\1N"),
)
CREATE_REVISION = re.compile(rb'("(?:create_revision|PrevCreateRevision)"[ :]+)\d+')
TOOK = re.compile(rb"\d+(\.\d+)?(ms|\xc2\xb5s)")
PADDING = re.compile(rb"-+| +")


class Printed(NamedTuple):
    """What a program printed, the last line of what it complained, and whether it failed."""

    output: bytes
    error: bytes
    failed: bool


class Pair:
    """etcdctl and raftkv, both talking to one etcd."""

    def __init__(self, etcd: Cluster, capture: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
        self.endpoint = etcd.endpoints[0]
        self._capture = capture
        self._monkeypatch = monkeypatch

    def etcdctl(self, *arguments: str, stdin: bytes = b"") -> Printed:
        command = [str(ETCDCTL), f"--endpoints={self.endpoint}", *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=30)
        return Printed(done.stdout, done.stderr.rpartition(b"\nError: ")[2], done.returncode != 0)

    def raftkv(self, *arguments: str, stdin: bytes = b"") -> Printed:
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = run([*arguments, f"--endpoints={self.endpoint}"])
        captured = self._capture.readouterr()
        return Printed(captured.out, captured.err.removeprefix(b"Error: "), code != 0)

    def revision(self) -> int:
        return int(re.findall(rb'"revision":(\d+)', self.etcdctl("get", "k", "-w", "json").output)[0])

    def assert_same(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """Runs both, etcdctl first, and compares; answers what they printed, masked."""
        theirs = self.etcdctl(*arguments, stdin=stdin)
        ours = self.raftkv(*arguments, stdin=stdin)
        assert (masked(ours.output), ours.failed) == (masked(theirs.output), theirs.failed), arguments
        return masked(ours.output)

    def assert_same_state(self, *arguments: str) -> None:
        """Compares without a mask what is read, at a moment when it does not change (its own doings move etcd's indexes)."""
        for _ in range(10):
            before, ours, after = self.etcdctl(*arguments), self.raftkv(*arguments), self.etcdctl(*arguments)
            if before == after:
                assert ours == before
                return
        raise AssertionError("etcd does not come to rest")


def masked(output: bytes) -> bytes:
    for pattern, replacement in MASKS:
        output = pattern.sub(replacement, output)
    return output


@pytest.fixture(scope="module")
def shared_etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    directory: Path = tmp_path_factory.mktemp("etcd")
    with EtcdCluster(directory, options={"unsafe-no-fsync": "true"}) as cluster:
        yield cluster


@pytest.fixture
def pair(shared_etcd: Cluster, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Pair:
    both = Pair(shared_etcd, capfdbinary, monkeypatch)
    both.etcdctl("del", "", "--prefix")
    for key, value in {"k": "v", "k1": "w", 'q"<&>': "line\n\u00e9\u2028\x7f", "zz": "0"}.items():
        both.etcdctl("put", key, value)
    return both


@pytest.mark.parametrize("write_out", FORMATS)
@pytest.mark.parametrize("hex_option", [(), ("--hex",)], ids=["", "hex"])
def test_put_get_and_del(pair: Pair, write_out: str, hex_option: tuple[str, ...]) -> None:
    options = ("-w", write_out, *hex_option)
    for arguments in (
        ("put", "k", "v"),
        ("put", "k", "v", "--prev-kv"),
        ("put", "k", "--ignore-value"),
        ("get", "k"),
        ("get", "nothing"),
        ("get", "", "--prefix"),
        ("get", "k", "--prefix", "--keys-only=true"),
        ("get", "k", "--from-key", "--limit", "2"),
        ("get", "k", "l", "--order", "DESCEND", "--sort-by", "MODIFY"),
        ("get", "", "--prefix", "--order", "DESCEND", "--sort-by", "VALUE"),
        ("get", "k", "--consistency", "s"),
        ("del", "nothing"),
        ("del", "nothing", "--prefix", "--prev-kv"),
    ):
        pair.assert_same(*arguments, *options)


@pytest.mark.parametrize("write_out", FORMATS)
def test_del_of_what_is_there(pair: Pair, write_out: str) -> None:
    printed = []
    for program in (pair.etcdctl, pair.raftkv):
        pair.etcdctl("put", "d1", "v")
        pair.etcdctl("put", "d2", "v")
        output = program("del", "d1", "d3", "--prev-kv", "-w", write_out).output
        printed.append(CREATE_REVISION.sub(rb"\1N", masked(output)))
    assert printed[1] == printed[0]


def test_values_only_and_a_value_from_stdin(pair: Pair) -> None:
    pair.assert_same("put", "k", stdin=b"a\x00\xff\nb")
    assert pair.assert_same("get", "k", "--print-value-only") == b"a\x00\xff\nb\n"
    assert pair.assert_same("get", "", "--prefix", "--count-only", "-w", "fields").endswith(b'"Count" : 4\n')


def test_past_revisions_and_leases(pair: Pair) -> None:
    lease = pair.etcdctl("lease", "grant", "600").output.split()[1].decode()
    pair.assert_same("put", "k", "leased", "--lease", lease)
    for write_out in FORMATS:
        pair.assert_same("get", "k", "-w", write_out)
    pair.assert_same("get", "", "--prefix", "--rev", str(pair.revision() - 2), "-w", "json")


TRANSACTIONS = (
    b"""mod("k") > "0"
value("k") = "v"

put a "b c\\n\\t\\x41\\u00e9"
get k
get k z --limit 1 --keys-only=true
get --count-only k z
put k v --prev-kv
del a2 --prefix --prev-kv

get nothing

""",
    b"""ver("k") = "0"
create("nothing") = "0"


get k
put k v --prev-kv
put b x
del nothing

""",
    b"""c("k") > "1"
m("k") > "1"
val("k") < "w"
version("k") > "0"

get "" --prefix


""",
    b"\n\n\n",
)


@pytest.mark.parametrize("write_out", FORMATS)
@pytest.mark.parametrize("text", TRANSACTIONS, ids=range(len(TRANSACTIONS)))
def test_txn(pair: Pair, text: bytes, write_out: str) -> None:
    pair.etcdctl("put", "k", "v")
    pair.assert_same("txn", "-w", write_out, stdin=text)
    pair.assert_same("get", "", "--prefix", "-w", "fields")


def test_txn_interactive_asks_the_same(pair: Pair) -> None:
    assert pair.assert_same("txn", "-i", stdin=b'create("k") = "0"\n\n\n\n').startswith(b"compares:\n")


@pytest.mark.parametrize("write_out", [*FORMATS, "table"])
@pytest.mark.parametrize("hex_option", [(), ("--hex",)], ids=["", "hex"])
def test_lists_of_members_and_endpoints(pair: Pair, write_out: str, hex_option: tuple[str, ...]) -> None:
    for command in (("member", "list"), ("endpoint", "status"), ("endpoint", "status", "--cluster")):
        pair.assert_same_state(*command, "-w", write_out, *hex_option)


@pytest.mark.parametrize("write_out", [*FORMATS, "table"])
def test_health_but_for_how_long_it_took(pair: Pair, write_out: str) -> None:
    command = ("endpoint", "health", "--cluster", "-w", write_out)
    theirs, ours = (TOOK.sub(b"TOOK", program(*command).output) for program in (pair.etcdctl, pair.raftkv))
    assert PADDING.sub(b"", ours) == PADDING.sub(b"", theirs)


@pytest.mark.parametrize("write_out", FORMATS)
def test_alarms(pair: Pair, write_out: str) -> None:
    pair.assert_same("alarm", "list", "-w", write_out)
    if write_out != "fields":  # where etcdctl panics
        pair.assert_same("alarm", "disarm", "-w", write_out)


def test_compact(pair: Pair) -> None:
    revision = pair.revision()
    assert pair.etcdctl("compaction", str(revision - 1), "--physical").output == b"compacted revision %d\n" % (revision - 1)
    assert pair.raftkv("compact", str(revision), "--physical").output == b"compacted revision %d\n" % revision


@pytest.mark.parametrize(
    "arguments",
    [
        ("get", "k", "--rev", "999999"),
        ("get", ""),
        ("put", "", "v"),
        ("put", "nothing", "--ignore-value"),
        ("put", "k", "v", "--lease", "1"),
        ("compaction", "999999"),
    ],
    ids=" ".join,
)
def test_a_refused_request_says_why_as_etcdctl_does(pair: Pair, arguments: tuple[str, ...]) -> None:
    theirs = pair.etcdctl(*arguments)
    assert theirs.failed
    assert pair.raftkv(*arguments) == theirs


def test_an_endpoint_that_does_not_answer_is_named_and_the_others_are_listed(
    pair: Pair, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    endpoints = f"--endpoints=127.0.0.1:1,{pair.endpoint}"
    assert run(["status", endpoints]) == 1
    shown = capfdbinary.readouterr()
    assert shown.err.startswith(b"Error: failed to get the status of endpoint 127.0.0.1:1: ")
    assert shown.out.startswith(pair.endpoint.encode() + b", ")
    assert run(["endpoint", "health", endpoints]) == 1
    shown = capfdbinary.readouterr()
    assert shown.err.startswith(b"127.0.0.1:1 is unhealthy: failed to commit proposal: ")
    assert shown.err.endswith(b"\nError: unhealthy cluster\n")
    assert shown.out.startswith(pair.endpoint.encode() + b" is healthy")


def test_counts_in_simple_and_staleness_are_ours_alone(pair: Pair) -> None:
    assert pair.raftkv("get", "k", "--prefix", "--count-only") == Printed(b"2\n", b"", failed=False)
    assert pair.raftkv("get", "k", "--consistency", "s", "--max-staleness", "1s", "--keys-only").output == b"k\n\n"
    assert pair.raftkv("txn", stdin=b'lease("k") = "0"\nver("k") != "0"\n\n\n\n').output == b"SUCCESS\n"


def test_an_alarm_is_listed_cleared_and_makes_the_endpoint_unhealthy(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    with EtcdCluster(tmp_path, options={"unsafe-no-fsync": "true", "quota-backend-bytes": "60000"}) as full:
        pair = Pair(full, capfdbinary, monkeypatch)
        assert pair.etcdctl("put", "big", stdin=b"x" * 90_000).failed
        assert b"database space exceeded" in pair.raftkv("put", "big", "x").error
        for write_out in FORMATS:
            pair.assert_same("alarm", "list", "-w", write_out)
        for write_out in (*FORMATS, "table"):
            pair.assert_same_state("endpoint", "status", "-w", write_out)
        assert pair.raftkv("endpoint", "health").error == (
            pair.endpoint.encode()
            + b" is unhealthy: failed to commit proposal: Active Alarm(s): NOSPACE \nError: unhealthy cluster\n"
        )
        assert pair.raftkv("alarm", "disarm").output.endswith(b" alarm:NOSPACE \n")
        assert pair.raftkv("alarm", "list") == Printed(b"", b"", failed=False)
