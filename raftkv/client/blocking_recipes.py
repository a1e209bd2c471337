"""The blocking twins of the recipes, for `with`: kept alive by the client's thread, however busy the program's threads are.

A block of a thread cannot be cancelled from outside. So who holds something in a thread asks `held.check()` or `held.lost` where
it must not go on after a loss, or hears of it by `held.lost.add_callback`; at the end of the block LostError is raised, if
nothing else is. Fencing (`held.txn`, `held.guard`) holds whether it asks or not.
"""

import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

from raftkv.client.loop_thread import loop_thread
from raftkv.errors import LostError
from raftkv.pb import kv, rpc
from raftkv.recipes.acquisition import Acquirable
from raftkv.recipes.barrier import Barrier, DoubleBarrier
from raftkv.recipes.counter import Counter
from raftkv.recipes.election import Campaign, Election, Leader, Leadership
from raftkv.recipes.held import Held, Token
from raftkv.recipes.party import Member, Party, Seat
from raftkv.recipes.queue import Item, Job, Queue
from raftkv.recipes.read_write_lock import ReadWriteLock
from raftkv.recipes.signal import Signal
from raftkv.recipes.tree_cache import Snapshot, TreeCache

P = ParamSpec("P")
Result = TypeVar("Result")
Told = TypeVar("Told")
AnyHeld = TypeVar("AnyHeld", bound=Held)
Twin = TypeVar("Twin", bound="BlockingHeld")


def _run(work: Coroutine[Any, Any, Result]) -> Result:
    return loop_thread().run(work)


class BlockingSignal:
    """As `Signal`, for threads."""

    def __init__(self, signal: Signal) -> None:
        self._signal = signal

    def is_set(self) -> bool:
        """Whether it is so."""
        return self._signal.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Returns when it is so, or False when `timeout` seconds have passed."""
        told = threading.Event()
        remove = self._add(told.set)
        try:
            return told.wait(timeout)
        finally:
            remove()

    def add_callback(self, callback: Callable[[], None]) -> None:
        """Calls `callback` when it is so: on the client's thread, so it must not wait, nor call the client."""
        self._add(callback)

    def _add(self, callback: Callable[[], None]) -> Callable[[], None]:
        async def add() -> None:
            self._signal.add_callback(callback)

        async def remove() -> None:
            self._signal.remove_callback(callback)

        _run(add())
        return lambda: _run(remove())


class BlockingHeld:
    """As `Held`."""

    def __init__(self, held: Held) -> None:
        """For what acquires it."""
        self._held = held
        self.name = held.name
        self.key = held.key
        self.token: Token = held.token
        self.lease = held.lease
        self.lost = BlockingSignal(held.lost)
        self.at_risk = BlockingSignal(held.at_risk)

    @property
    def remaining(self) -> float:
        """As Held.remaining."""
        return self._held.remaining

    def check(self) -> None:
        """As Held.check."""

        async def check() -> None:
            self._held.check()

        _run(check())

    def verify(self) -> bool:
        """As Held.verify."""
        return _run(self._held.verify())

    def guard(self) -> rpc.Compare:
        """As Held.guard."""
        return self._held.guard()

    def txn(
        self,
        compare: Iterable[rpc.Compare] = (),
        success: Iterable[rpc.RequestOp] = (),
        failure: Iterable[rpc.RequestOp] = (),
    ) -> rpc.TxnResponse:
        """As Held.txn."""
        return _run(self._held.txn(compare, success, failure))

    def release(self) -> None:
        """As Held.release."""
        _run(self._held.release())


class BlockingLeadership(BlockingHeld):
    """As `Leadership`."""

    def __init__(self, held: Leadership) -> None:
        super().__init__(held)
        self._leadership = held

    def proclaim(self, value: bytes | str) -> None:
        """As Leadership.proclaim."""
        _run(self._leadership.proclaim(value))

    def resign(self) -> None:
        """As Leadership.resign."""
        self.release()


class BlockingSeat(BlockingHeld):
    """As `Seat`."""

    def __init__(self, held: Seat) -> None:
        super().__init__(held)
        self._seat = held

    def update(self, data: bytes | str) -> None:
        """As Seat.update."""
        _run(self._seat.update(data))


