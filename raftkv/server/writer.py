"""What goes to the disk, and when.

Raft's entries and the rows that applied entries changed leave in one batch and one sync. A change of the commit index alone
waits for the next batch, for nothing depends on it; rows alone wait LINGER_S for company and are not synced, for the log
can make them again.

    persist with entries or votes   -> written at once, with all pending rows, synced
    persist of the commit index     -> kept for the next batch
    pending rows                    -> written after LINGER_S, not synced

A batch never overtakes another: there is one storage thread. So on disk the state is never ahead of the log it came from,
and after a power failure both are cut at the same point.
"""

from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable

from raftkv.clock import Clock
from raftkv.raft.messages import HardState
from raftkv.raft.ready import Persist
from raftkv.server.measured import Measured
from raftkv.storage.engine import Batch, Engine
from raftkv.storage.log import LogStore
from raftkv.storage.overlay import Overlay
from raftkv.storage.snapshot import SnapshotReceiver
from raftkv.storage.thread import Storage

LINGER_S = 0.01
"""How long rows wait for a batch to join."""


class Writer:
    """Decides what is written together. Runs on the loop; the writes themselves run on the storage thread."""

    def __init__(
        self,
        engine: Engine,
        log: LogStore,
        overlay: Overlay,
        storage: Storage,
        loop: AbstractEventLoop,
        *,
        clock: Clock,
        measured: Measured,
        synced: Callable[[Persist], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        """`synced` is called on the loop when what it is given is on disk, `failed` when the disk fails."""
        self._engine = engine
        self._log = log
        self._overlay = overlay
        self._storage = storage
        self._loop = loop
        self._clock = clock
        self._measured = measured
        self._synced = synced
        self._failed = failed
        self._hard_state: HardState | None = None  # a commit index that waits for a batch
        self._compact_to = 0  # the log is dropped up to here with the next batch
        self._lingering: TimerHandle | None = None
        self._under_way = 0  # batches that the storage thread has
        self._installing = False

    def persist(self, persist: Persist) -> bool:
        """Writes what Raft asks for; False where that may wait for the next batch and counts as done."""
        if not persist.must_sync and not persist.entries:
            self._hard_state = persist.hard_state or self._hard_state
            self.linger()
            return False
        batch = self._batch(persist)

        def saved() -> None:
            self._overlay.written()
            self._log.saved()
            self._synced(persist)

        if persist.entries:
            self._measured.batch_entries.observe(len(persist.entries))
            self._measured.log_bytes += sum([len(entry.data) for entry in persist.entries])
        self._submit(lambda: self._write(batch, sync=True), saved)
        return True

    def install(self, persist: Persist, snapshot: SnapshotReceiver, done: Callable[[], None]) -> None:
        """Makes a received snapshot the state, and the log begin after it.

        What waits here belongs to the old state and must not reach the new one.
        """
        assert persist.snapshot is not None
        self._installing = True
        self._stop_lingering()
        hard_state, self._hard_state = persist.hard_state or self._hard_state, None
        self._compact_to = 0
        batch = Batch()
        self._log.reset(batch, persist.snapshot)
        self._log.save(batch, hard_state, persist.entries)

        def saved() -> None:
            self._installing = False
            self._overlay.clear()
            self._log.saved()
            done()

        self._submit(lambda: snapshot.commit(batch), saved)

    def compact_log(self, index: int) -> None:
        """Drops the log up to `index` with the next batch."""
        self._compact_to = index
        self.linger()

    def flush(self) -> None:
        """Hands everything that waits to the storage thread: whoever asks that next finds it on disk."""
        self._stop_lingering()
        if not self._installing:
            self._write_alone(True)

    def linger(self) -> None:
        """Something waits for a batch: if none comes soon, it gets its own."""
        if self._lingering is None and not self._installing:
            self._lingering = self._loop.call_later(LINGER_S, self._write_alone, False)

    def stop(self, *, flush: bool) -> None:
        """Ends; `flush` writes what waits, synced, unless the disk has failed or a snapshot is about to replace it."""
        self._stop_lingering()
        if flush and not self._installing:
            self._write_alone(True)

    def _write_alone(self, sync: bool) -> None:  # noqa: FBT001 (a timer's callback takes positional arguments)
        self._lingering = None
        if self._under_way and not sync:  # a slow disk: let more come together
            self.linger()
            return
        batch = self._batch(None)
        self._submit(lambda: self._write(batch, sync=sync), self._overlay.written)

    def _write(self, batch: Batch, *, sync: bool) -> None:
        """On the storage thread."""
        began = self._clock.now()
        self._engine.write(batch, sync=sync)
        took = self._clock.now() - began
        if sync:
            self._measured.sync_s.observe(took)
        self._measured.commit_s.observe(took)

    def _batch(self, persist: Persist | None) -> Batch:
        self._stop_lingering()
        batch = Batch(rows=self._overlay.seal())
        if self._compact_to:
            self._log.compact(batch, self._compact_to)
            self._compact_to = 0
        hard_state, self._hard_state = self._hard_state, None
        if persist is not None:
            self._log.save(batch, persist.hard_state or hard_state, persist.entries)
        elif hard_state is not None:
            self._log.save(batch, hard_state, ())
        return batch

    def _stop_lingering(self) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None

    def _submit(self, job: Callable[[], None], then: Callable[[], None]) -> None:
        self._under_way += 1

        def done(result: object) -> None:
            self._under_way -= 1
            if isinstance(result, BaseException):
                self._failed(result)
            else:
                then()

        self._storage.submit(job, done)
