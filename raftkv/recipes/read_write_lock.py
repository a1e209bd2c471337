"""A lock that many may hold to read, or one to write; fair, so a writer that waits is not passed by readers that come later."""

from raftkv.recipes.acquisition import DEFAULT_TTL_S, Acquirable, take_turn
from raftkv.recipes.held import Held
from raftkv.recipes.session import Session
from raftkv.recipes.sessions import Sessions


class _Side(Acquirable[Held]):
    """Readers or writers: where they stand, and for whom they wait."""

    def __init__(
        self, sessions: Sessions, name: str, key: bytes, ahead: bytes, *, ttl: float, timeout: float | None, blocking: bool
    ) -> None:
        super().__init__(sessions, name, ttl=ttl, timeout=timeout, blocking=blocking)
        self._key = key
        self._ahead = ahead

    @property
    def _identity(self) -> object:
        return ReadWriteLock, self.name

    async def _acquire(self, session: Session, *, blocking: bool) -> Held:
        place = await take_turn(session, self.name, session.key(self._key), self._ahead, blocking=blocking)
        return Held(self.name, session, place)


class ReadWriteLock:
    """All who read and write stand in one line. A reader waits for the writers before it, a writer for everybody.

    Args:
        name: Which lock.
        ttl: Seconds after which a holder that is gone without a word loses it.
    """

    def __init__(self, sessions: Sessions, name: str, *, ttl: float = DEFAULT_TTL_S) -> None:
        self._sessions = sessions
        self.name = name
        self._ttl = ttl
        self._prefix = name.encode() + b"/"
        self._writers = self._prefix + b"write/"

    def read(self, *, timeout: float | None = None, blocking: bool = True) -> Acquirable[Held]:
        """To be held together with other readers."""
        return self._side(self._prefix + b"read/", self._writers, timeout, blocking=blocking)

    def write(self, *, timeout: float | None = None, blocking: bool = True) -> Acquirable[Held]:
        """To be held alone."""
        return self._side(self._writers, self._prefix, timeout, blocking=blocking)

    def _side(self, key: bytes, ahead: bytes, timeout: float | None, *, blocking: bool) -> Acquirable[Held]:
        return _Side(self._sessions, self.name, key, ahead, ttl=self._ttl, timeout=timeout, blocking=blocking)
