"""How long a round takes to form: torchrun's handlers over c10d, over a blob in etcd and over raftkv (needs torch).

    python -m benchmarks.rendezvous --members 16 64 256 1000 --write

Each member is a handler in a thread of a few processes, as torchrun would have one on each node. All begin at the same moment;
a round has formed when the last of them has its rank. raftkv's handlers have also opened their store and their endpoint then.
"""

import argparse
import multiprocessing
import os
import statistics
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from queue import Empty
from typing import Any

import torch.distributed as dist
from torch.distributed.elastic.rendezvous import RendezvousHandler, RendezvousParameters
from torch.distributed.elastic.rendezvous.c10d_rendezvous_backend import C10dRendezvousBackend
from torch.distributed.elastic.rendezvous.dynamic_rendezvous import create_handler as create_dynamic

from benchmarks.blob_backend import BlobBackend
from benchmarks.section import write_section
from benchmarks.stores import own_server
from raftkv.clock import SystemClock
from raftkv.torch.handler import create_handler
from tests.harness.etcd import EtcdCluster
from tests.harness.raftkv import RaftkvCluster

PROCESSES = 4
LIMIT_S = 180.0
DOCUMENT = Path(__file__).parent.parent / "docs" / "torch.md"
CLOCK = SystemClock()

Make = Callable[[RendezvousParameters, int], RendezvousHandler]
"""A handler; the port is that of torch's own store."""


def over_c10d(parameters: RendezvousParameters, port: int) -> RendezvousHandler:
    """The one of torch itself, in the store of rank 0's host."""
    store = _store(port)
    return create_dynamic(store, C10dRendezvousBackend(store, parameters.run_id), parameters)


def over_etcd(parameters: RendezvousParameters, port: int) -> RendezvousHandler:
    """The same algorithm, with its state in a cluster that survives."""
    return create_dynamic(_store(port), BlobBackend(parameters.endpoint, parameters.run_id), parameters)


def over_raftkv(parameters: RendezvousParameters, port: int) -> RendezvousHandler:
    """The algorithm in the state machine."""
    del port
    return create_handler(parameters)


def _store(port: int) -> dist.Store:
    return dist.TCPStore("127.0.0.1", port, is_master=False, timeout=timedelta(seconds=LIMIT_S), wait_for_workers=False)


@dataclass(frozen=True, slots=True)
class Crowd:
    """Who forms a round, and over what."""

    make: Make
    endpoints: str
    port: int
    run: str
    members: int

    def handler(self, member: int) -> RendezvousHandler:
        """One of them."""
        size = self.members
        parameters = RendezvousParameters("bench", self.endpoints, self.run, size, size, "127.0.0.1", node=f"node-{member}")
        return self.make(parameters, self.port)


def form(crowd: Crowd) -> float | None:
    """Seconds, or None where they are more than the limit."""
    context = multiprocessing.get_context("spawn")
    together, ends = context.Barrier(PROCESSES + 1), context.Queue()
    processes = [
        context.Process(target=_members, args=(crowd, number, together, ends), daemon=True) for number in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    together.wait()
    begun = CLOCK.now()
    try:
        last: float = max(ends.get(timeout=max(0.0, begun + LIMIT_S - CLOCK.now())) for _ in processes)
    except Empty:
        return None
    finally:
        for process in processes:
            process.kill()
            process.join()
    return last - begun


def _members(crowd: Crowd, number: int, together: Any, ends: Any) -> None:
    """Every so-manieth of the members; says when the last of them has its rank."""
    handlers = [crowd.handler(member) for member in range(number, crowd.members, PROCESSES)]
    threads = [threading.Thread(target=handler.next_rendezvous, daemon=True) for handler in handlers]
    together.wait()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ends.put(CLOCK.now())
    threading.Event().wait()  # the parent ends this process


@contextmanager
def target(name: str) -> Iterator[tuple[Make, str, int]]:
    """What serves the rendezvous: how handlers are made, the cluster's endpoints, the port of torch's store."""
    with tempfile.TemporaryDirectory() as folder:
        if name == "raftkv":
            with RaftkvCluster(Path(folder), size=3) as raftkv:
                yield over_raftkv, ",".join(raftkv.endpoints), 0
            return
        with own_server(name) as port:
            if name == "c10d":
                yield over_c10d, "", port
                return
            with EtcdCluster(Path(folder), size=3) as etcd:
                yield over_etcd, ",".join(etcd.endpoints), port


def measure(name: str, members: int, times: int) -> str:
    """The median of so many rounds, in words."""
    with target(name) as (make, endpoints, port):
        seen = [form(Crowd(make, endpoints, port, f"run-{number}", members)) for number in range(times)]
    if None in seen:
        return f"more than {LIMIT_S:.0f}"
    return f"{statistics.median(took for took in seen if took is not None):.2f}"


TARGETS = {"c10d": 1000, "etcd-blob": 64, "raftkv": 1000}
"""Up to how many members each is measured with."""


def main() -> None:
    """Prints a table; with --write it goes to docs/torch.md as well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, nargs="+", default=[16, 64, 256, 1000])
    parser.add_argument("--times", type=int, default=3, help="rounds of which the median counts")
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--write", action="store_true", help="put the table into docs/torch.md")
    options = parser.parse_args()
    lines = [
        f"Seconds until a round has formed; the median of {options.times}; {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f} at the beginning.",
        "",
        f"| members | {' | '.join(options.targets)} |",
        f"|---|{'---|' * len(options.targets)}",
    ]
    for members in options.members:
        cells = [measure(name, members, options.times) if members <= TARGETS[name] else "" for name in options.targets]
        lines.append(f"| {members} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    print("\n".join(lines))
    if options.write:
        write_section(DOCUMENT, "rendezvous", "\n".join(lines))


if __name__ == "__main__":
    main()
