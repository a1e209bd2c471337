"""A lock for so many: fair, with one watcher however many wait.

name/line/...   who waits, in order; whoever is first takes a place when one is free, and leaves the line
name/held/...   who holds
"""

from raftkv.errors import LostError, NotAcquiredError
from raftkv.recipes.acquisition import DEFAULT_TTL_S, Acquirable, take_turn
from raftkv.recipes.held import Held
from raftkv.recipes.line import Place, withdraw
from raftkv.recipes.requests import created_at, delete, get, one, prefix_end, put, txn, under
from raftkv.recipes.session import Session, insist
from raftkv.recipes.sessions import Sessions
from raftkv.recipes.watching import DELETES, changed


class Semaphore(Acquirable[Held]):
    """At most `limit` hold it at once. All who use it must name the same limit.

    Args:
        name: Which semaphore.
        limit: How many may hold it.
        ttl: Seconds after which a holder that is gone without a word loses its place.
        timeout: Seconds to wait at most; None: as long as it takes.
        blocking: False: do not wait, but raise NotAcquiredError if no place is free.
    """

    def __init__(
        self,
        sessions: Sessions,
        name: str,
        limit: int,
        *,
        ttl: float = DEFAULT_TTL_S,
        timeout: float | None = None,
        blocking: bool = True,
    ) -> None:
        if limit < 1:
            raise ValueError(f"a semaphore has at least one place, not {limit}")
        super().__init__(sessions, name, ttl=ttl, timeout=timeout, blocking=blocking)
        self._limit = limit
        self._line = name.encode() + b"/line/"
        self._holders = name.encode() + b"/held/"

    @property
    def _identity(self) -> object:
        return object()  # one owner may hold several places

    async def _acquire(self, session: Session, *, blocking: bool) -> Held:
        place = await take_turn(session, self.name, session.key(self._line), self._line, blocking=blocking)
        key = session.key(self._holders)
        taking = session.start(insist(lambda: self._take(session, place, key, blocking=blocking)))
        try:
            taken = await session.wait(self.name, taking)
        except BaseException:
            taking.cancel()
            await session.undo(_take_back(session, place, key))
            raise
        return Held(self.name, session, taken)

    async def _take(self, session: Session, place: Place, key: bytes, *, blocking: bool) -> Place:
        """Exchanges the first place in the line for one among the holders."""
        store = session.store
        while True:
            holders = await store.range(under(self._holders, keys_only=True))
            mine = [holder for holder in holders.kvs if holder.key == key]
            if mine:
                return Place(key, mine[0].create_revision)
            if len(holders.kvs) < self._limit:
                request = txn(
                    [created_at(place.key, place.revision), created_at(key, 0)],
                    [put(key, b"", session.lease), delete(place.key)],
                    [get(one(key))],
                )
                response = await store.txn(request)
                if response.succeeded:
                    return Place(key, response.header.revision)
                if not response.responses[0].response_range.kvs:
                    raise LostError(self.name, "its key was deleted while it waited")
                continue
            if not blocking:
                raise NotAcquiredError(self.name)
            await changed(store, self._holders, prefix_end(self._holders), holders.header.revision, DELETES)


async def _take_back(session: Session, place: Place, key: bytes) -> None:
    await insist(lambda: withdraw(session.store, place.key))
    await insist(lambda: withdraw(session.store, key))
