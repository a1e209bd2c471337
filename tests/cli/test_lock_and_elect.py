"""lock and elect: in one line with etcdctl, and what becomes of the program when the hold is lost."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from raftkv.client import BlockingClient
from tests.cli.conversation import PROGRAMS, RAFTKV, CommandLine
from tests.client.targets import OPTIONS, TARGETS
from tests.harness.cluster import Cluster


@pytest.fixture(scope="module", params=TARGETS)
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    directory = tmp_path_factory.mktemp("cluster")
    with TARGETS[request.param](directory, options=OPTIONS.get(request.param)) as cluster:
        yield cluster


@pytest.fixture
def client(cluster: Cluster) -> Iterator[BlockingClient]:
    with BlockingClient(cluster.endpoints, timeout=20.0) as client:
        yield client


def revoke_all(client: BlockingClient) -> None:
    for status in client.leases().leases:
        client.lease_revoke(status.ID)


@pytest.mark.parametrize(("first", "second"), [("raftkv", "etcdctl"), ("etcdctl", "raftkv")])
def test_lock_is_handed_over_between_raftkv_and_etcdctl(
    cluster: Cluster, client: BlockingClient, first: str, second: str
) -> None:
    with CommandLine(PROGRAMS[first], cluster.endpoints, "lock", "handed") as holding:
        holding.read_until(b"handed/")
        with CommandLine(PROGRAMS[second], cluster.endpoints, "lock", "handed") as waiting:
            while client.range("handed/", prefix=True, count_only=True).count < 2:
                pass
            assert holding.end(signal.SIGINT)[0] == 0
            waiting.read_until(b"handed/")
            assert waiting.end(signal.SIGINT)[0] == 0
    assert client.range("handed/", prefix=True).count == 0


def test_program_runs_while_the_lock_is_held_and_gives_its_exit_code(cluster: Cluster, client: BlockingClient) -> None:
    script = "env | grep ETCD_LOCK_; echo $RAFTKV_TOKEN; exit 7"
    with CommandLine(RAFTKV, cluster.endpoints, "lock", "job", "--", "sh", "-c", script) as holding:
        code, output, complaint = holding.end()
    assert (code, complaint) == (7, b"")
    match = re.fullmatch(rb"ETCD_LOCK_KEY=job/[0-9a-f]+\nETCD_LOCK_REV=(\d+)\n(\d+)@[0-9a-f]+\n", output)
    assert match is not None
    assert match[1] == match[2]
    assert client.range("job/", prefix=True).count == 0


def test_program_that_cannot_be_found_leaves_nothing_behind(cluster: Cluster, client: BlockingClient) -> None:
    with CommandLine(RAFTKV, cluster.endpoints, "lock", "job", "no-such-program") as holding:
        complaint = b'Error: exec: "no-such-program": executable file not found in $PATH\n'
        assert holding.end() == (1, b"", complaint)
    assert client.range("job/", prefix=True).count == 0


@pytest.mark.parametrize("command", [("lock", "lost"), ("elect", "lost")], ids=lambda command: command[0])
def test_program_and_its_children_are_ended_when_the_lease_is_lost(
    cluster: Cluster, client: BlockingClient, command: tuple[str, ...]
) -> None:
    """The shell does not listen to SIGTERM, so it is killed after the grace; its child is ended too."""
    script = (
        "trap '' TERM; (trap 'echo child ended; exit' TERM; echo begun; while :; do sleep 0.05; done) & wait; wait; sleep 60"
    )
    with CommandLine(RAFTKV, cluster.endpoints, *command, "--grace", "300ms", "--", "sh", "-c", script) as holding:
        holding.read_until(b"begun")
        revoke_all(client)
        code, output, complaint = holding.end()
    assert code == 1
    assert b"child ended" in output
    assert b"Error: session expired: lost is lost: " in complaint


def test_signals_reach_the_program(cluster: Cluster, client: BlockingClient) -> None:
    script = "trap 'echo told; exit 3' TERM; echo begun; while :; do sleep 0.05; done"
    with CommandLine(RAFTKV, cluster.endpoints, "lock", "signalled", "--", "sh", "-c", script) as holding:
        holding.read_until(b"begun")
        code, output, _ = holding.end(signal.SIGTERM)
    assert (code, output) == (3, b"begun\ntold\n")
    assert client.range("signalled/", prefix=True).count == 0


def test_interrupt_while_waiting_withdraws(cluster: Cluster, client: BlockingClient) -> None:
    with (
        client.lock("taken"),
        CommandLine(RAFTKV, cluster.endpoints, "lock", "taken", "--", "echo", "never") as waiting,
    ):
        while client.range("taken/", prefix=True, count_only=True).count < 2:
            pass
        assert waiting.end(signal.SIGINT) == (130, b"", b"")
        assert client.range("taken/", prefix=True).count == 1


def test_leader_is_elected_observed_and_followed(cluster: Cluster, client: BlockingClient) -> None:
    with CommandLine(RAFTKV, cluster.endpoints, "elect", "scheduler", "--listen") as listening:
        with CommandLine(PROGRAMS["etcdctl"], cluster.endpoints, "elect", "scheduler", "node-1") as leading:
            leading.read_until(b"\nnode-1\n")
            listening.read_until(b"\nnode-1\n")
            with CommandLine(RAFTKV, cluster.endpoints, "elect", "scheduler", "node-2", "--", "cat") as next_one:
                while client.range("scheduler/", prefix=True, count_only=True).count < 2:
                    pass
                leading.end(signal.SIGINT)
                listening.read_until(b"\nnode-2\n")
                next_one.say(b"ruling")
                next_one.read_until(b"ruling")
                assert next_one.end()[0] == 0  # at the end of its input
        assert listening.end(signal.SIGINT)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("elect", "e"), b"Error: no proposal argument but -l not set\n"),
        (("elect", "e", "p", "-l"), b"Error: proposal given but -l is set\n"),
        (("lock",), b"Error: Missing argument 'NAME'.\n"),
    ],
)
def test_arguments_that_cannot_be(tmp_path: Path, arguments: tuple[str, ...], complaint: bytes) -> None:
    with CommandLine(RAFTKV, ["127.0.0.1:1"], *arguments) as command:
        assert command.end() == (2, b"", complaint)
