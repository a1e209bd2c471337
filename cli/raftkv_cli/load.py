"""The load that `raftkv check` puts on a cluster: so many writers, at a steady rate or as fast as they can."""

import asyncio
import re
import urllib.request
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from math import sqrt
from random import SystemRandom
from typing import Any

import click

from raftkv.client import Client
from raftkv.errors import RaftKVError
from raftkv_cli.session import Session

WRITERS_PER_CLIENT = 100
"""A client has at most 128 writes under way."""
MEMORY = re.compile(r"^process_resident_memory_bytes (\S+)$", re.MULTILINE)


@dataclass(slots=True)
class Figures:
    """What was measured. Failed writes count as errors alone."""

    seconds: float = 0.0
    writes: int = 0
    slowest_s: float = 0.0
    errors: Counter[str] = field(default_factory=Counter)
    _sum_s: float = 0.0
    _squares: float = 0.0

    def note(self, seconds: float) -> None:
        """One more write has been answered."""
        self.writes += 1
        self.slowest_s = max(self.slowest_s, seconds)
        self._sum_s += seconds
        self._squares += seconds * seconds

    @property
    def rate(self) -> float:
        """Writes per second."""
        return self.writes / self.seconds if self.seconds else 0.0

    @property
    def deviation_s(self) -> float:
        """The standard deviation of the latencies."""
        if not self.writes:
            return 0.0
        mean = self._sum_s / self.writes
        return sqrt(max(0.0, self._squares / self.writes - mean * mean))


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is written: under a prefix that has no keys, at a steady rate for some time, or as fast as can be."""

    prefix: bytes
    key_bytes: int
    value_bytes: int
    writers: int
    rate: int = 0
    """Writes per second, for `seconds`; 0: as fast as can be."""
    seconds: int = 0
    writes: int = 0
    """How many in all, where there is no rate."""

    @property
    def total(self) -> int:
        """How many writes it comes to."""
        return self.rate * self.seconds or self.writes

    async def run(self, session: Session, bar: Any) -> Figures:
        """Writes, and answers how that went. Raises click.UsageError when there are keys under the prefix."""
        shown = self.prefix.decode("utf-8", "backslashreplace")
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(session.client()) for _ in range(-(-self.writers // WRITERS_PER_CLIENT))]
            if (await clients[0].range(self.prefix, prefix=True, limit=1, keys_only=True)).kvs:
                raise click.UsageError(f'prefix "{shown}" has keys. Delete with "raftkv del --prefix {shown}" first')
            stack.enter_context(bar)
            run = _Run(self, bar)
            async with asyncio.TaskGroup() as tasks:
                for writer in range(self.writers):
                    tasks.create_task(run.write(clients[writer % len(clients)]))
            return run.finished()


class _Run:
    """A load being put on. The writers take turns at one clock, so a late answer delays one of them, not the rate."""

    def __init__(self, load: Load, bar: Any) -> None:
        self._load = load
        self._bar = bar
        self._random = SystemRandom()
        self._loop = asyncio.get_running_loop()
        self._begun = self._loop.time()
        self._next = 0
        self._figures = Figures()

    def finished(self) -> Figures:
        """What was measured."""
        self._figures.seconds = self._loop.time() - self._begun
        return self._figures

    async def write(self, client: Client) -> None:
        """One writer: takes the next write when it is due, until there is none left, or no time."""
        load = self._load
        value = bytes(load.value_bytes)
        while (number := self._next) < load.total:
            self._next += 1
            if load.rate:
                await asyncio.sleep(max(0.0, self._begun + number / load.rate - self._loop.time()))
                if self._loop.time() - self._begun > load.seconds:
                    return
            await self._put(client, value)
            if not load.rate or number % load.rate == load.rate - 1:
                self._bar.update(1)

    async def _put(self, client: Client, value: bytes) -> None:
        key = self._load.prefix + self._random.randbytes(self._load.key_bytes)
        sent = self._loop.time()
        try:
            await client.put(key, value)
        except RaftKVError as error:
            self._figures.errors[str(error)] += 1
        else:
            self._figures.note(self._loop.time() - sent)


async def resident_memory(session: Session, when: str) -> float:
    """The bytes of memory that the first endpoint's process says it has, from its metrics."""
    endpoint = session.settings.endpoint_list()[0]
    url = endpoint if "://" in endpoint else f"http://{endpoint}"
    try:
        text = await asyncio.to_thread(_fetch, f"{url}/metrics", session)
    except OSError as error:
        raise click.ClickException(f"cannot read {url}/metrics: {error}") from error
    found = MEMORY.search(text)
    if found is None:
        raise click.ClickException(f"Could not read process_resident_memory_bytes {when} the put operations.")
    return float(found[1])


def _fetch(url: str, session: Session) -> str:
    context = session.tls_context() if url.startswith("https:") else None
    with urllib.request.urlopen(url, timeout=session.settings.command_timeout, context=context) as answer:  # noqa: S310 - http(s)
        text: bytes = answer.read()
    return text.decode()