class BlockingJob(BlockingHeld):
    """As `Job`."""

    def __init__(self, held: Job) -> None:
        super().__init__(held)
        self._job = held
        self.value = held.value

    def done(self) -> None:
        """As Job.done."""
        _run(self._job.done())


class BlockingAcquirable(Generic[AnyHeld, Twin]):
    """As `Acquirable`; the owner is the thread."""

    def __init__(self, inner: Acquirable[AnyHeld], twin: Callable[[AnyHeld], Twin]) -> None:
        self._inner = inner
        self._twin = twin
        self._blocks: dict[int, Twin] = {}
        self.name = inner.name

    def acquire(self, *, timeout: float | None = None, blocking: bool | None = None) -> Twin:
        """As Acquirable.acquire."""
        owner = ("thread", threading.get_ident())
        return self._twin(_run(self._inner.acquire(timeout=timeout, blocking=blocking, owner=owner)))

    def __enter__(self) -> Twin:
        held = self._blocks[threading.get_ident()] = self.acquire()
        return held

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        held = self._blocks.pop(threading.get_ident())
        try:
            if kind is None:
                held.check()
        finally:
            held.release()


def blocking_lock(inner: Acquirable[Held]) -> BlockingAcquirable[Held, BlockingHeld]:
    """The twin of a lock or semaphore."""
    return BlockingAcquirable(inner, BlockingHeld)


class BlockingReadWriteLock:
    """As `ReadWriteLock`."""

    def __init__(self, inner: ReadWriteLock) -> None:
        self._inner = inner

    def read(self, *, timeout: float | None = None, blocking: bool = True) -> BlockingAcquirable[Held, BlockingHeld]:
        """As ReadWriteLock.read."""
        return blocking_lock(self._inner.read(timeout=timeout, blocking=blocking))

    def write(self, *, timeout: float | None = None, blocking: bool = True) -> BlockingAcquirable[Held, BlockingHeld]:
        """As ReadWriteLock.write."""
        return blocking_lock(self._inner.write(timeout=timeout, blocking=blocking))


class BlockingBarrier:
    """As `Barrier`."""

    def __init__(self, inner: Barrier) -> None:
        self._inner = inner

    def hold(self) -> None:
        """As Barrier.hold."""
        _run(self._inner.hold())

    def release(self) -> None:
        """As Barrier.release."""
        _run(self._inner.release())

    def wait(self, *, timeout: float | None = None) -> None:
        """As Barrier.wait."""
        _run(self._inner.wait(timeout=timeout))


class BlockingDoubleBarrier:
    """As `DoubleBarrier`."""

    def __init__(self, inner: DoubleBarrier) -> None:
        self._inner = inner
        self._blocks: dict[int, Held] = {}

    def __enter__(self) -> BlockingHeld:
        held = self._blocks[threading.get_ident()] = _run(self._inner.enter())
        return BlockingHeld(held)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        _run(self._inner.leave(self._blocks.pop(threading.get_ident())))


class BlockingQueue:
    """As `Queue`."""

    def __init__(self, inner: Queue) -> None:
        self._inner = inner

    def put(self, value: bytes | str, *, priority: int = 0) -> Item:
        """As Queue.put."""
        return _run(self._inner.put(value, priority=priority))

    def size(self) -> int:
        """As Queue.size."""
        return _run(self._inner.size())

    def get(self, *, timeout: float | None = None) -> bytes:
        """As Queue.get."""
        return _run(self._inner.get(timeout=timeout))

    def claim(self, *, timeout: float | None = None) -> BlockingJob:
        """As Queue.claim."""
        return BlockingJob(_run(self._inner.claim(timeout=timeout)))

    @contextmanager
    def take(self, *, timeout: float | None = None) -> Iterator[BlockingJob]:
        """As Queue.take, but that the block is not cancelled: see the module."""
        job = self.claim(timeout=timeout)
        try:
            yield job
        except BaseException:
            job.release()
            raise
        job.done()


class BlockingCounter:
    """As `Counter`."""

    def __init__(self, inner: Counter) -> None:
        self._inner = inner

    def get(self) -> int:
        """As Counter.get."""
        return _run(self._inner.get())

    def add(self, amount: int = 1) -> int:
        """As Counter.add."""
        return _run(self._inner.add(amount))


