"""Requests that took long, as lines of the log; requests that are traced, as spans. Neither says what was asked for: keys, values,
passwords and tokens are the callers' own.
"""

from collections.abc import Callable, Generator, Sequence
from math import inf
from typing import Any

import structlog

from raftkv.clock import Clock
from raftkv.pb.command import Command
from raftkv.raft.messages import Entry
from raftkv.server.proposals import Proposal
from raftkv.server.timeline import Stage, Timeline
from raftkv.tracing import Recorder, TraceContext, current, unpack

log = structlog.get_logger(__name__)

LINES_PER_SECOND = 10
"""When everything is slow, some examples and a count say as much as all of them."""


class RequestTimes:
    """One node's."""

    def __init__(self, clock: Clock, *, node_id: int, slow_s: float) -> None:
        """`slow_s`: what takes longer is told."""
        self.timeline = Timeline()
        self.slow_s = slow_s
        self.slow = 0
        """Requests that took longer."""
        self.recorder: Recorder | None = None
        self._clock = clock
        self._node = {"raftkv.member": f"{node_id:x}"}
        self._led_since = inf
        self._second = -inf
        self._lines = 0
        self._left_out = 0

    def begin_turn(self) -> None:
        """What follows is everybody's, not only that of the request which brought the turn about."""
        if self.recorder is not None:
            current.set(None)

    def leader_known(self) -> None:
        """What came before the first leader waited for the cluster to be there, which is no request's fault."""
        if self._led_since == inf:
            self._led_since = self._clock.now()

    # --- marks ----------------------------------------------------------------------------------------------------------

    def appended(self, entries: Sequence[Entry]) -> None:
        """These were given to the disk."""
        self.timeline.appended(entries[0].index, entries[-1].index, self._clock.now())

    def synced(self, entries: Sequence[Entry]) -> None:
        """These are on it."""
        self.timeline.synced(entries[0].index, entries[-1].index, self._clock.now())

    def committed(self, entries: Sequence[Entry]) -> None:
        """A quorum has these."""
        self.timeline.committed(entries[0].index, entries[-1].index, self._clock.now())

    # --- writes ---------------------------------------------------------------------------------------------------------

    def applied(self, trace: bytes, index: int) -> None:
        """A traced entry was applied here, whoever asked for it: each node tells its own part."""
        parent = unpack(trace)
        if self.recorder is not None and parent is not None:
            self._record(self.timeline.stages(index, self._clock.now()), parent)

    def answered(self, proposal: Proposal, index: int, applied: float) -> None:
        """A write was answered that took long, or is traced. `applied`: when it was."""
        now = self._clock.now()
        since, offered = proposal.since, proposal.offered_at
        within = self.timeline.stages(index, applied)
        arrived = within[0].start if within else applied
        before = [Stage("queue", since, offered), Stage("propose", offered, max(offered, arrived))]
        answer = Stage("answer", applied, now)
        if self.recorder is not None and proposal.trace is not None:
            self._record([*before, answer], proposal.trace)
        if now - since > self.slow_s:
            kind = Command.FromString(proposal.data).WhichOneof("body")
            self._tell(str(kind), since, [*before, *within, answer], proposal.trace, size=len(proposal.data))

    # --- reads ----------------------------------------------------------------------------------------------------------

    def waited(self, since: float, began: float, trace: TraceContext | None) -> None:
        """A read that came at `since` may look at the state at `began`: too late."""
        self._tell("read", since, [Stage("read index", since, began)], trace)

    def traced_read(self, work: Callable[[], Any], parent: TraceContext, since: float) -> Callable[[], Any]:
        """The work of a read that is traced, which is called when it may look at the state."""

        def look() -> Any:
            began = self._clock.now()
            self._record([Stage("read index", since, began)], parent)
            result = work()
            if isinstance(result, Generator):
                return self._look_on(result, parent, began)
            self._record([Stage("look", began, self._clock.now())], parent)
            return result

        return look

    def _look_on(self, steps: Generator[None, None, Any], parent: TraceContext, began: float) -> Generator[None, None, Any]:
        result = yield from steps
        self._record([Stage("look", began, self._clock.now())], parent)
        return result

    # --- both -----------------------------------------------------------------------------------------------------------

    def context(self) -> TraceContext | None:
        """On whose behalf the code that runs now runs, if that is recorded."""
        return None if self.recorder is None else current.get()

    def _record(self, stages: Sequence[Stage], parent: TraceContext) -> None:
        assert self.recorder is not None
        for stage in stages:
            self.recorder.record(stage.name, parent, stage.start, stage.end, self._node)

    def _tell(self, request: str, since: float, stages: Sequence[Stage], trace: TraceContext | None, **more: int) -> None:
        if since < self._led_since:
            return
        self.slow += 1
        now = self._clock.now()
        if now - self._second >= 1.0:
            self._second, self._lines = now, 0
        if self._lines >= LINES_PER_SECOND:
            self._left_out += 1
            return
        self._lines += 1
        facts: dict[str, Any] = {"request": request, "took_ms": _milliseconds(now - since), **more}
        for stage in stages:
            facts[stage.name.replace(" ", "_") + "_ms"] = _milliseconds(stage.end - stage.start)
        if trace is not None:
            facts["trace_id"] = trace.trace_hex
        if self._left_out:
            facts["not_told"], self._left_out = self._left_out, 0
        log.warning("slow request", **facts)


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000.0, 3)
