"""The sessions of one client: one for each time to live that is asked for, opened when first needed and shared.

A lock costs one write to take and one to give back, not a lease of its own. When a session is lost, all that hangs on it is;
whoever asks next gets a new one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from raftkv.errors import ClientClosedError, HeldAlreadyError, LeaseNotFoundError
from raftkv.recipes.protocol import KV
from raftkv.recipes.session import Session, open_session

Result = TypeVar("Result")


class Sessions:
    """Belongs to one event loop."""

    def __init__(self, store: KV, life: Callable[[], object] = bool) -> None:
        """`life`: what sessions belong to, besides the loop; when it is another, as in a forked child, they are forgotten."""
        self.store = store
        self._life = life
        self._alive: object = None
        self._sessions: dict[float, Session] = {}
        self._opening = asyncio.Lock()
        self._owners: set[tuple[object, object]] = set()
        self._closed = False

    async def get(self, ttl: float) -> Session:
        """An open session with this time to live, in seconds."""
        self._look_alive()
        session = self._sessions.get(ttl)
        if session is not None and session.usable:
            return session
        async with self._opening:
            session = self._sessions.get(ttl)
            if session is None or not session.usable:
                if self._closed:
                    raise ClientClosedError
                session = self._sessions[ttl] = await open_session(self.store, ttl)
            return session

    async def use(self, ttl: float, work: Callable[[Session], Awaitable[Result]]) -> Result:
        """Does something with an open session: with a new one, if the lease turns out to be gone that nobody has missed yet."""
        while True:
            session = await self.get(ttl)
            try:
                return await work(session)
            except LeaseNotFoundError:
                session.expired()

    def _look_alive(self) -> None:
        alive = self._life()
        if alive is not self._alive:
            self._alive = alive
            self._sessions = {}
            self._opening = asyncio.Lock()
            self._owners = set()

    async def close(self) -> None:
        """Ends all sessions, and with them all that hangs on them."""
        self._closed = True
        async with self._opening, asyncio.TaskGroup() as closing:
            for session in self._sessions.values():
                closing.create_task(session.close())

    # --- who holds what: only to refuse to wait for oneself --------------------------------------------------------------

    def refuse_reentry(self, what: object, name: str, owner: object) -> None:
        """Raises HeldAlreadyError if the owner holds it already."""
        if (what, owner) in self._owners:
            raise HeldAlreadyError(name)

    def holds(self, what: object, owner: object) -> None:
        """The owner holds it from now on."""
        self._owners.add((what, owner))

    def holds_no_more(self, what: object, owner: object) -> None:
        """The owner has it no more."""
        self._owners.discard((what, owner))
