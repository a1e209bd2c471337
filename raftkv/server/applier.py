"""From committed entries to answers.

Entries are applied in order, many in one pass and a bounded time in one turn of the loop; a single long one (a delete of a
million keys) is continued in the next turns, and nobody sees it half done.
"""

from collections import deque
from collections.abc import Callable, Sequence

import structlog

from raftkv.apply.outcome import Outcome
from raftkv.mvcc import Event
from raftkv.mvcc.steps import Steps
from raftkv.raft.messages import Entry
from raftkv.server.measured import Measured
from raftkv.server.parts import Parts, Settings
from raftkv.server.proposals import Proposals
from raftkv.server.request_times import RequestTimes

log = structlog.get_logger(__name__)

TURN_SHARE_S = 0.005
"""Time that applying may take in one turn of the loop."""
LOOK_AT_CLOCK_EVERY = 16
MAX_PENDING_BYTES = 64 * 1024 * 1024
"""Rows that may wait for the disk before applying is held back."""


class Applier:
    """Applies what Raft has committed and answers who waits for it."""

    def __init__(
        self,
        parts: Parts,
        proposals: Proposals,
        settings: Settings,
        *,
        answer: Callable[[Outcome, int], None],
        changed: Callable[[Sequence[Event]], None],
        measured: Measured,
        times: RequestTimes,
    ) -> None:
        """`answer` is called with every outcome whose proposal was made here, and the proposal's number; `changed` before it,
        with the events of every outcome that has some.
        """
        self._machine = parts.machine
        self._overlay = parts.overlay
        self._proposals = proposals
        self._clock = parts.clock
        self._node_id = settings.node_id
        self._answer = answer
        self._changed = changed
        self._measured = measured
        self._times = times
        self._slow_s = settings.slow_apply_s
        self.at = parts.clock.now()
        """When something was applied last; a few milliseconds late at most."""
        self._backlog: deque[Entry] = deque()
        self._long: tuple[Entry, Steps[Outcome]] | None = None
        self._long_since = 0.0

    def extend(self, entries: Sequence[Entry]) -> None:
        """More committed entries, in order."""
        self._backlog.extend(entries)

    @property
    def busy(self) -> bool:
        """Whether something is left to apply."""
        return bool(self._backlog) or self._long is not None

    def clear(self) -> None:
        """Forgets what was to be applied: a snapshot has replaced the state."""
        self._backlog.clear()
        self._long = None

    def run(self) -> bool:
        """Applies for one turn's share of time. True if anything was applied to its end."""
        before = self._machine.applied_index
        began = now = self.at = self._clock.now()
        end = began + TURN_SHARE_S
        while self.busy and self._overlay.pending_bytes < MAX_PENDING_BYTES:
            self._run_some()
            now = self.at = self._clock.now()
            if now >= end:
                break
        self._measured.apply_s.observe(now - began)
        if self._machine.applied_index == before:
            return False
        self._machine.record_progress()
        return True

    def _run_some(self) -> None:
        """A slice of the long entry under way, or some short ones."""
        if self._long is not None:
            self._continue_long()
            return
        backlog = self._backlog
        for _ in range(min(len(backlog), LOOK_AT_CLOCK_EVERY)):
            if not self._apply(backlog.popleft()):
                return

    def _apply(self, entry: Entry) -> bool:
        """Applies one entry; False if it is a long one, which is only begun."""
        self._proposals.term_applied(entry.term)
        outcome = self._machine.apply(entry)
        if isinstance(outcome, Outcome):
            self._finish(outcome)
            return True
        self._long = (entry, outcome)
        self._long_since = self._clock.now()
        return False

    def _continue_long(self) -> None:
        assert self._long is not None
        try:
            next(self._long[1])
        except StopIteration as end:
            entry, self._long = self._long[0], None
            took = self._clock.now() - self._long_since
            if took > self._slow_s:
                self._measured.slow_applies += 1
                log.warning("slow apply", index=entry.index, took_ms=round(took * 1000.0, 3), size=len(entry.data))
            self._finish(end.value)

    def _finish(self, outcome: Outcome) -> None:
        if outcome.events:
            self._changed(outcome.events)
        if outcome.trace:
            self._times.applied(outcome.trace, self._machine.applied_index)
        if outcome.proposer == self._node_id:
            self._answer(outcome, outcome.proposal)
