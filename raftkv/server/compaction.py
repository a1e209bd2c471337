"""Automatic compaction of the history, by age or by number of revisions (etcd server/etcdserver/api/v3compactor).

Only the leader proposes; a follower keeps its own memory of revisions and times, so that a change of leader loses nothing.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress

import structlog

from raftkv.apply.command import COMPACT, body
from raftkv.auth.state import NODE
from raftkv.clock import Clock
from raftkv.errors import RequestError
from raftkv.pb.rpc import CompactionRequest
from raftkv.server.replica import Replica

log = structlog.get_logger(__name__)

SAMPLES_PER_RETENTION = 10
"""How finely time is cut in periodic mode: what is kept may be older than asked for by a tenth."""
REVISION_PERIOD_S = 300.0
"""Between two looks in revision mode."""


class RevisionCompactor:
    """Keeps so many revisions."""

    period_s = REVISION_PERIOD_S

    def __init__(self, retention: int, revision: Callable[[], int]) -> None:
        self._retention = retention
        self._revision = revision

    def look(self) -> int:
        """The revision to compact at now; 0 for none."""
        return max(self._revision() - self._retention, 0)


class PeriodicCompactor:
    """Keeps what is younger than so many seconds."""

    def __init__(self, retention_s: float, revision: Callable[[], int], clock: Clock) -> None:
        self.period_s = retention_s / SAMPLES_PER_RETENTION
        self._retention_s = retention_s
        self._revision = revision
        self._clock = clock
        self._samples: deque[tuple[float, int]] = deque()

    def look(self) -> int:
        """The revision to compact at now; 0 for none. To be called every `period_s`."""
        now = self._clock.now()
        self._samples.append((now, self._revision()))
        old = 0
        while self._samples and self._samples[0][0] <= now - self._retention_s:
            old = self._samples.popleft()[1]
        return old


Compactor = RevisionCompactor | PeriodicCompactor


async def keep_compacting(replica: Replica, compactor: Compactor) -> None:
    """Looks again and again, and proposes a compaction where one is due and this node leads."""
    while True:
        target = compactor.look()
        if target > replica.store.compact_revision and replica.is_leader:
            with suppress(RequestError):
                await replica.propose(body(COMPACT, CompactionRequest(revision=target).SerializeToString()), author=NODE)
                log.info("compacted", revision=target)
        await asyncio.sleep(compactor.period_s)
