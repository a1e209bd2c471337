"""job, barrier, checkpoint: what operators and scripts ask of a training job."""

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from raftkv.client import BlockingClient, BlockingParticipant
from raftkv.pb.rendezvous import JobSettings
from tests.cli.conversation import RAFTKV, CommandLine
from tests.harness.cluster import Cluster
from tests.harness.raftkv import RaftkvCluster

SETTINGS = JobSettings(min_nodes=2, max_nodes=2, last_call_ms=100)
Pair = tuple[BlockingParticipant, BlockingParticipant]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with RaftkvCluster(tmp_path_factory.mktemp("jobs")) as cluster:
        yield cluster


@pytest.fixture
def pair(cluster: Cluster) -> Iterator[Pair]:
    """The nodes a and b of the job mnist, in its first world; the job is gone afterwards."""
    with BlockingClient(cluster.endpoints) as client:
        job = client.rendezvous("mnist")
        a, b = (job.participant(name, SETTINGS, address=f"{name}:1") for name in ("a", "b"))
        with a, b, ThreadPoolExecutor() as threads:
            list(threads.map(lambda node: node.next_round(timeout=20), (a, b)))
            yield a, b
            job.close()
        job.remove()


def raftkv(cluster: Cluster, *arguments: str) -> tuple[int, str]:
    command = [*RAFTKV, f"--endpoints={cluster.endpoints[0]}", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


def ranks_of(shown: str) -> list[list[str]]:
    """The rows of the table of ranks."""
    return [line.split() for line in shown.partition("RANK")[2].splitlines()[1:]]


def test_jobs_are_listed_and_shown(cluster: Cluster, pair: Pair) -> None:
    code, listed = raftkv(cluster, "job", "list")
    assert (code, [line.split()[:4] for line in listed.splitlines()[1:]]) == (0, [["mnist", "formed", "1", "2/2-2"]])
    code, shown = raftkv(cluster, "job", "show", "mnist")
    assert sorted(row[1:] for row in ranks_of(shown)) == [["a", "a:1"], ["b", "b:1"]]
    code, shown = raftkv(cluster, "job", "show", "mnist", "-w", "json")
    assert {node["node"] for node in json.loads(shown)["nodes"]} == {"a", "b"}
    assert raftkv(cluster, "job", "show", "nobody") == (1, "Error: raftkv: job not found\n")


def test_watch_tells_of_an_exclusion_and_of_the_end(cluster: Cluster, pair: Pair) -> None:
    with CommandLine(RAFTKV, cluster.endpoints, "job", "watch", "mnist") as watching:
        watching.read_until(b"formed")
        code, output = raftkv(cluster, "job", "exclude", "mnist", "b", "--reason", "ECC errors", "--cool-down", "1h")
        assert (code, "b is excluded: ECC errors" in output) == (0, True)
        watching.read_until(b"b is excluded")
        assert raftkv(cluster, "job", "readmit", "mnist", "b")[0] == 0
        code, output = raftkv(cluster, "job", "close", "mnist", "--reason", "new code", "--failed")
        assert (code, "failed" in output, "new code" in output) == (0, True, True)
        code, _, complaint = watching.end()
        assert (code, complaint) == (0, b"")


def test_scripts_wait_at_a_barrier(cluster: Cluster, pair: Pair) -> None:
    arguments = ("barrier", "wait", "mnist", "data-is-there", "--node", "b")
    with CommandLine(RAFTKV, cluster.endpoints, *arguments) as waiting:
        pair[0].barrier("data-is-there", timeout=20)
        assert waiting.end() == (0, b"", b"")
    code, output = raftkv(cluster, "barrier", "wait", "mnist", "late", "--node", "a", "--with", "b", "--timeout", "100ms")
    assert (code, "missing: b" in output) == (1, True)


def test_checkpoints_are_shown_when_they_are_whole(cluster: Cluster, pair: Pair) -> None:
    a, b = pair
    a.announce(10, "/ckpt/10/a")
    assert raftkv(cluster, "checkpoint", "latest", "mnist") == (1, "Error: job mnist has no checkpoint\n")
    b.announce(10, "/ckpt/10/b")
    assert raftkv(cluster, "checkpoint", "list", "mnist") == (0, "STEP  ROUND  SHARDS\n10    1      2\n")
    _, latest = raftkv(cluster, "checkpoint", "latest", "mnist", "-w", "json")
    assert {shard["location"] for shard in json.loads(latest)[0]["shards"]} == {"/ckpt/10/a", "/ckpt/10/b"}


def test_preemption_makes_all_stop_at_one_step(cluster: Cluster, pair: Pair) -> None:
    code, output = raftkv(cluster, "job", "preempt", "mnist", "--reason", "maintenance")
    assert (code, "0 have answered" in output) == (0, True)
    with ThreadPoolExecutor() as threads:
        steps = list(threads.map(lambda node, step: node.acknowledge_preemption(step), pair, (41, 42)))
    assert steps == [42, 42]
    assert "stop after step 42" in raftkv(cluster, "job", "show", "mnist")[1]


def test_steps_of_workers_are_shown_with_scores(cluster: Cluster, pair: Pair) -> None:
    a, b = (node.worker() for node in pair)
    with a.steps() as one, b.steps() as other:
        with CommandLine(RAFTKV, cluster.endpoints, "job", "steps", "mnist", "--watch", "--interval", "100ms") as watching:
            one.done(41)
            other.done(40)
            watching.read_until(b"41")
        listed = raftkv(cluster, "job", "list")[1]
        while listed.splitlines()[1].split()[5] != "40":  # all jobs are looked at once a second
            listed = raftkv(cluster, "job", "list")[1]
        assert listed.splitlines()[1].split() == ["mnist", "formed", "1", "2/2-2", "0", "40", "-", "0", "0"]
        code, shown = raftkv(cluster, "job", "show", "mnist")
        assert (code, ["SlowestStep:", "40"] in [line.split() for line in shown.splitlines()]) == (0, True), shown
        assert "RANK  NODE  ADDRESS  STEP  STEP TIME  SCORE  NOTE" in shown
        found = raftkv(cluster, "job", "steps", "mnist", "-w", "json")[1]
        assert {(each["node"], each["step"]) for each in json.loads(found)["each"]} == {("a", 41), ("b", 40)}


def test_node_that_is_done_is_said_to_be_done(cluster: Cluster, pair: Pair) -> None:
    a, b = pair
    assert a.round is not None
    rank = a.round.rank
    a.succeed()
    shown = raftkv(cluster, "job", "show", "mnist")[1]
    assert sorted(row[1:] for row in ranks_of(shown)) == [["a", "a:1", "done"], ["b", "b:1"]]
    with b.worker().steps() as steps:
        steps.done(41)
        shown = raftkv(cluster, "job", "show", "mnist")[1]
        while "STEP TIME" not in shown:  # the first heartbeat is on its way
            shown = raftkv(cluster, "job", "show", "mnist")[1]
    rows = {row[1]: row for row in ranks_of(shown)}
    assert rows["a"] == [str(rank), "a", "a:1", "-", "-", "-", "done"]
    assert rows["b"][0] == str(1 - rank)
    assert "no heartbeats" not in shown
    shown = raftkv(cluster, "job", "show", "mnist", "-w", "json")[1]
    assert [node["node"] for node in json.loads(shown)["nodes"] if node.get("done")] == ["a"]


def test_values_of_a_job_are_set_compared_and_watched(cluster: Cluster, pair: Pair) -> None:
    with CommandLine(RAFTKV, cluster.endpoints, "job", "config", "watch", "mnist") as watching:
        code, revision = raftkv(cluster, "job", "config", "set", "mnist", "lr", "0.1", "--revision", "0")
        assert code == 0
        watching.read_until(b"lr=0.1")
    code, output = raftkv(cluster, "job", "config", "set", "mnist", "lr", "0.2", "--revision", "0")
    assert (code, output) == (1, f"Error: lr is at revision {revision.strip()}, not 0\n")
    assert raftkv(cluster, "job", "config", "delete", "mnist", "lr") == (0, "")
    assert raftkv(cluster, "job", "config", "get", "mnist", "lr") == (1, "Error: lr is not set\n")


def test_machine_that_is_not_fit_is_told_so_and_excluded(cluster: Cluster, pair: Pair) -> None:
    code, output = raftkv(cluster, "job", "check", "--check", "network", "--check", "command:true")
    assert (code, output.count("pass")) == (0, 2), output
    code, output = raftkv(cluster, "job", "check", "mnist", "--check", "command:sh -c 'echo broken; exit 3'", "--node", "b")
    assert (code, "FAIL" in output, "broken" in output, "b is not fit for job mnist" in output) == (1, True, True, True), output
    assert "b is excluded: command:sh" in raftkv(cluster, "job", "show", "mnist")[1]
    assert raftkv(cluster, "job", "check", "--check", "cpu")[0] == 2


def test_barriers_are_listed_with_who_is_missing(cluster: Cluster, pair: Pair) -> None:
    with CommandLine(RAFTKV, cluster.endpoints, "barrier", "wait", "mnist", "save", "--node", "a") as waiting:
        found = raftkv(cluster, "barrier", "list", "mnist")
        while "open" not in found[1]:
            found = raftkv(cluster, "barrier", "list", "mnist")
        assert found[1].splitlines()[1].split()[:3] == ["save", "open", "1/2"]
        assert "b (rank " in found[1]
        assert raftkv(cluster, "barrier", "cancel", "mnist", "save", "--reason", "no space") == (0, "")
        code, _, complaint = waiting.end()
        assert (code, b"no space; missing: b (rank" in complaint) == (1, True)
