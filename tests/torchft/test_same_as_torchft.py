"""torchft's client tells no difference between torchft's own lighthouse and the cluster's."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from torchft.coordination import LighthouseClient, LighthouseServer

from tests.harness.raftkv import RaftkvCluster
from tests.torchft.address import lighthouse, set_options

OPTIONS = {"min_replicas": 2, "join_timeout_ms": 1000, "heartbeat_timeout_ms": 1500}
PATIENCE = timedelta(seconds=20)
Seen = tuple[int, list[tuple[str, str, str, int, int, Any]]]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RaftkvCluster]:
    with RaftkvCluster(tmp_path_factory.mktemp("cluster"), size=3) as cluster:
        yield cluster


class Groups:
    """Replica groups, each with a client of its own."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses
        self._clients: dict[str, LighthouseClient] = {}
        self._threads = ThreadPoolExecutor()
        self.seen: list[list[Seen | str]] = []

    def _client(self, group: str) -> LighthouseClient:
        if group not in self._clients:
            address = self._addresses[len(self._clients) % len(self._addresses)]
            self._clients[group] = LighthouseClient(address, PATIENCE)
        return self._clients[group]

    def _ask(self, group: str, patience: timedelta, **more: Any) -> Seen | str:
        try:
            quorum = self._client(group).quorum(
                group, patience, address=f"http://{group}", store_address=f"{group}:1", world_size=2, **more
            )
        except (TimeoutError, RuntimeError):
            return "nothing"
        members = [(m.replica_id, m.address, m.store_address, m.step, m.world_size, m.data) for m in quorum.participants]
        return quorum.quorum_id, members

    def ask(self, *turns: str, impatient: str = "", **more: Any) -> None:
        """All of a turn ask at once, and those of the next turn when these are heard of; the impatient ones for a moment only."""
        calls: dict[str, Future[Seen | str]] = {}
        for group in "".join(turns):
            self._client(group).heartbeat(group)
        for turn in turns:
            for group in turn:
                patience = timedelta(seconds=2) if group in impatient else PATIENCE
                calls[group] = self._threads.submit(self._ask, group, patience, **more)
            for group in turn * 50:
                self._client(group).heartbeat(group)
        while wait(calls.values(), 0.2).not_done:
            for group, call in calls.items():
                if not call.done():
                    self._client(group).heartbeat(group)
        self.seen.append([call.result() for call in calls.values()])


def come_and_go(groups: Groups) -> None:
    groups.ask("ab", step=0)
    groups.ask("ab", step=1, data={"lr": 0.1})
    groups.ask("c", "ab", step=2)
    groups.ask("abc", step=3)
    groups.ask("ab", step=4)  # c is silent
    groups.ask("a", step=5, impatient="a")  # one is too few


def shrink_only(groups: Groups) -> None:
    groups.ask("ab", step=0)
    groups.ask("c", "ab", step=1, impatient="c", shrink_only=True)


@pytest.mark.parametrize("scenario", [come_and_go, shrink_only])
def test_the_same_calls_have_the_same_answers(cluster: RaftkvCluster, scenario: Callable[[Groups], None]) -> None:
    def seen(*addresses: str) -> list[list[Seen | str]]:
        groups = Groups(*addresses)
        scenario(groups)
        return groups.seen

    theirs = LighthouseServer(bind="[::]:0", **OPTIONS)
    try:
        expected = seen(f"http://127.0.0.1:{theirs.address().rpartition(':')[2]}")
    finally:
        theirs.shutdown()
    members = [(group, f"http://{group}", f"{group}:1", 0, 2, None) for group in "ab"]
    assert expected[0] == [(1, members), (1, members)]
    for job in (f"{scenario.__name__}-nodes", f"{scenario.__name__}-beside"):
        set_options(cluster.endpoints[0], job, **OPTIONS)
    assert seen(*(f"http://{scenario.__name__}-nodes@{endpoint}" for endpoint in cluster.endpoints)) == expected
    with lighthouse(",".join(cluster.endpoints), f"{scenario.__name__}-beside") as address:
        assert seen(address) == expected


def test_jobs_know_nothing_of_each_other(cluster: RaftkvCluster) -> None:
    one, other = (LighthouseClient(f"http://{job}@{cluster.endpoints[0]}", PATIENCE) for job in ("one", "other"))
    assert [member.replica_id for member in one.quorum("x", PATIENCE).participants] == ["x"]
    found = other.quorum("y", PATIENCE)
    assert (found.quorum_id, [member.replica_id for member in found.participants]) == (1, ["y"])


def test_calls_wait_out_the_death_of_the_node_that_they_were_made_at(tmp_path: Path) -> None:
    with RaftkvCluster(tmp_path, size=3) as cluster, lighthouse(",".join(cluster.endpoints), "job") as address:
        set_options(cluster.endpoints[0], "job", min_replicas=2)
        clients = [LighthouseClient(address, PATIENCE) for _ in "ab"]
        with ThreadPoolExecutor() as threads:
            first = threads.submit(clients[0].quorum, "a", PATIENCE)
            clients[0].heartbeat("a")
            cluster.leader().kill()
            second = threads.submit(clients[1].quorum, "b", PATIENCE)
            assert first.result().quorum_id == second.result().quorum_id == 1
