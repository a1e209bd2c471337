"""Snapshots between nodes: a follower that needs entries which are compacted gets the whole state instead.

    leader:    InstallSnapshot from Raft -> freeze the state -> stream it -> tell Raft how it went
    follower:  stream -> staged rows -> InstallSnapshot to Raft -> Persist.snapshot -> swap the rows in -> load them

A frozen view costs nothing but old files that stay for its sake; rows are read and written a chunk at a time on the storage
thread, between the log's own writes.
"""

from asyncio import AbstractEventLoop, Future, TaskGroup, Timeout, timeout
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, TypeVar

import structlog
from google.protobuf.message import DecodeError

from raftkv.apply.progress import read_snapshot_point
from raftkv.errors import PeerError
from raftkv.pb import raft as pb
from raftkv.peer.peers import Peers
from raftkv.raft.messages import InstallSnapshot, Snapshot
from raftkv.server.measured import Measured
from raftkv.server.transfer import Transfer
from raftkv.storage.engine import Engine
from raftkv.storage.snapshot import SnapshotMessage, SnapshotReceiver, snapshot_messages
from raftkv.storage.thread import Storage

log = structlog.get_logger(__name__)

INSTALL_PATIENCE_S = 30.0
"""What Raft and the disk may take to install a snapshot that has arrived."""
STALLED_S = 20.0
"""Without another piece a snapshot is given up: a machine that lost power closes no connection, and there is room for one only.
So is keeping the log for who took one and gets no further."""
KEPT_ENTRIES = 1_000_000
"""No more of the log is kept for somebody's sake."""

T = TypeVar("T")


async def on_storage(storage: Storage, loop: AbstractEventLoop, job: Callable[[], T]) -> T:
    """Runs a blocking job on the storage thread and returns what it returns."""
    future: Future[T] = loop.create_future()

    def done(result: T | BaseException) -> None:
        if future.done():
            return
        if isinstance(result, BaseException):
            future.set_exception(result)
        else:
            future.set_result(result)

    storage.submit(job, done)
    return await future


class Finished(Protocol):
    """Told how the sending of a snapshot went."""

    def __call__(self, target: int, *, ok: bool) -> None: ...


@dataclass(slots=True)
class _Need:
    """What a follower needs of the log once it has its snapshot: all behind an index. `moved_s`: when it last got further."""

    index: int
    moved_s: float


class Outgoing:
    """Snapshots on their way to followers: at most one to each.

    What comes after a snapshot stays in the log until its follower has it, too: else a log that is shortened faster than a snapshot
    travels would make the next one necessary, and so on for ever.
    """

    def __init__(
        self, engine: Engine, storage: Storage, loop: AbstractEventLoop, tasks: TaskGroup, *, finished: Finished
    ) -> None:
        self.peers: Peers
        self._engine = engine
        self._storage = storage
        self._loop = loop
        self._tasks = tasks
        self._finished = finished
        self._under_way: set[int] = set()
        self._needs: dict[int, _Need] = {}
        self.sent: Counter[int] = Counter()
        """How often each node took one, since the start."""
        self.failed: Counter[int] = Counter()

    @property
    def under_way(self) -> list[int]:
        """To whom snapshots are being sent."""
        return sorted(self._under_way)

    def send(self, message: InstallSnapshot) -> None:
        """Starts to stream the state to the target of `message`."""
        if message.target not in self._under_way:
            self._under_way.add(message.target)
            self._needs[message.target] = _Need(message.snapshot.index, self._loop.time())
            self._tasks.create_task(self._stream(message), name=f"snapshot to {message.target:x}")

    def spare(self, index: int, matches: Callable[[], Mapping[int, int]]) -> int:
        """Up to where the log may be shortened in place of `index`. `matches`: how far each follower is, where this node leads."""
        if not self._needs:
            return index
        known = matches()
        for target in list(self._needs):
            if not self._waits(target, known.get(target), index):
                del self._needs[target]
        return min([index, *(need.index for need in self._needs.values())])

    def _waits(self, target: int, match: int | None, index: int) -> bool:
        """Whether that follower would lose by the log's being shortened to `index`, and is worth waiting for."""
        need, now = self._needs[target], self._loop.time()
        if match is None or match >= index or index - need.index > KEPT_ENTRIES:
            return False
        if match > need.index or target in self._under_way:
            need.index, need.moved_s = max(need.index, match), now
        return now - need.moved_s < STALLED_S

    async def _stream(self, message: InstallSnapshot) -> None:
        ok = False
        try:
            await self._send_state(message)
            ok = True
        except (PeerError, TimeoutError) as error:
            log.warning("snapshot not sent", target=f"{message.target:x}", reason=str(error) or "nothing moved any more")
        finally:
            self._under_way.discard(message.target)
            if not ok:
                self._needs.pop(message.target, None)
            (self.sent if ok else self.failed)[message.target] += 1
            self._finished(message.target, ok=ok)

    async def _send_state(self, message: InstallSnapshot) -> None:
        view = await on_storage(self._storage, self._loop, self._engine.view)
        try:
            # The state may be further than what Raft asked for: say what is really sent.
            point = read_snapshot_point(view)
            log.info("sending snapshot", peer=f"{message.target:x}", index=point.index)
            size = await on_storage(self._storage, self._loop, self._engine.size)
            messages = snapshot_messages(view, point, about_bytes=size)
            transfer = Transfer("sending snapshot", "snapshot sent", message.target, about_bytes=size, now=self._loop.time)
            async with timeout(STALLED_S) as stalled:
                await self.peers.send_snapshot(replace(message, snapshot=point), self._frames(messages, stalled, transfer))
            transfer.finish()
        finally:
            await on_storage(self._storage, self._loop, view.release)

    async def _frames(self, messages: Iterator[SnapshotMessage], stalled: Timeout, transfer: Transfer) -> AsyncIterator[bytes]:
        def chunk() -> bytes:
            message = next(messages, None)
            return b"" if message is None else message.SerializeToString()

        while frame := await on_storage(self._storage, self._loop, chunk):
            stalled.reschedule(self._loop.time() + STALLED_S)
            yield frame
            transfer.advance(len(frame))
        stalled.reschedule(self._loop.time() + STALLED_S + INSTALL_PATIENCE_S)


