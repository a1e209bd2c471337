"""TCPStore at an endpoint of raftkv beside torch's own server, by torch's own client: `python -m benchmarks.stores` (needs torch).

Clients are threads of a few processes, for torch's client gives up the interpreter's lock while it waits. Each operation that
has an answer is timed; `set` has none, so each is followed by a `check` of its key, which is answered when the set is done.
"""

import argparse
import multiprocessing
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch.distributed as dist

from benchmarks.section import write_section
from raftkv.clock import SystemClock
from tests.harness.raftkv import RaftkvCluster
from tests.torch.endpoint import endpoint

PROCESSES = 4
TIMEOUT = timedelta(seconds=60)
CLOCK = SystemClock()
DOCUMENT = Path(__file__).parent.parent / "docs" / "torch.md"

Operation = Callable[[Any, int, int], None]


def _set(store: Any, client: int, step: int) -> None:
    store.set(f"{client}/{step}", "x" * 64)
    store.check([f"{client}/{step}"])


def _get(store: Any, client: int, step: int) -> None:
    if not step:
        store.set(f"{client}/0", "x" * 64)
    store.get(f"{client}/0")


def _add(store: Any, client: int, step: int) -> None:
    del client, step
    store.add("sum", 1)


def _wait(store: Any, client: int, step: int) -> None:
    """Each waits for what its partner sets: a hand-over there and one back."""
    partner = client ^ 1
    if client < partner:
        store.set(f"there/{client}/{step}", "")
        store.wait([f"back/{partner}/{step}"])
    else:
        store.wait([f"there/{partner}/{step}"])
        store.set(f"back/{client}/{step}", "")


OPERATIONS: dict[str, Operation] = {"set": _set, "get": _get, "add": _add, "wait": _wait}
LABELS = {"set": "set, then check", "get": "get", "add": "add", "wait": "wait, handed over and back"}


def _client(store: Any, client: int, operation: str, count: int, seen: list[float]) -> None:
    work = OPERATIONS[operation]
    for step in range(count):
        begun = CLOCK.now()
        work(store, client, step)
        seen.append(CLOCK.now() - begun)


def _process(port: int, clients: list[int], work: tuple[str, int], together: Any, results: Any) -> None:
    """`work`: an operation, and how often each client does it. All are connected before any of them begins."""
    seen: list[float] = []
    stores = [dist.TCPStore("127.0.0.1", port, is_master=False, timeout=TIMEOUT, wait_for_workers=False) for _ in clients]
    together.wait()
    pairs = zip(stores, clients, strict=True)
    threads = [threading.Thread(target=_client, args=(store, client, *work, seen)) for store, client in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put((seen, CLOCK.now()))


def measure(port: int, operation: str, clients: int, count: int) -> tuple[float, float, float]:
    """Operations in a second, and the median and 99th percentile of their times, in milliseconds."""
    context = multiprocessing.get_context("spawn")
    together, results = context.Barrier(PROCESSES + 1), context.Queue()
    parts = [list(range(number * 2, clients, PROCESSES * 2)) for number in range(PROCESSES)]
    parts = [[client for first in part for client in (first, first + 1)] for part in parts]
    processes = [context.Process(target=_process, args=(port, part, (operation, count), together, results)) for part in parts]
    for process in processes:
        process.start()
    together.wait()
    begun = CLOCK.now()
    parts_seen = [results.get() for _ in processes]
    times = sorted(each for seen, _ in parts_seen for each in seen)
    for process in processes:
        process.join()
    rate = len(times) / (max(end for _, end in parts_seen) - begun)
    return rate, 1000 * times[len(times) // 2], 1000 * times[len(times) * 99 // 100]


@contextmanager
def own_server(_name: str) -> Iterator[int]:
    """Torch's, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    port, end = context.SimpleQueue(), context.Event()
    process = context.Process(target=_serve, args=(port, end))
    process.start()
    yield port.get()
    end.set()
    process.join()


def _serve(port: Any, end: Any) -> None:
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, timeout=TIMEOUT, wait_for_workers=False)
    port.put(store.port)
    end.wait()


def main() -> None:
    """Prints a table; with --write it goes to docs/torch.md as well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--count", type=int, default=100, help="operations of each client")
    parser.add_argument("--write", action="store_true", help="put the table into docs/torch.md")
    options = parser.parse_args()
    lines = [
        f"{options.clients} clients, {options.count} operations each; {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f} at the beginning.",
        "",
        "| | torch, per second | p50 ms | p99 ms | raftkv, per second | p50 ms | p99 ms |",
        "|---|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as folder, RaftkvCluster(Path(folder), size=3) as cluster:
        for name in OPERATIONS:
            cells: list[str] = []
            for serve in (own_server, lambda job: endpoint(",".join(cluster.endpoints), job)):
                with serve(name) as port:
                    rate, median, tail = measure(port, name, options.clients, options.count)
                    cells += [f"{rate:,.0f}", f"{median:.2f}", f"{tail:.2f}"]
            lines.append(f"| {LABELS[name]} | {' | '.join(cells)} |")
    print("\n".join(lines))
    if options.write:
        write_section(DOCUMENT, "stores", "\n".join(lines))


if __name__ == "__main__":
    main()
