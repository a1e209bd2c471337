"""Leader election for programs: campaign, lead while it lasts, be told when it ends; watch who leads.

    async with client.election("scheduler").campaign("node-1") as leadership:
        ...                          # cancelled, with LostError, the moment that leadership is lost

The conversations are those of `candidacy`, so etcd's clients and `etcdctl elect` can take part.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import NamedTuple, TypeVar

from raftkv.errors import LostError, NoElectedLeaderError, NotElectedError
from raftkv.recipes import candidacy
from raftkv.recipes.acquisition import DEFAULT_TTL_S, Acquirable, take_turn
from raftkv.recipes.held import Held, Token
from raftkv.recipes.line import Place
from raftkv.recipes.session import Session, insist
from raftkv.recipes.sessions import Sessions

Result = TypeVar("Result")


class Leader(NamedTuple):
    """Who leads, as far as is known."""

    value: bytes
    """What it says of itself."""
    token: Token
    """Its fencing token."""


class Leadership(Held):
    """Leading, until it is released or lost."""

    def __init__(self, name: str, session: Session, place: Place) -> None:
        super().__init__(name, session, place)
        self._candidacy = place

    async def proclaim(self, value: bytes | str) -> None:
        """Says something new to all who observe. Raises LostError."""
        try:
            await insist(lambda: candidacy.proclaim(self.store, self._candidacy, self.lease, _bytes(value)))
        except NotElectedError:
            raise self._gone() from None

    async def resign(self) -> None:
        """Lets the next lead at once. Idempotent."""
        await self.release()

    def _gone(self) -> LostError:
        self._lose("its key is gone")
        return LostError(self.name, self.lost_reason)


class Campaign(Acquirable[Leadership]):
    """To be awaited, or used with `async with`."""

    def __init__(
        self, sessions: Sessions, name: str, value: bytes, *, ttl: float, timeout: float | None, blocking: bool
    ) -> None:
        super().__init__(sessions, name, ttl=ttl, timeout=timeout, blocking=blocking)
        self._value = value

    async def _acquire(self, session: Session, *, blocking: bool) -> Leadership:
        prefix = self.name.encode() + b"/"
        place = await take_turn(session, self.name, session.key(prefix), prefix, self._value, blocking=blocking)
        return Leadership(self.name, session, place)


class Election:
    """One election.

    Args:
        name: Which election.
        ttl: Seconds after which a leader that is gone without a word is replaced.
    """

    def __init__(self, sessions: Sessions, name: str, *, ttl: float = DEFAULT_TTL_S) -> None:
        self.name = name
        self._sessions = sessions
        self._ttl = ttl
        self._prefix = name.encode() + b"/"

    def campaign(self, value: bytes | str = b"", *, timeout: float | None = None, blocking: bool = True) -> Campaign:
        """Stands for leader.

        Args:
            value: What the others see of who leads: a name, an address.
            timeout: Seconds to wait at most; None: as long as it takes.
            blocking: False: raise NotAcquiredError if another leads.
        """
        return Campaign(self._sessions, self.name, _bytes(value), ttl=self._ttl, timeout=timeout, blocking=blocking)

    async def leader(self) -> Leader | None:
        """Who leads now; None: nobody."""
        try:
            sighting = await candidacy.current(self._sessions.store, self._prefix)
        except NoElectedLeaderError:
            return None
        return _leader(sighting)

    async def observe(self) -> AsyncGenerator[Leader, None]:
        """Every leader from now on, and everything it proclaims, in order; to be closed (`contextlib.aclosing`)."""
        async with aclosing(candidacy.observe(self._sessions.store, self._prefix)) as sightings:
            async for sighting in sightings:
                yield _leader(sighting)

    async def run(
        self,
        work: Callable[[Leadership], Awaitable[Result]],
        value: bytes | str = b"",
        *,
        on_lost: Callable[[LostError], None] | None = None,
    ) -> Result:
        """Runs `work` whenever this process leads, until it returns once; answers what it returned.

        When leadership is lost `work` is cancelled, and it begins again, from the start, when this process leads again.
        What else `work` raises ends it, and lets the next lead.
        """
        while True:
            try:
                async with self.campaign(value) as leadership:
                    return await work(leadership)
            except LostError as error:
                if error.name != self.name:
                    raise
                if on_lost is not None:
                    on_lost(error)


def _leader(sighting: candidacy.Sighting) -> Leader:
    key_value = sighting.key_value
    return Leader(key_value.value, Token(key_value.create_revision, key_value.key))


def _bytes(value: bytes | str) -> bytes:
    return value.encode() if isinstance(value, str) else value
