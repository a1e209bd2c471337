"""What JAX is told: the settings from the environment, the round from a real cluster."""

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import raftkv.jax
from raftkv.client import BlockingClient
from raftkv.errors import ConfigError, RendezvousTimeoutError
from raftkv.jax import RaftkvCluster, process
from raftkv.jax.process import HeldPort, Process
from raftkv.jax.settings import from_environment, is_set
from raftkv.pb.rendezvous import SUCCEEDED
from tests.harness.cluster import Cluster
from tests.harness.raftkv import RaftkvCluster as Nodes

MINIMAL = {"RAFTKV_ENDPOINTS": "127.0.0.1:2379", "RAFTKV_JOB": "mnist", "RAFTKV_MIN_NODES": "2"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Nodes(tmp_path_factory.mktemp("jax")) as cluster:
        yield cluster


@pytest.fixture
def settings(cluster: Cluster, request: pytest.FixtureRequest) -> Callable[..., dict[str, str]]:
    """The environment of a process."""

    def make(node: str, **more: str) -> dict[str, str]:
        return {
            **MINIMAL,
            "RAFTKV_ENDPOINTS": cluster.endpoints[0],
            "RAFTKV_JOB": request.node.name,
            "RAFTKV_NODE": node,
            **{f"RAFTKV_{name.upper()}": value for name, value in more.items()},
        }

    return make


def be(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def test_environment_says_which_job_it_is() -> None:
    found = from_environment(MINIMAL)
    assert (found.job, found.settings.min_nodes, found.settings.max_nodes, found.settings.last_call_ms) == (
        "mnist",
        2,
        2,
        30_000,
    )
    assert found.local_address == "127.0.0.1", "from there it reaches the cluster"
    assert found.node.startswith(socket.gethostname())
    assert (found.local_process_id, found.tls, found.user) == (None, None, None)
    more = {
        "RAFTKV_MAX_NODES": "4",
        "RAFTKV_LOCAL_PROCESS_ID": "0",
        "RAFTKV_LOCAL_ADDRESS": "10.0.0.7",
        "RAFTKV_SEGMENTS": "rack1/switch2",
        "RAFTKV_USER": "trainer:secret",
        "RAFTKV_CACERT": "ca.pem",
    }
    found = from_environment(MINIMAL | more)
    assert (found.settings.max_nodes, found.local_process_id, found.local_address) == (4, 0, "10.0.0.7")
    assert (found.segments, found.user, found.password) == (("rack1", "switch2"), "trainer", "secret")
    assert found.tls is not None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"RAFTKV_JOB": ""}, "RAFTKV_JOB is not set"),
        ({"RAFTKV_MIN_NODES": ""}, "RAFTKV_MIN_NODES is not set"),
        ({"RAFTKV_MIN_NODES": "two"}, "RAFTKV_MIN_NODES=two: it is a whole number from 1 on"),
        ({"RAFTKV_MAX_NODES": "1"}, "RAFTKV_MAX_NODES=1 is less than RAFTKV_MIN_NODES=2"),
        ({"RAFTKV_TTL": "1"}, "RAFTKV_TTL=1: it is a whole number from 2 on"),
        (
            {"RAFTKV_ENDPOINTS": "nowhere"},
            "RAFTKV_LOCAL_ADDRESS is not set, and no host of RAFTKV_ENDPOINTS=nowhere is known here",
        ),
    ],
)
def test_environment_that_cannot_be_is_refused_in_a_line(wrong: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=f"^{said}$"):
        from_environment(MINIMAL | wrong)


def test_jax_finds_the_environment_by_its_name_where_a_job_is_named() -> None:
    known: Any = RaftkvCluster.__mro__[1]
    assert RaftkvCluster in known._cluster_types
    assert RaftkvCluster.name == "raftkv"
    assert is_set(MINIMAL)
    assert not is_set({"RAFTKV_JOB": "mnist"})


def test_jax_is_told_of_one_round(settings: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    other = Process(from_environment(settings("b")))
    be(monkeypatch, settings("a", local_process_id="3"))
    with ThreadPoolExecutor() as threads:
        others = threads.submit(other.next_round, 20.0)
        address = RaftkvCluster.get_coordinator_address(timeout_secs=20, override_coordinator_port=None)
    assert others.result().master_address == address
    assert {RaftkvCluster.get_process_id(), others.result().rank} == {0, 1}
    assert RaftkvCluster.get_process_count() == 2
    assert RaftkvCluster.get_local_process_id() == 3
    host, _, port = address.rpartition(":")
    assert host == "127.0.0.1"
    with socket.create_server((host, int(port))):
        pass  # nobody holds it any more
    job = raftkv.jax.node()
    assert job.round is not None
    raftkv.jax.succeed()
    other.close(None)
    with BlockingClient(settings("a")["RAFTKV_ENDPOINTS"]) as client:
        (standing,) = [found for found in client.jobs() if found.job == settings("a")["RAFTKV_JOB"]]
        assert standing.outcome == SUCCEEDED


def test_round_that_a_process_fails_in_is_over_and_the_next_has_the_same_ids(settings: Callable[..., dict[str, str]]) -> None:
    processes = [Process(from_environment(settings(node))) for node in "ab"]
    with ThreadPoolExecutor() as threads:
        first = list(threads.map(lambda process: process.next_round(20.0), processes))
        reason = threads.submit(processes[0].node.round_over)
        processes[1].close(ValueError("a loss that is no number"))
        assert reason.result(20) == "b failed: ValueError: a loss that is no number"
        processes[1] = Process(from_environment(settings("b")))
        second = list(threads.map(lambda process: process.next_round(20.0), processes))
    assert [world.rank for world in second] == [world.rank for world in first]
    assert second[0].token > first[0].token
    for process_ in processes:
        process_.close(None)


def test_process_that_is_alone_gives_up_in_time(
    settings: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    be(monkeypatch, settings("a"))
    with pytest.raises(RendezvousTimeoutError):
        RaftkvCluster.get_coordinator_address(timeout_secs=1, override_coordinator_port=None)
    raftkv.jax.succeed()


def test_coordinator_has_the_port_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class Found:
        master_address = "[::1]:4711"

    monkeypatch.setattr(process, "next_round", lambda timeout: Found)
    assert RaftkvCluster.get_coordinator_address(1, None) == "[::1]:4711"
    assert RaftkvCluster.get_coordinator_address(1, "1234") == "[::1]:1234"


def test_held_port_is_nobody_elses() -> None:
    ports = [HeldPort("127.0.0.1") for _ in range(3)]
    assert len({port.address for port in ports}) == 3
    with pytest.raises(OSError, match="in use"):
        socket.create_server(("127.0.0.1", int(ports[0].address.rpartition(":")[2])))
    for port in ports:
        port.release()
