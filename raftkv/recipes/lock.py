"""A lock for one, fair: who asks first has it first, whatever becomes of the nodes and of the others."""

import asyncio

from raftkv.errors import LostError
from raftkv.recipes.acquisition import DEFAULT_TTL_S, Acquirable, take_turn
from raftkv.recipes.held import Held
from raftkv.recipes.line import Place
from raftkv.recipes.requests import created_at, delete, one, put, txn
from raftkv.recipes.session import Session, insist
from raftkv.recipes.sessions import Sessions


class Lock(Acquirable[Held]):
    """A mutual exclusion lock.

    It stands in one line with the locks of etcd's clients and of `etcdctl lock` under the same name.

    Args:
        name: Which lock; everybody under this name excludes each other.
        ttl: Seconds after which a holder that is gone without a word loses it.
        timeout: Seconds to wait for it at most; None: as long as it takes.
        blocking: False: do not wait, but raise NotAcquiredError if another holds it.
        delay: Seconds to wait in addition when the last holder did not give it back but lost it, and may not know that yet.
            All who use the lock must ask for a delay, or their losses go unseen; fencing tokens are the stricter means.
    """

    def __init__(
        self,
        sessions: Sessions,
        name: str,
        *,
        ttl: float = DEFAULT_TTL_S,
        timeout: float | None = None,
        blocking: bool = True,
        delay: float = 0.0,
    ) -> None:
        super().__init__(sessions, name, ttl=ttl, timeout=timeout, blocking=blocking)
        self._delay = delay

    async def _acquire(self, session: Session, *, blocking: bool) -> Held:
        prefix = self.name.encode() + b"/"
        place = await take_turn(session, self.name, session.key(prefix), prefix, blocking=blocking)
        if not self._delay:
            return Held(self.name, session, place)
        return await self._after_delay(session, place)

    async def _after_delay(self, session: Session, place: Place) -> Held:
        """While the lock is held there is a record of it, which the holder removes when it gives the lock back. One that is
        there before was left by a holder that lost the lock.
        """
        record = self.name.encode() + b"\x00holder"
        held = Held(self.name, session, place, [delete(record)])
        try:
            await session.run(self.name, self._mark(session, place, record))
        except BaseException:
            await held.release()
            raise
        return held

    async def _mark(self, session: Session, place: Place, record: bytes) -> None:
        if (await session.store.range(one(record))).kvs:
            await asyncio.sleep(self._delay)
        request = txn([created_at(place.key, place.revision)], [put(record, b"%d" % place.revision)])
        if not (await insist(lambda: session.store.txn(request))).succeeded:
            raise LostError(self.name, "its key was deleted")