class BlockingParty:
    """As `Party`."""

    def __init__(self, inner: Party) -> None:
        self._inner = inner

    def join(self, data: bytes | str = b"") -> BlockingAcquirable[Seat, BlockingSeat]:
        """As Party.join."""
        return BlockingAcquirable(self._inner.join(data), BlockingSeat)

    def members(self) -> list[Member]:
        """As Party.members."""
        return _run(self._inner.members())

    def watch(self) -> "BlockingStream[list[Member]]":
        """As Party.watch."""
        return BlockingStream(self._inner.watch())


class BlockingTreeCache(Mapping[bytes, bytes]):
    """As `TreeCache`. A snapshot is of one revision; several reads in a row may be of several."""

    def __init__(self, inner: TreeCache) -> None:
        self._inner = inner

    def __enter__(self) -> Self:
        _run(self._inner.open())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        _run(self._inner.close())

    def __getitem__(self, key: bytes | str) -> bytes:
        return self._inner[key]

    def __contains__(self, key: object) -> bool:
        return key in self._inner

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.snapshot().entries)

    def __len__(self) -> int:
        return len(self._inner)

    @property
    def revision(self) -> int:
        """As TreeCache.revision."""
        return self._inner.revision

    def entry(self, key: bytes | str) -> kv.KeyValue | None:
        """As TreeCache.entry."""
        return self._inner.entry(key)

    def snapshot(self) -> Snapshot:
        """As TreeCache.snapshot."""

        async def snapshot() -> Snapshot:
            return self._inner.snapshot()

        return _run(snapshot())

    def wait_for(self, revision: int, *, timeout: float | None = None) -> None:
        """As TreeCache.wait_for."""
        _run(self._inner.wait_for(revision, timeout=timeout))

    def changes(self) -> "BlockingStream[Snapshot]":
        """As TreeCache.changes."""
        return BlockingStream(self._inner.changes())


class BlockingStream(Generic[Told]):
    """What an async generator says, for `for`; `with` closes it."""

    def __init__(self, inner: AsyncGenerator[Told, None]) -> None:
        self._inner = inner

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Told:
        async def following() -> list[Told]:
            async for told in self._inner:
                return [told]
            return []

        for told in _run(following()):
            return told
        raise StopIteration

    def close(self) -> None:
        """Ends it."""

        async def close() -> None:
            await self._inner.aclose()

        _run(close())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class BlockingElection:
    """As `Election`."""

    def __init__(self, inner: Election) -> None:
        self._inner = inner
        self.name = inner.name

    def campaign(
        self, value: bytes | str = b"", *, timeout: float | None = None, blocking: bool = True
    ) -> BlockingAcquirable[Leadership, BlockingLeadership]:
        """As Election.campaign."""
        campaign: Campaign = self._inner.campaign(value, timeout=timeout, blocking=blocking)
        return BlockingAcquirable(campaign, BlockingLeadership)

    def leader(self) -> Leader | None:
        """As Election.leader."""
        return _run(self._inner.leader())

    def observe(self) -> BlockingStream[Leader]:
        """As Election.observe."""
        return BlockingStream(self._inner.observe())

    def run(
        self,
        work: Callable[[BlockingLeadership], Result],
        value: bytes | str = b"",
        *,
        on_lost: Callable[[LostError], None] | None = None,
    ) -> Result:
        """As Election.run, but that `work` is not cancelled: it asks its leadership whether to go on (`check`), and what it
        returns after a loss does not count.
        """
        while True:
            try:
                with self.campaign(value) as leadership:
                    return work(leadership)
            except LostError as error:
                if error.name != self.name:
                    raise
                if on_lost is not None:
                    on_lost(error)

    def only(
        self,
        work: Callable[Concatenate[BlockingLeadership, P], Result],
        value: bytes | str = b"",
        *,
        on_lost: Callable[[LostError], None] | None = None,
    ) -> Callable[P, Result]:
        """`work` as a function that waits until this process leads, and gets its leadership as its first argument."""

        @wraps(work)
        def elected(*args: P.args, **options: P.kwargs) -> Result:
            return self.run(lambda leadership: work(leadership, *args, **options), value, on_lost=on_lost)

        return elected
