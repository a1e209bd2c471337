"""What an agent holds of the cluster: one connection for its lease, its standing, and its rounds' stores."""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
import torch.distributed as dist
from torch.distributed.elastic.rendezvous import RendezvousClosedError, RendezvousParameters

from raftkv.client import BlockingClient
from raftkv.pb import rendezvous as pb
from raftkv.tcpstore import Namespace
from raftkv.torch import StoreServer
from raftkv.torch.background import Access
from raftkv.torch.handler import RaftkvRendezvous, create_handler
from tests.harness.cluster import Cluster, Node

ESTABLISHED = "01"
LARGE = "x" * 1_000_000


def connections(cluster: Cluster) -> Counter[str]:
    """How many each node's client port holds, as the kernel counts them there."""
    names = {f"0100007F:{int(node.endpoint.rpartition(':')[2]):04X}": node.name for node in cluster.nodes}
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return Counter(names[row[1]] for row in rows if row[1] in names and row[3] == ESTABLISHED)


@pytest.fixture
def held(cluster: Cluster) -> Callable[[], int]:
    """How many connections there are more than at the beginning."""
    before = connections(cluster).total()
    return lambda: connections(cluster).total() - before


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """Agents leave word for their workers there."""
    with patch.dict(os.environ):
        yield


def agent(endpoints: str, job: str, **options: str) -> RaftkvRendezvous:
    given = {"node": "a", "last_call_timeout": "0"} | options
    return create_handler(RendezvousParameters("raftkv", endpoints, job, 1, 1, **given))


def serving(cluster: Cluster, before: Counter[str]) -> Node:
    """The node that the new connection is to."""
    (name,) = connections(cluster) - before
    return next(node for node in cluster.nodes if node.name == name)


def test_agent_holds_one_connection_for_all_that_it_does(cluster: Cluster, endpoints: str, held: Callable[[], int]) -> None:
    handlers = [agent(endpoints, f"alone-{number}") for number in range(4)]
    for rounds in range(2):
        for handler in handlers:
            info = handler.next_rendezvous()
            assert info.store.add("rounds", 1) == 1, "a store for each round"
            assert handler.num_nodes_waiting() == 0
        assert held() == len(handlers), f"in round {rounds + 1}"
    assert all(handler.shutdown() for handler in handlers)
    cluster.wait_until(lambda: held() == 0, "no connection is left")


def test_agent_whose_node_dies_goes_on_at_another(cluster: Cluster, endpoints: str, held: Callable[[], int]) -> None:
    before = connections(cluster)
    handler = agent(endpoints, "bereft", ttl="5")
    info = handler.next_rendezvous()
    node = serving(cluster, before)
    node.kill()
    try:
        assert [info.store.add("n", 1) for _ in range(3)] == [1, 2, 3]
        cluster.wait_until(lambda: connections(cluster)[node.name] == 0, "all have left it")
        assert handler.num_nodes_waiting() == 0, "it is in its round"
        assert handler.next_rendezvous().store.add("n", 1) == 1
    finally:
        node.start()
        cluster.wait_ready()
    assert handler.shutdown()
    cluster.wait_until(lambda: held() <= 0, "no connection is left")


def test_heartbeats_come_through_beside_large_values_and_waits(endpoints: str) -> None:
    handler = agent(endpoints, "crowded", ttl="2")
    info = handler.next_rendezvous()
    with BlockingClient(endpoints.split(","), timeout=20) as client:
        job = client.rendezvous("crowded")
        token = job.look().token
        info.store.multi_set([f"large/{number}" for number in range(40)], [LARGE] * 40)
        for _ in range(2):
            assert len(info.store.multi_get([f"large/{number}" for number in range(40)])) == 40
        with pytest.raises(dist.DistStoreError):
            info.store.wait(["never"], info.store.timeout * 0)
        standing = job.look()
    assert (standing.phase, standing.token) == (pb.FORMED, token), "nobody took the node for dead"
    assert handler.shutdown()


def test_store_and_server_close_in_any_order(cluster: Cluster, endpoints: str, held: Callable[[], int]) -> None:
    for number, order in enumerate((("store", "server"), ("server", "store"), ("store", "store"))):
        server = StoreServer(Access(endpoints), Namespace("orders", str(number)))
        store = server.store()
        clone = store.clone()
        store.set("a", "1")
        assert (clone.get("a"), server.store(), held()) == (b"1", store, 1)
        closing = {"store": store.close, "server": server.close}
        for one in order:
            closing[one]()
        with pytest.raises(dist.DistStoreError):
            clone.get("a")
        cluster.wait_until(lambda: held() == 0, "no connection is left")


def test_agent_that_comes_when_its_job_is_over_is_told_so(endpoints: str, capsys: pytest.CaptureFixture[str]) -> None:
    first, late = agent(endpoints, "done"), agent(endpoints, "done", node="b")
    first.next_rendezvous()
    assert first.shutdown()
    with pytest.raises(SystemExit) as ended:
        late.next_rendezvous()
    assert (ended.value.code, late.shutdown()) == (0, True)
    assert "job done is closed (succeeded): all nodes succeeded. A job that has ended stays ended" in capsys.readouterr().err
    closed = agent(endpoints, "stopped")
    closed.next_rendezvous()
    closed.set_closed()
    with pytest.raises(RendezvousClosedError, match=r"closed by an agent\. A job that has ended stays ended"):
        closed.next_rendezvous()
    assert closed.shutdown()


def test_handler_shuts_down_whatever_was_closed_before(endpoints: str) -> None:
    handler = agent(endpoints, "untidy")
    handler.next_rendezvous().store.close()
    assert handler.shutdown()
    assert agent(endpoints, "untouched").shutdown(), "one that never joined"


def test_forked_child_leaves_the_agent_alone(endpoints: str) -> None:
    handler = agent(endpoints, "forked")
    info = handler.next_rendezvous()
    info.store.set("a", "1")
    child = os.fork()
    if not child:
        signal.alarm(20)
        try:
            info.store.get("a")
        except dist.DistStoreError:
            os._exit(0 if not handler.shutdown() and not handler.is_closed() else 3)
        os._exit(4)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert info.store.get("a") == b"1"
    with BlockingClient(endpoints.split(",")) as client:
        assert client.rendezvous("forked").look().phase == pb.FORMED
    assert handler.shutdown()
