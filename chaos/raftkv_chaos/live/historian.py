"""What really happened: every change of the store from the first revision on, by a watch that is resumed until the end.

Where the log of a cluster cannot be asked for (etcd's), this is the log: each revision once, in order. It is checked in turn: writes
that were acknowledged must be in it, rows must be what replaying it makes of them, and at the end every node must tell the same.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence

from raftkv.pb import kv, rpc
from raftkv_chaos.live.streams import watch_stream

ALL = b"\0"
SILENCE_S = 0.5
PATIENCE = 3
"""Silences after which another node is tried."""

Changes = dict[int, list[kv.Event]]
"""By revision, as they came."""


async def read_changes(endpoint: str, first: int, until: int, changes: Changes, seen: "Sight | None" = None) -> None:
    """Reads the changes of all keys at one node, from a revision on, until one has been reached or the node falls silent."""
    stream = watch_stream(endpoint)
    sight = seen or Sight()
    sight.revision = max(sight.revision, first - 1)
    create = rpc.WatchCreateRequest(key=ALL, range_end=ALL, start_revision=first)
    try:
        if not await stream.open() or not await stream.send(rpc.WatchRequest(create_request=create)):
            return
        silences = 0
        async for response in stream.responses(SILENCE_S):
            silences = 0 if response is not None else silences + 1
            if response is not None:
                sight.take(response, changes)
            if sight.revision >= until or silences >= PATIENCE or (response is not None and response.canceled):
                return
    finally:
        await stream.close()


class Sight:
    """How far a reader has come. Only events count: what a progress notification says is under test itself.

    `arrivals`: when it had each revision, by the clock that was handed in.
    """

    def __init__(self, now: Callable[[], float] | None = None) -> None:
        self.revision = 0
        self.arrivals: dict[int, float] = {}
        self.moved = asyncio.Event()
        self._now = now

    def take(self, response: rpc.WatchResponse, changes: Changes) -> None:
        """Adds what a response tells. A revision comes as a whole."""
        fresh: Changes = defaultdict(list)
        for event in response.events:
            if event.kv.mod_revision > self.revision:
                fresh[event.kv.mod_revision].append(event)
        changes.update(fresh)
        if fresh:
            self.revision = max(fresh)
            self.moved.set()
        if self._now is not None:
            self.arrivals.update(dict.fromkeys(fresh, self._now()))


class Historian:
    """Reads along during the run, turning from node to node."""

    def __init__(self, endpoints: Sequence[str], now: Callable[[], float]) -> None:
        self.changes: Changes = {}
        self.sight = Sight(now)
        self._endpoints = list(endpoints)

    @property
    def revision(self) -> int:
        """How far it has come."""
        return self.sight.revision

    async def follow(self) -> None:
        """Reads until it is cancelled."""
        turn = 0
        while True:
            await read_changes(self._endpoints[turn], self.revision + 1, 1 << 62, self.changes, self.sight)
            turn = (turn + 1) % len(self._endpoints)
            await asyncio.sleep(0.05)

    async def reach(self, revision: int, seconds: float) -> bool:
        """Waits until it has come to a revision; answers whether it has."""
        try:
            async with asyncio.timeout(seconds):
                while self.revision < revision:
                    await self.sight.moved.wait()
                    self.sight.moved.clear()
        except TimeoutError:
            return False
        return True
