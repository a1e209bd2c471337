"""`python -m benchmarks.soak`: hours of moderate load on three nodes. Does anything grow that should not?

Writes, reads, watches, leases, locks and training jobs come and go all the time, from clients that come and go as well; keys are
overwritten and compacted, so the store's size settles. Every `--every` seconds it notes each node's memory, descriptors and threads.
Flat is what the last half of the run says: the slope of a line through its samples, as growth in an hour.
"""

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.machine import cpu_seconds, resident_bytes
from raftkv.client import Client
from raftkv.clock import SystemClock
from raftkv.errors import RaftKVError
from raftkv.pb.rendezvous import JobSettings
from tests.harness.cluster import Cluster
from tests.harness.raftkv import RaftkvCluster

CLOCK = SystemClock()
KEYS, VALUE = 5_000, b"v" * 256
NODE_OPTIONS = {"auto-compaction-mode": "revision", "auto-compaction-retention": "20000"}
FLAT_MIB_IN_AN_HOUR = 16.0
HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at one node."""

    at_s: float
    node: str
    resident_mib: float
    descriptors: int
    threads: int
    cpu_s: float


class Work:
    """What clients do all the time, counted by kind."""

    def __init__(self, endpoints: Sequence[str], rng: random.Random, *, per_second: float) -> None:
        self._endpoints = list(endpoints)
        self._rng = rng
        self._pause = 1.0 / per_second
        self.done: dict[str, int] = {}
        self.failed: dict[str, int] = {}

    async def run(self) -> None:
        """Until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._repeat("put or get", self._put_or_get, self._pause))
            tasks.create_task(self._repeat("transaction", self._transaction, self._pause * 5))
            tasks.create_task(self._repeat("watch", self._watch, self._pause * 20))
            tasks.create_task(self._repeat("lease", self._lease, self._pause * 10))
            tasks.create_task(self._repeat("lock", self._lock, self._pause * 20))
            tasks.create_task(self._repeat("job", self._job, self._pause * 100))
            tasks.create_task(self._repeat("new connection", self._connect, self._pause * 50))

    async def _repeat(self, kind: str, work: Callable[[Client], Awaitable[None]], pause: float) -> None:
        async with Client(self._endpoints, timeout=10.0) as client:
            while True:
                try:
                    await work(client)
                except RaftKVError as error:
                    self.failed[f"{kind}: {type(error).__name__}"] = self.failed.get(f"{kind}: {type(error).__name__}", 0) + 1
                else:
                    self.done[kind] = self.done.get(kind, 0) + 1
                await asyncio.sleep(self._rng.expovariate(1 / pause))

    def _key(self) -> str:
        return f"soak/{self._rng.randrange(KEYS)}"

    async def _put_or_get(self, client: Client) -> None:
        if self._rng.random() < 0.5:
            await client.put(self._key(), VALUE)
        else:
            await client.get(self._key())

    async def _transaction(self, client: Client) -> None:
        await client.counter("soak-counter").add(1)

    async def _watch(self, client: Client) -> None:
        key = self._key()
        async with client.watch(key) as watch:
            await client.put(key, VALUE)
            await watch.next()

    async def _lease(self, client: Client) -> None:
        """Half of them are left to their end."""
        granted = await client.lease_grant(5)
        await client.put(f"soak-lease/{granted.ID}", VALUE, lease=granted.ID)
        if self._rng.random() < 0.5:
            await client.lease_revoke(granted.ID)

    async def _lock(self, client: Client) -> None:
        async with client.lock(f"soak-lock/{self._rng.randrange(10)}", ttl=10):
            pass

    async def _job(self, client: Client) -> None:
        job = client.rendezvous(f"soak-{self._rng.randrange(1_000_000)}")
        settings = JobSettings(min_nodes=1, max_nodes=1)
        async with job.participant("node", settings, address="127.0.0.1:1") as node:
            await node.next_round(timeout=10)
            await node.progress(step=1)
            await node.succeed()
        await job.remove()

    async def _connect(self, client: Client) -> None:
        del client
        async with Client(self._endpoints) as fresh:
            await fresh.get(self._key())


