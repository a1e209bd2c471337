"""Torch's client while the leader of the cluster is killed -9: nothing is lost, nothing is counted twice, nobody is told."""

import itertools
import threading
from datetime import timedelta

import torch.distributed as dist

from tests.harness.cluster import Cluster
from tests.torch.agents import kill_leader
from tests.torch.endpoint import endpoint

CLIENTS = 4
ROUNDS = 75
TIMEOUT = timedelta(seconds=60)


def work(port: int, number: int, sums: list[int], under_way: threading.Barrier) -> None:
    store = dist.TCPStore("127.0.0.1", port, is_master=False, timeout=TIMEOUT)
    for step in range(ROUNDS):
        if step == ROUNDS // 3:
            under_way.wait()
        store.set(f"{number}/{step}", str(step))
        sums.append(store.add("sum", 1))
        store.append("log", "x")
        store.queue_push("queue", f"{number}/{step}")
    store.set(f"done/{number}", "")


def test_every_operation_is_applied_once(cluster: Cluster, endpoints: str) -> None:
    with endpoint(endpoints, "killed") as one, endpoint(endpoints, "killed") as other:
        sums: list[list[int]] = [[] for _ in range(CLIENTS)]
        under_way = threading.Barrier(CLIENTS + 1)
        threads = [
            threading.Thread(target=work, args=((one, other)[number % 2], number, sums[number], under_way))
            for number in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        under_way.wait()
        kill_leader(cluster)
        for thread in threads:
            thread.join()
        store = dist.TCPStore("127.0.0.1", one, is_master=False, timeout=TIMEOUT)
        store.wait([f"done/{number}" for number in range(CLIENTS)])
        assert sorted(itertools.chain.from_iterable(sums)) == list(range(1, CLIENTS * ROUNDS + 1))
        assert store.get("log") == b"x" * (CLIENTS * ROUNDS)
        assert store.multi_get([f"3/{step}" for step in range(ROUNDS)]) == [b"%d" % step for step in range(ROUNDS)]
        items = [store.queue_pop("queue").decode() for _ in range(store.queue_len("queue"))]
        for number in range(CLIENTS):
            mine = [item for item in items if item.startswith(f"{number}/")]
            assert mine == [f"{number}/{step}" for step in range(ROUNDS)]


def test_wait_goes_on_while_the_leader_changes(cluster: Cluster, endpoints: str) -> None:
    with endpoint(endpoints, "waited") as port:
        clients = [dist.TCPStore("127.0.0.1", port, is_master=False, timeout=TIMEOUT) for _ in range(2)]
        waiting = threading.Thread(target=lambda: clients[0].set("seen", clients[0].get("late")))
        waiting.start()
        kill_leader(cluster)
        clients[1].set("late", "1")
        assert clients[1].get("seen") == b"1"
        waiting.join()
