"""A number that many change, each change counted once."""

from raftkv.recipes.requests import changed_at, found, get, one, put, txn
from raftkv.recipes.sessions import Sessions


class Counter:
    """Kept as decimal text under the key `name`, 0 where there is none.

    `add` raises OutcomeUnknownError where a server that does not know request ids (etcd) leaves it in doubt.
    """

    def __init__(self, sessions: Sessions, name: str) -> None:
        self.name = name
        self._store = sessions.store
        self._key = name.encode()

    async def get(self) -> int:
        """The number."""
        response = await self._store.range(one(self._key))
        return int(response.kvs[0].value) if response.kvs else 0

    async def add(self, amount: int = 1) -> int:
        """Adds, and answers the sum. Whoever is overtaken by another adds to what that left."""
        response = await self._store.range(one(self._key))
        known = response.kvs[0] if response.kvs else None
        while True:
            total = (int(known.value) if known else 0) + amount
            unchanged = changed_at(self._key, known.mod_revision if known else 0)
            answer = await self._store.txn(txn([unchanged], [put(self._key, b"%d" % total)], [get(one(self._key))]))
            if answer.succeeded:
                return total
            known = found(answer, 0)
