"""What somebody holds: a lock, a place among the holders of a semaphore, the leadership of an election, a seat in a party.

held --session at risk--> at risk --renewed--> held
  |--- lease gone, or key deleted by somebody else ---> lost
  '--- release ---> released
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Self

from raftkv.errors import CompactedError, LostError
from raftkv.pb import rpc
from raftkv.recipes.line import Place, deleted
from raftkv.recipes.protocol import KV
from raftkv.recipes.requests import created_at, delete, one, txn
from raftkv.recipes.session import Session
from raftkv.recipes.signal import Signal


class Token(int):
    """A fencing token: the revision that created the holder's key. Every later holder's is larger.

    It is an int, to be compared and stored by whatever is protected. It knows its key too, so that `verify` can ask the
    cluster; `encode` and `decode` carry both through a text.
    """

    key: bytes

    def __new__(cls, revision: int, key: bytes) -> Self:
        """The token of a key."""
        token = super().__new__(cls, revision)
        token.key = key
        return token

    def __getnewargs__(self) -> tuple[int, bytes]:  # type: ignore[override] # for pickle: int's own has the number only
        return int(self), self.key

    def encode(self) -> str:
        """The token as text."""
        return f"{int(self)}@{self.key.hex()}"

    @classmethod
    def decode(cls, text: str) -> Self:
        """The token that `encode` wrote. Raises ValueError."""
        revision, at, key = text.partition("@")
        if not at:
            raise ValueError(f"{text!r} is no token")
        return cls(int(revision), bytes.fromhex(key))

    def guard(self) -> rpc.Compare:
        """Holds in a transaction while this token's holder holds."""
        return created_at(self.key, self)


async def verify(store: KV, token: Token) -> bool:
    """Asks the cluster whether the token's holder still holds."""
    response = await store.range(one(token.key))
    return bool(response.kvs) and response.kvs[0].create_revision == token


class Held:
    """Something held. `lost` and `at_risk` are signals: `is_set()`, `await wait()`, `add_callback()`."""

    def __init__(self, name: str, session: Session, place: Place, undo: Sequence[rpc.RequestOp] = ()) -> None:
        self.name = name
        self.key = place.key
        self.token = Token(place.revision, place.key)
        """The fencing token: give it to whatever must refuse those who held before."""
        self.lost = Signal()
        """Set when it is lost; not when it is released."""
        self.lost_reason = ""
        self.ended = Signal()
        """Set when it is lost or released."""
        self._session = session
        self._undo = [delete(place.key), *undo]
        self._released = False
        self._watching = session.start(self._watch())
        session.lost.add_callback(self._session_lost)

    @property
    def at_risk(self) -> Signal:
        """Set while the lease could not be renewed for so long that it soon runs out: the time to save what can be saved."""
        return self._session.at_risk

    @property
    def lease(self) -> int:
        """The lease that it hangs on; keys put with it go away together with it."""
        return self._session.lease

    @property
    def remaining(self) -> float:
        """Seconds that the lease has surely left."""
        return self._session.remaining

    @property
    def store(self) -> KV:
        """The cluster that it is held in."""
        return self._session.store

    def check(self) -> None:
        """Raises LostError if it is lost, as far as can be known without asking."""
        if not self._released and not self.lost.is_set():
            try:
                self._session.check(self.name)
            except LostError as error:
                self._lose(error.reason)
        if self.lost.is_set():
            raise LostError(self.name, self.lost_reason)

    async def verify(self) -> bool:
        """Asks the cluster whether it is still held."""
        return await verify(self._session.store, self.token)

    def guard(self) -> rpc.Compare:
        """A comparison for a transaction that must have an effect only while this is held."""
        return self.token.guard()

    async def txn(
        self,
        compare: Iterable[rpc.Compare] = (),
        success: Iterable[rpc.RequestOp] = (),
        failure: Iterable[rpc.RequestOp] = (),
    ) -> rpc.TxnResponse:
        """A transaction that is executed only while this is held. Raises LostError if it is not."""
        inner = rpc.RequestOp(request_txn=txn(compare, success, failure))
        response = await self._session.store.txn(txn([self.guard()], [inner]))
        if not response.succeeded:
            self._lose("its key is gone")
            raise LostError(self.name, self.lost_reason)
        answer = response.responses[0].response_txn
        answer.header.CopyFrom(response.header)
        return answer

    async def release(self) -> None:
        """Gives it up, so that the next one has it at once. Idempotent; goes on if the caller is cancelled."""
        if self._released or self.lost.is_set():
            return
        self._let_go()
        request = txn([self.guard()], self._undo)
        await self._session.see_through(self.name, lambda: self._session.store.txn(request), lost_is_fine=True)

    def _let_go(self) -> None:
        """From here on, that the key goes is no loss."""
        self._released = True
        self._end_watching()
        self.ended.set()

    # --- how it is lost ---------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Somebody may delete the key, or revoke the lease, long before the next renewal would tell."""
        revision = int(self.token)
        while True:
            try:
                await deleted(self._session.store, self.key, revision)
            except CompactedError:
                response = await self._session.store.range(one(self.key))
                if response.kvs and response.kvs[0].create_revision == self.token:
                    revision = response.header.revision
                    continue
            self._lose("its key was deleted")
            return

    def _session_lost(self) -> None:
        self._lose(self._session.lost_reason)

    def _lose(self, reason: str) -> None:
        if self._released or self.lost.is_set():
            return
        self.lost_reason = reason
        self._end_watching()
        self.lost.set()
        self.ended.set()

    def _end_watching(self) -> None:
        self._session.lost.remove_callback(self._session_lost)
        if self._watching is not asyncio.current_task():
            self._watching.cancel()
