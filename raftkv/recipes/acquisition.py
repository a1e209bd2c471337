"""How something is acquired, whatever it is: waiting for the turn, time limits, undoing, and the block that is guarded.

held = await lock.acquire()          to be released by hand
async with lock as held: ...         released at the end; cancelled in the middle, with LostError, if it is lost
"""

import asyncio
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Any, Generic, TypeVar

from raftkv.errors import LostError, NotAcquiredError, SessionExpiredError
from raftkv.recipes.held import Held
from raftkv.recipes.line import Entry, Place, enter, wait_for_turn, withdraw
from raftkv.recipes.session import Session, insist
from raftkv.recipes.sessions import Sessions

DEFAULT_TTL_S = 10.0
"""Seconds that a holder which is gone without a word is waited for, where nobody says otherwise."""

AnyHeld = TypeVar("AnyHeld", bound=Held)


async def take_turn(
    session: Session, name: str, key: bytes, ahead: bytes, value: bytes = b"", *, blocking: bool = True
) -> Place:
    """Enters a line with `key` and returns when nobody of those under `ahead` is before it. Leaves no key behind otherwise.

    Raises:
        NotAcquiredError: somebody is before, and the caller does not want to wait.
        LostError: the session or the key was lost.
        ForeignKeyError: a key without a lease is before, which nobody would ever take away.
    """
    store = session.store
    entering = session.start(insist(lambda: enter(store, ahead, key, session.lease, value)))
    try:
        return await _stand(session, name, entering, ahead, blocking=blocking)
    except BaseException as error:
        await session.undo(take_back(session, entering, key))
        if isinstance(error, SessionExpiredError):
            raise LostError(name, "its key was deleted while it waited") from error
        raise


async def _stand(session: Session, name: str, entering: "asyncio.Task[Entry]", ahead: bytes, *, blocking: bool) -> Place:
    entry = await session.wait(name, entering)
    if not entry.first:
        if not blocking:
            raise NotAcquiredError(name)
        await session.run(name, wait_for_turn(session.store, ahead, entry.place, only_leased=True))
    return entry.place


async def take_back(session: Session, putting: "asyncio.Task[Any]", *keys: bytes) -> None:
    """Deletes keys of this caller alone. Only when what puts them has ended can it be undone."""
    await asyncio.wait([putting])
    for key in keys:
        await insist(lambda key=key: withdraw(session.store, key))  # type: ignore[misc] # bound now


class Acquirable(ABC, Generic[AnyHeld]):
    """Something that one can acquire and hold. It may be used again, and by several tasks."""

    def __init__(self, sessions: Sessions, name: str, *, ttl: float, timeout: float | None, blocking: bool) -> None:
        self.name = name
        self._sessions = sessions
        self._ttl = ttl
        self._timeout = timeout
        self._blocking = blocking
        self._blocks: dict[object, tuple[AnyHeld, Block]] = {}

    @abstractmethod
    async def _acquire(self, session: Session, *, blocking: bool) -> AnyHeld:
        """Waits for its turn in whatever line there is."""

    async def acquire(
        self,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 # of the whole wait, as the locks of threading have it
        blocking: bool | None = None,
        owner: object = None,
    ) -> AnyHeld:
        """Waits until it is held. To be released by `release()` of what comes back.

        Args:
            timeout: Seconds to wait at most; None: as the constructor was told.
            blocking: Whether to wait at all; None: as the constructor was told.
            owner: Who holds it, to notice who would wait for itself; None: the task that calls.

        Raises:
            TimeoutError: `timeout` passed.
            NotAcquiredError: Somebody else holds it, and `blocking` is false.
            HeldAlreadyError: The owner holds it already.
            LostError: The lease ended while waiting.
        """
        owner = owner or asyncio.current_task()
        self._sessions.refuse_reentry(self._identity, self.name, owner)
        seconds = self._timeout if timeout is None else timeout
        async with asyncio.timeout(seconds):
            wait = self._blocking if blocking is None else blocking
            held = await self._sessions.use(self._ttl, lambda session: self._acquire(session, blocking=wait))
        self._sessions.holds(self._identity, owner)
        held.ended.add_callback(lambda: self._sessions.holds_no_more(self._identity, owner))
        return held

    @property
    def _identity(self) -> object:
        """What the same owner cannot hold twice."""
        return type(self), self.name

    async def __aenter__(self) -> AnyHeld:
        held = await self.acquire()
        self._blocks[asyncio.current_task()] = held, Block(held)
        return held

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        held, block = self._blocks.pop(asyncio.current_task())
        try:
            block.leave(kind)
        finally:
            await held.release()


class Block:
    """The rest of the task's present block is cancelled when what it holds is lost."""

    def __init__(self, held: Held) -> None:
        task = asyncio.current_task()
        assert task is not None, "a block is a task's"
        self._held = held
        self._task = task
        self._requests = task.cancelling()
        self._cancelled = False
        held.lost.add_callback(self._cancel)

    def _cancel(self) -> None:
        if asyncio.current_task() is not self._task:  # else it is told by the exception that follows
            self._cancelled = True
            self._task.cancel()

    def leave(self, kind: type[BaseException] | None) -> None:
        """At the end of the block, with the exception that ends it.

        Raises:
            LostError: the block was cancelled for the loss, or had ended before it could be.
        """
        held = self._held
        held.lost.remove_callback(self._cancel)
        ours = not self._cancelled or self._task.uncancel() <= self._requests
        if held.lost.is_set() and (kind is None or (self._cancelled and ours and kind is asyncio.CancelledError)):
            raise LostError(held.name, held.lost_reason)
