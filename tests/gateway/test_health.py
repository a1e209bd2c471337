"""The pages of a node, over a replica that is told what to answer."""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from raftkv.errors import RequestTimeoutError
from raftkv.gateway.health import Health
from raftkv.metrics.health import HealthCounts
from raftkv.pb.rpc import CORRUPT, NOSPACE
from raftkv.reply import Reply
from tests.gateway.running import Running, StartGateway

OK = '{"health":"true","reason":""}'


class FakeReplica:
    """A node in a state of the test's choice."""

    def __init__(self) -> None:
        self.machine = SimpleNamespace(alarms=set(), cluster_version="")
        self.leader = 1
        self.is_learner = False
        self.has_quorum = True

    def read_local(self, work: Callable[[], Any]) -> Reply[Any]:
        reply: Reply[Any] = Reply()
        reply.set_result(work())
        return reply

    def read(self, work: Callable[[], Any]) -> Reply[Any]:
        reply: Reply[Any] = Reply()
        if self.has_quorum:
            reply.set_result(work())
        else:
            reply.set_exception(RequestTimeoutError())
        return reply


@pytest.fixture
def replica() -> FakeReplica:
    return FakeReplica()


@pytest.fixture
async def node(start_gateway: StartGateway, replica: Any) -> Running:
    return await start_gateway(pages=dict(Health(replica, HealthCounts()).pages()))


def unhealthy(reason: str) -> tuple[int, str]:
    return 503, f'{{"health":"false","reason":"{reason}"}}\n'


async def test_a_node_that_answers_reads_is_healthy(node: Running) -> None:
    for path in ("/health", "/health?serializable=true", "/health?exclude=NOSPACE"):
        assert await node.get(path) == (200, OK)


async def test_an_alarm_is_unhealthy_unless_it_is_excluded(node: Running, replica: FakeReplica) -> None:
    replica.machine.alarms = {(1, NOSPACE)}
    assert await node.get("/health") == unhealthy("ALARM NOSPACE")
    assert await node.get("/health?serializable=true") == unhealthy("ALARM NOSPACE")
    assert await node.get("/health?exclude=CORRUPT&exclude=NOSPACE") == (200, OK)
    replica.machine.alarms = {(1, NOSPACE), (2, CORRUPT)}
    assert await node.get("/health?exclude=NOSPACE") == unhealthy("ALARM CORRUPT")


async def test_a_node_without_a_leader_is_unhealthy_but_for_itself(node: Running, replica: FakeReplica) -> None:
    replica.leader = 0
    assert await node.get("/health") == unhealthy("RAFT NO LEADER")
    assert await node.get("/health?serializable=true") == (200, OK)


async def test_a_node_without_a_quorum_says_which_read_failed(node: Running, replica: FakeReplica) -> None:
    replica.has_quorum = False
    assert await node.get("/health") == unhealthy("RANGE ERROR:etcdserver: request timed out")
    assert await node.get("/livez") == (200, "ok\n")
    status, text = await node.get("/readyz")
    assert status == 503
    assert "[-]linearizable_read failed: etcdserver: request timed out\n" in text
    assert "[+]serializable_read ok\n" in text
    assert await node.get("/readyz?exclude=linearizable_read") == (200, "ok\n")
    assert (await node.get("/readyz/linearizable_read")).status == 503
    assert await node.get("/readyz/serializable_read") == (200, "ok\n")


async def test_verbose_lists_every_check(node: Running) -> None:
    assert await node.get("/livez?verbose") == (200, "[+]serializable_read ok\nok\n")
    checks = ("data_corruption", "linearizable_read", "non_learner", "serializable_read")
    assert await node.get("/readyz?verbose") == (200, "".join(f"[+]{check} ok\n" for check in checks) + "ok\n")


async def test_corruption_is_not_ready_but_alive(node: Running, replica: FakeReplica) -> None:
    replica.machine.alarms = {(1, CORRUPT)}
    assert (await node.get("/livez")).status == 200
    status, text = await node.get("/readyz/data_corruption")
    assert (status, text.strip()) == (503, "[-]data_corruption failed: alarm activated: CORRUPT")


async def test_a_learner_is_not_ready(node: Running, replica: FakeReplica) -> None:
    replica.is_learner = True
    assert (await node.get("/readyz/non_learner")).status == 503


async def test_only_get_is_answered_and_only_known_checks(node: Running) -> None:
    for path in ("/health", "/livez", "/readyz/non_learner", "/version"):
        assert (await node.get(path, "POST")).status == 405
        assert (await node.get(path, "HEAD")).status == 405
    assert (await node.get("/readyz/other")).status == 404


async def test_the_version_is_that_of_the_api(node: Running, replica: FakeReplica) -> None:
    assert json.loads((await node.get("/version")).body) == {
        "etcdserver": "3.5.21",
        "etcdcluster": "3.5.0",
        "storage": "3.5.0",
    }
    replica.machine.cluster_version = "3.6.0"
    assert json.loads((await node.get("/version")).body)["etcdcluster"] == "3.6.0"