class Incoming:
    """The snapshot that this node receives: at most one."""

    def __init__(
        self,
        engine: Engine,
        storage: Storage,
        loop: AbstractEventLoop,
        *,
        arrived: Callable[[InstallSnapshot], bool],
        measured: Measured,
    ) -> None:
        """`arrived` gives Raft the message whose rows are all staged, and answers whether Raft wants them."""
        self._engine = engine
        self._storage = storage
        self._loop = loop
        self._arrived = arrived
        self._measured = measured
        self.transfer: Transfer | None = None
        """How far it is, while one is on its way."""
        self._receiving = False
        self.received: Counter[int] = Counter()
        """How often one of each node was installed, since the start."""
        self.failed: Counter[int] = Counter()
        self._staged: SnapshotReceiver | None = None
        self._done: Future[None] | None = None
        self.installing = False
        """From the moment Raft accepts a snapshot until it is loaded: the local state must not be read."""

    async def receive(self, message: InstallSnapshot, frames: AsyncIterator[bytes]) -> None:
        """Stages the rows, hands the message to Raft, and returns when the snapshot is installed."""
        if self._receiving:
            raise PeerError("another snapshot is being received")
        self._receiving = True
        installed = False
        try:
            async with timeout(STALLED_S) as stalled:
                receiver = await self._stage(message, frames, stalled)
            await self._install(message, receiver)
            installed = True
            if self.transfer is not None:
                self._measured.snapshot_s.observe(self.transfer.finish())
        except TimeoutError as error:
            raise PeerError("the snapshot does not go on") from error
        finally:
            self._receiving = False
            self.transfer = None
            (self.received if installed else self.failed)[message.source] += 1

    @property
    def receiving(self) -> bool:
        """Whether one is on its way."""
        return self._receiving

    async def _stage(self, message: InstallSnapshot, frames: AsyncIterator[bytes], stalled: Timeout) -> SnapshotReceiver:
        receiver: SnapshotReceiver | None = None
        try:
            async for frame in frames:
                stalled.reschedule(self._loop.time() + STALLED_S)
                if receiver is None:
                    head = pb.SnapshotHead.FromString(frame)
                    receiver = await self._run(partial(SnapshotReceiver, self._engine, head))
                    self.transfer = self._announce(message.source, head)
                else:
                    rows = pb.SnapshotRows.FromString(frame)
                    await self._run(partial(receiver.add, rows))
                    if self.transfer is not None:
                        self.transfer.advance(len(frame))
                if receiver.complete:
                    break
        except DecodeError as error:
            raise PeerError("the snapshot has rows that do not parse") from error
        if receiver is None or not receiver.complete:
            raise PeerError("the snapshot broke off")
        if receiver.snapshot != message.snapshot:
            raise PeerError("the snapshot is not the one that was announced")
        return receiver

    def _announce(self, source: int, head: pb.SnapshotHead) -> Transfer:
        log.info("receiving snapshot", peer=f"{source:x}", index=head.index, about_bytes=head.about_bytes)
        return Transfer("receiving snapshot", "snapshot installed", source, about_bytes=head.about_bytes, now=self._loop.time)

    async def _install(self, message: InstallSnapshot, receiver: SnapshotReceiver) -> None:
        self._staged = receiver
        self._done = self._loop.create_future()
        patience = self._loop.call_later(INSTALL_PATIENCE_S, self._refuse)
        try:
            # It may be of a leader that was deposed, or no longer needed: the next one must not wait for it.
            if not self._arrived(message):
                raise PeerError("this node does not need the snapshot")
            await self._done
        finally:
            patience.cancel()
            if self._staged is receiver:  # Raft did not want it
                self._staged = None
                await self._run(receiver.abandon)

    def _refuse(self) -> None:
        if self._done is not None and not self._done.done() and not self.installing:
            self._done.set_exception(PeerError("this node does not need the snapshot"))

    def take(self, snapshot: Snapshot) -> SnapshotReceiver:
        """Raft wants this snapshot: its staged rows."""
        receiver = self._staged
        assert receiver is not None, "Raft takes only what was staged"
        assert receiver.snapshot == snapshot, "Raft takes only what was staged"
        self._staged = None
        self.installing = True
        return receiver

    def installed(self) -> None:
        """The rows are the state now, and loaded."""
        self.installing = False
        if self._done is not None and not self._done.done():
            self._done.set_result(None)

    async def _run(self, job: Callable[[], T]) -> T:
        return await on_storage(self._storage, self._loop, job)
