"""The course of a migration: copy, follow, cut over, compare."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import click

from raftkv.client import Client, Watch
from raftkv_cli.migration import MARKER
from raftkv_cli.migration.leases import LeaseMirror
from raftkv_cli.migration.plan import Change, revisions, steps
from raftkv_cli.migration.source import PAGE_KEYS, Source
from raftkv_cli.migration.target import Target

STEPS_AT_ONCE = 256
"""Revisions whose values are read in one go while copying."""

Report = Callable[[str, int, int], None]
"""What is being done, how much of it is done, and of how much."""


class Outcome(NamedTuple):
    """How a migration ended."""

    keys: int
    source_revision: int
    target_revision: int
    leases: int


class Migration:
    """One run, which may go on where an earlier one stopped."""

    def __init__(self, source: Client, target: Client, report: Report) -> None:
        self._source = Source(source)
        self._leases = LeaseMirror(source, target)
        self._target = Target(target, self._leases)
        self._report = report
        self._moved = asyncio.Event()
        """Set when more of the old cluster's changes are here."""

    async def run(self, cut_over: asyncio.Event, following: Callable[[int], None]) -> Outcome:
        """Copies, follows until `cut_over`, and compares. `following` is called once, with the number of keys copied."""
        await self._target.begin(await self._source.now())
        async with asyncio.TaskGroup() as tasks:
            leases = tasks.create_task(self._leases.keep())
            copied = await self._copy()
            following(copied)
            revision = await self._follow(cut_over)
            leases.cancel()
        await self._leases.renew(everything=True)
        keys = await self._compare(revision)
        await self._target.end()
        end = await Source(self._target.client).now()
        return Outcome(keys, revision, end.revision, self._leases.count)

    async def _copy(self) -> int:
        """Puts the keys as of the snapshot; answers how many there are."""
        snapshot = self._target.progress.snapshot
        if self._target.progress.at >= snapshot:
            return 0
        keys = await self._source.keys(snapshot)
        todo = list(steps(keys, self._target.progress.at))
        for first in range(0, len(todo), STEPS_AT_ONCE):
            some = todo[first : first + STEPS_AT_ONCE]
            values = await self._source.values([key for step in some for key in step.keys], snapshot)
            for step in some:
                await self._target.apply(step.revision, [Change(key, values[key]) for key in step.keys])
            self._report("copied", first + len(some), len(todo))
        await self._target.apply(snapshot, [])
        return len(keys)

    async def _follow(self, cut_over: asyncio.Event) -> int:
        """Applies what the old cluster changes, until everything is here that it had at the cut-over; answers its revision then."""
        watch = self._source.client.watch(b"\0", from_key=True, start_revision=self._target.progress.at + 1)
        async with watch, asyncio.TaskGroup() as tasks:
            reader = tasks.create_task(self._apply_all(watch))
            await _first_of(cut_over, reader)
            last = (await self._source.now()).revision
            while self._target.progress.at < last:  # every revision has its events
                self._moved.clear()
                await _first_of(self._moved, reader)
            reader.cancel()
        return last

    async def _apply_all(self, watch: Watch) -> None:
        async for revision, events, _ in watch:
            for step, changes in revisions(events):
                await self._target.apply(step, changes)
            self._moved.set()
            self._report("followed to revision", revision, revision)

    async def _compare(self, revision: int) -> int:
        """Reads both once more; answers how many keys there are. Raises click.ClickException where they differ."""
        count = 0
        first = b"\0"
        while True:
            old = await self._source.client.range(first, from_key=True, revision=revision, limit=PAGE_KEYS // 10)
            last = old.kvs[-1].key if old.more else b""
            new = await self._target.client.range(first, last + b"\0" if last else None, from_key=not last)
            here = {one.key: one.value for one in new.kvs if one.key != MARKER}
            there = {one.key: one.value for one in old.kvs}
            if here != there:
                key = min(key for key in here.keys() | there.keys() if here.get(key) != there.get(key))
                raise click.ClickException(
                    f"the clusters differ at key {key!r}: somebody writes to the old cluster or to the new one"
                )
            count += len(there)
            if not last:
                return count
            first = last + b"\0"


async def _first_of(event: asyncio.Event, task: "asyncio.Task[None]") -> None:
    """Waits for the event, or for the end of the task, which is an error."""
    async with asyncio.TaskGroup() as tasks:
        waiter = tasks.create_task(event.wait())
        await asyncio.wait([waiter, task], return_when=asyncio.FIRST_COMPLETED)
        waiter.cancel()
    with suppress(asyncio.CancelledError):
        if task.done():
            task.result()
