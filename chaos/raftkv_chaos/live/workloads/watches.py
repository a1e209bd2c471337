"""Watches: on ranges of all kinds, from revisions of all kinds, on streams that are broken off and begun again.

What a stream brings is written down as it comes. Watches that are open at the end wait until they have come to the last revision.
"""

import asyncio
from dataclasses import dataclass
from random import Random
from typing import Any

from raftkv.pb import kv, rpc
from raftkv_chaos.live.caller import row
from raftkv_chaos.live.streams import watch_stream
from raftkv_chaos.live.workloads.workload import Stage

HISTORY = "watch"
WORKERS = 5
RANGES = (("\0", "\0"), ("r/", "r0"), ("a/", "a0"), ("lock", "locl"), ("lease/", "lease0"), ("r/0/0", ""))
FILTERS = {"noput": rpc.WatchCreateRequest.NOPUT, "nodelete": rpc.WatchCreateRequest.NODELETE}
MOST_ON_A_STREAM = 3
SILENCE_S = 0.4
PATIENCE = 5
"""Silences at the end, after which a stream has said what it has to say: a watch of the future hears nothing."""


@dataclass(slots=True)
class Progress:
    """What the workers share: the newest revision that anybody saw, and the last of all, once it is known."""

    newest: int = 1
    final: int | None = None


class Watches:
    """All watchers of a run."""

    def __init__(self) -> None:
        self.progress = Progress()

    async def __call__(self, stage: Stage, number: int) -> None:
        dice = stage.own_dice()
        generation = 0
        while True:
            endpoint = stage.endpoints[(number + generation) % len(stage.endpoints)]
            watcher = Watcher(stage, f"watch{number}.{generation}", endpoint, dice, self.progress)
            if await watcher.run():
                return
            generation += 1
            await asyncio.sleep(0.05 + 0.2 * dice.random())


class Watcher:
    """One stream with its watches."""

    def __init__(self, stage: Stage, name: str, endpoint: str, dice: Random, progress: Progress) -> None:
        self._stage = stage
        self._name = name
        self._dice = dice
        self._progress = progress
        self._stream = watch_stream(endpoint)
        self._asked: dict[int, tuple[str, int]] = {}
        """Name and start of each watch, by its id."""
        self._reached: dict[int, int] = {}
        self._until = stage.recorder.now() + dice.choice((1.0, 3.0, 10.0, 30.0))

    async def run(self) -> bool:
        """Until the stream breaks, its time is over, or the end is reached; answers whether it is the end."""
        try:
            return await self._stream.open() and await self._create() and await self._read()
        finally:
            for watch_id in list(self._reached):
                self._note("cancelled", watch_id=watch_id)
            await self._stream.close()

    async def _create(self) -> bool:
        for watch_id in range(1, self._dice.randint(1, MOST_ON_A_STREAM) + 1):
            key, end = self._dice.choice(RANGES)
            start, previous = self._start(), self._dice.random() < 0.5
            filters = self._dice.choice(([], [], [], ["noput"], ["nodelete"]))
            name = f"{self._name}/{watch_id}"
            self._asked[watch_id] = (name, start)
            asked = {"key": key, "range_end": end, "start_revision": start, "prev_kv": previous, "filters": filters}
            self._note("create", watch=name, fragment=False, **asked)
            create = rpc.WatchCreateRequest(
                key=key.encode(),
                range_end=end.encode(),
                start_revision=start,
                prev_kv=previous,
                filters=[FILTERS[each] for each in filters],
                watch_id=watch_id,
                progress_notify=self._dice.random() < 0.7 or not self._stage.manual_progress,
            )
            if not await self._stream.send(rpc.WatchRequest(create_request=create)):
                return False
        return True

    def _start(self) -> int:
        """From now on, from where others are, from the past, or from what is yet to come."""
        newest = self._progress.newest
        choice = self._dice.randrange(5)
        if choice == 0:
            return 0
        return max(1, newest + (1, 1, -self._dice.randrange(100), self._dice.randrange(50))[choice - 1])

    async def _read(self) -> bool:
        silences = 0
        async for response in self._stream.responses(SILENCE_S):
            if response is not None:
                self._take(response)
            final = self._progress.final
            silences = silences + 1 if final is not None and response is None else 0
            if final is not None and (silences >= PATIENCE or all(reached >= final for reached in self._reached.values())):
                self._reached.clear()
                return True
            if final is None and self._stage.recorder.now() > self._until:
                return False
            if not await self._ask(silent=response is None):
                return False
        return False

    async def _ask(self, *, silent: bool) -> bool:
        """Asks for progress now and then; answers whether the stream is still there."""
        if not self._stage.manual_progress or not (silent or self._dice.random() < 0.02):
            return True
        return await self._stream.send(rpc.WatchRequest(progress_request=rpc.WatchProgressRequest()))

    def _take(self, response: rpc.WatchResponse) -> None:
        revision, watch_id = response.header.revision, response.watch_id
        if response.created and not response.canceled:
            name, start = self._asked.get(watch_id, ("?", 0))
            self._reached[watch_id] = max(0, start - 1)  # who asks for the future is owed nothing before it
            self._note("created", watch=name, watch_id=watch_id, revision=revision)
        elif response.canceled:
            self._reached.pop(watch_id, None)
            # etcd leaves the revision out where it refuses what was compacted away.
            self._note("cancelled", watch_id=watch_id, revision=revision or None, compact_revision=response.compact_revision)
        elif response.events:
            events = [_event(each) for each in response.events]
            self._reach(watch_id, response.events[-1].kv.mod_revision)
            self._note("events", watch_id=watch_id, revision=revision, fragment=response.fragment, events=events)
        else:
            for each in [watch_id] if watch_id >= 0 else list(self._reached):
                self._reach(each, revision)
                self._note("progress", watch_id=each, revision=revision)

    def _reach(self, watch_id: int, revision: int) -> None:
        self._reached[watch_id] = max(revision, self._reached.get(watch_id, 0))
        self._progress.newest = max(self._progress.newest, revision)

    def _note(self, kind: str, **fields: Any) -> None:
        self._stage.recorder.note(HISTORY, "receive", self._name, "watch", {"kind": kind, **fields})


def _event(event: kv.Event) -> list[Any]:
    kind = "put" if event.type == kv.Event.PUT else "delete"
    previous = row(event.prev_kv) if event.HasField("prev_kv") else None
    return [kind, *row(event.kv), previous]
