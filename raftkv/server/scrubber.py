"""Removes what compaction made unreachable, in small steps between everything else.

Compaction takes effect at once, on all replicas alike; the rows go away here, on each replica when it has time.
"""

from asyncio import AbstractEventLoop, Future, TimerHandle
from collections.abc import Callable, Generator

from raftkv.mvcc.store import Store
from raftkv.server.measured import Measured
from raftkv.storage.overlay import Overlay

REST_S = 0.005
"""Between two steps (etcd: 10 ms between batches of 1,000)."""
MAX_PENDING_ROWS = 20_000
"""Rows that may wait for the disk before scrubbing is held back."""


class Scrubber:
    """The background work of one store."""

    def __init__(
        self,
        store: Store,
        overlay: Overlay,
        loop: AbstractEventLoop,
        *,
        changed: Callable[[], None],
        failed: Callable[[BaseException], None],
        measured: Measured,
    ) -> None:
        """`changed` is called after each step: there are rows to write. `failed` gets what a step raises."""
        self._store = store
        self._overlay = overlay
        self._loop = loop
        self._changed = changed
        self._failed = failed
        self._measured = measured
        self._steps: Generator[None, None, None] | None = None
        self._began: float | None = None
        """When the removal that is under way began."""
        self._timer: TimerHandle | None = None
        self._waiting: list[Future[None]] = []

    def wake(self) -> None:
        """There may be something to remove."""
        if self._timer is None and self._store.scrub_pending:
            self._timer = self._loop.call_later(REST_S, self._step)

    async def done(self) -> None:
        """Returns when nothing is left to remove."""
        if self._store.scrub_pending:
            future: Future[None] = self._loop.create_future()
            self._waiting.append(future)
            self.wake()
            await future

    def stop(self) -> None:
        """Leaves the rest for the next start."""
        if self._timer is not None:
            self._timer.cancel()
        self.forget()
        for future in self._waiting:
            future.cancel()
        self._waiting.clear()

    def forget(self) -> None:
        """The store has been replaced: what was begun on the old one is pointless."""
        self._steps = self._began = None

    def _step(self) -> None:
        self._timer = None
        if self._overlay.pending_rows < MAX_PENDING_ROWS:
            try:
                self._advance()
            except BaseException as error:  # noqa: BLE001 (a broken disk or a bug: the node must not go on)
                self._failed(error)
                return
        self.wake()

    def _advance(self) -> None:
        began = self._loop.time()
        if self._steps is None:
            self._steps = self._store.scrub()
        try:
            next(self._steps)
        except StopIteration:
            self._steps = None
        now = self._loop.time()
        self._measured.scrub_step_s.observe(now - began)
        self._began = began if self._began is None else self._began
        self._changed()
        if not self._store.scrub_pending:
            self._measured.scrub_s.observe(now - self._began)
            self._began = None
            waiting, self._waiting = self._waiting, []
            for future in waiting:
                if not future.done():
                    future.set_result(None)