def look(cluster: Cluster, at_s: float) -> list[Sample]:
    """Every node, from outside."""
    samples = []
    for node in cluster.nodes:
        pid = node.process.pid
        process = Path(f"/proc/{pid}")
        samples.append(
            Sample(
                at_s=round(at_s, 1),
                node=node.name,
                resident_mib=round(resident_bytes(pid) / 2**20, 1),
                descriptors=len(list((process / "fd").iterdir())),
                threads=len(list((process / "task").iterdir())),
                cpu_s=cpu_seconds(pid),
            )
        )
    return samples


async def soak(cluster: Cluster, work: Work, *, seconds: float, every: float, told: Callable[[str], object]) -> list[Sample]:
    """Works for so long, and looks now and then."""
    samples: list[Sample] = []
    started_at = CLOCK.now()
    working = asyncio.get_running_loop().create_task(work.run())
    try:
        while (at := CLOCK.now() - started_at) < seconds:
            if working.done():
                working.result()
            samples += (seen := look(cluster, at))
            memory = ", ".join(f"{sample.node} {sample.resident_mib:.0f} MiB {sample.descriptors} fds" for sample in seen)
            told(
                f"{at:6.0f} s of {seconds:.0f}: {sum(work.done.values()):,} done, {sum(work.failed.values())} failed; {memory}"
            )
            await asyncio.sleep(every)
    finally:
        working.cancel()
        await asyncio.wait([working])
    return samples


def growth(samples: Sequence[Sample], of: Callable[[Sample], float]) -> float:
    """In an hour, by a line through the last half of one node's samples."""
    late = samples[len(samples) // 2 :]
    if len(late) < 2:
        return 0.0
    return statistics.linear_regression([sample.at_s for sample in late], [of(sample) for sample in late]).slope * HOUR_S


def report(samples: Sequence[Sample], work: Work) -> tuple[str, bool]:
    """A Markdown table, and whether everything was flat."""
    lines = [
        "| node | MiB at first | half way | at last | growth in an hour | descriptors at first, at last | threads | CPU |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    flat = True
    for node in sorted({sample.node for sample in samples}):
        mine = [sample for sample in samples if sample.node == node]
        first, half, last = mine[0], mine[len(mine) // 2], mine[-1]
        memory = growth(mine, lambda sample: sample.resident_mib)
        descriptors = growth(mine, lambda sample: sample.descriptors)
        flat = flat and memory < FLAT_MIB_IN_AN_HOUR and descriptors < len(mine)
        share = (last.cpu_s - first.cpu_s) / max(1.0, last.at_s - first.at_s)
        lines.append(
            f"| {node} | {first.resident_mib:.0f} | {half.resident_mib:.0f} | {last.resident_mib:.0f} | {memory:+.1f} "
            f"| {first.descriptors}, {last.descriptors} | {last.threads} | {share:.0%} |"
        )
    done = ", ".join(f"{count:,} x {kind}" for kind, count in sorted(work.done.items()))
    failed = ", ".join(f"{count} x {kind}" for kind, count in sorted(work.failed.items())) or "none"
    lines += ["", f"In {samples[-1].at_s:,.0f} s: {done}. Failures: {failed}."]
    return "\n".join(lines), flat


def main() -> int:
    """Exit status 1 where something grew or failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=HOUR_S)
    parser.add_argument("--every", type=float, default=30.0, help="seconds between two looks (default 30)")
    parser.add_argument(
        "--rate", type=float, default=50.0, help="puts and gets in a second; all else in proportion (default 50)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--samples", type=Path, help="where every look goes, as JSON lines")
    options = parser.parse_args()

    def told(line: str) -> None:
        sys.stderr.write(f"{line}\n")

    with (
        tempfile.TemporaryDirectory(prefix="raftkv-soak-") as folder,
        RaftkvCluster(Path(folder) / "cluster", size=3, options=NODE_OPTIONS) as cluster,
    ):
        work = Work(cluster.endpoints, random.Random(options.seed), per_second=options.rate)
        samples = asyncio.run(soak(cluster, work, seconds=options.seconds, every=options.every, told=told))
    if options.samples is not None:
        options.samples.write_text("".join(f"{json.dumps(asdict(sample))}\n" for sample in samples))
    text, flat = report(samples, work)
    print(text)
    return 0 if flat and not work.failed else 1


if __name__ == "__main__":
    sys.exit(main())
