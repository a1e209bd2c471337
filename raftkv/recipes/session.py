"""A session: one lease that is kept alive, and all that hangs on it.

    open -----renewed-----> open        its term begins anew (raftkv.recipes.lease_term)
      |---- a third of the time is left ----> at risk ----renewed----> open
      '---- the term is over, or the server says that the lease is gone ----> lost

A term ends here before it does at the server: who asks `lost` is told no later than the next holder is let in, as far as one
clock can know of another machine. A process that was stopped for longer learns it when it goes on; for that there are fencing
tokens.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from math import ceil
from typing import Any, TypeVar

from raftkv.errors import LostError, OutcomeUnknownError, RaftKVError
from raftkv.recipes.lease_term import LeaseState, LeaseTerm
from raftkv.recipes.protocol import KV
from raftkv.recipes.signal import Signal

RETRY_PART = 20
"""After a renewal that failed, the next follows in a twentieth of the time."""
UNDO_PATIENCE_S = 2.0
"""How long a cancelled caller waits for its key to be gone; beyond that the session goes on alone."""

AGAIN_AFTER_S = 0.1
"""Pause before a write is repeated of which nobody knows whether it was executed."""
CLOSED = "its session was closed"
RAN_OUT = "its lease ran out"

Result = TypeVar("Result")


class Session:
    """Use `open_session`. Belongs to one event loop."""

    def __init__(self, store: KV, lease: int, ttl: int, sent: float) -> None:
        self.store = store
        self.lease = lease
        self.ttl = ttl
        """Seconds, as the server granted them."""
        self.at_risk = Signal()
        """Set while no renewal has come through for so long that a third of the time is left."""
        self.lost = Signal()
        """Set when the lease is gone, or must be taken to be."""
        self.lost_reason = ""
        self._loop = asyncio.get_running_loop()
        self._term = LeaseTerm(sent_at=sent, ttl=ttl)
        self._closed = False
        self._timer: asyncio.TimerHandle | None = None
        self._errands: set[asyncio.Task[Any]] = set()
        self._serial = 0
        self._renewing = self._loop.create_task(self._renew())
        self._look()

    @property
    def usable(self) -> bool:
        """Whether something new may be hung on it."""
        return not (self._closed or self.lost.is_set())

    @property
    def remaining(self) -> float:
        """Seconds that the lease has surely left."""
        return max(0.0, self._term.ends_at - self._loop.time())

    def key(self, prefix: bytes) -> bytes:
        """A key under the prefix that nobody else uses: the lease, and a number for each key but the first."""
        self._serial += 1
        number = b"" if self._serial == 1 else b"-%x" % self._serial
        return prefix + b"%x" % self.lease + number

    def check(self, name: str) -> None:
        """Raises LostError if the lease is gone, even where no timer has told it yet."""
        if self._term.state(self._loop.time()) is LeaseState.LOST:
            self._lose(RAN_OUT)
        if self.lost.is_set():
            raise LostError(name, self.lost_reason)

    def expired(self) -> None:
        """Somebody has found the lease gone."""
        self._lose("its lease was revoked or ran out")

    async def close(self) -> None:
        """Ends the lease, and with it every key of the session. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self.lost_reason = self.lost_reason or CLOSED
        self._stop_timer()
        await _cancelled(self._renewing)
        for errand in [*self._errands]:
            await _cancelled(errand)
        if not self.lost.is_set():
            with suppress(RaftKVError):  # what cannot be reached ends by itself
                async with asyncio.timeout(UNDO_PATIENCE_S):
                    await self.store.revoke(self.lease)
            self._lose(CLOSED)

    # --- errands: what must be finished, whoever is cancelled ---------------------------------------------------------

    def start(self, work: Coroutine[Any, Any, Result]) -> "asyncio.Task[Result]":
        """Runs work that outlives its caller, but not the session."""
        task = self._loop.create_task(work)
        self._errands.add(task)
        task.add_done_callback(self._errand_done)
        return task

    async def run(self, name: str, work: Coroutine[Any, Any, Result]) -> Result:
        """Runs work that is cancelled with its caller, or with the session. Raises LostError then, in place of `work`'s own."""
        task = self.start(work)
        try:
            return await self.wait(name, task)
        except asyncio.CancelledError:
            await _cancelled(task)
            raise

    async def wait(self, name: str, task: "asyncio.Task[Result]") -> Result:
        """What started work comes to, which goes on if the caller is cancelled. Raises LostError if the session ended it."""
        await asyncio.wait([task])
        return self._outcome(name, task)

    async def see_through(
        self, name: str, attempt: Callable[[], Coroutine[Any, Any, Any]], *, lost_is_fine: bool = False
    ) -> None:
        """Does something to its end, even if the caller is cancelled: only the loss of the session ends it earlier.

        `attempt` may run more than once. The caller waits for it; a cancelled one not longer than it takes to be polite.
        """
        task = self.start(insist(attempt))
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            await asyncio.wait([task], timeout=UNDO_PATIENCE_S)
            raise
        if not (task.cancelled() and lost_is_fine):
            self._outcome(name, task)

    async def undo(self, work: Coroutine[Any, Any, Any]) -> None:
        """Takes back what a failed or cancelled caller began; waits for that a while, and lets it go on alone then."""
        await asyncio.wait([self.start(work)], timeout=UNDO_PATIENCE_S)

    def _outcome(self, name: str, task: "asyncio.Task[Result]") -> Result:
        if task.cancelled():
            raise LostError(name, self.lost_reason)
        return task.result()

    def _errand_done(self, task: "asyncio.Task[Any]") -> None:
        self._errands.discard(task)
        if not task.cancelled():
            task.exception()  # who waits is told; if nobody does, the lease cleans up

    # --- keeping alive ------------------------------------------------------------------------------------------------

    async def _renew(self) -> None:
        term = self._term
        due = term.renew_at
        while not self.lost.is_set():
            await asyncio.sleep(due - self._loop.time())
            term.asked(self._loop.time())
            try:
                async with asyncio.timeout_at(term.ends_at):
                    ttl = await self.store.keep_alive(self.lease)
            except (RaftKVError, TimeoutError):
                term.unasked()
                due = self._loop.time() + self.ttl / RETRY_PART
                continue
            if ttl <= 0:
                self.expired()
                return
            term.renewed(ttl)
            due = term.renew_at
            self._look()

    def _look(self) -> None:
        """Notes what state the lease is in, and comes back when that may change."""
        now = self._loop.time()
        state = self._term.state(now)
        if state is LeaseState.LOST:
            self._lose(RAN_OUT)
            return
        if state is LeaseState.AT_RISK:
            self.at_risk.set()
        else:
            self.at_risk.clear()
        self._stop_timer()
        self._timer = self._loop.call_at(self._term.look_again_at(now), self._look)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _lose(self, reason: str) -> None:
        if self.lost.is_set():
            return
        self.lost_reason = reason
        self._stop_timer()
        self._renewing.cancel()
        for errand in self._errands:
            errand.cancel()
        self.lost.set()


async def open_session(store: KV, ttl: float) -> Session:
    """A session with a new lease of `ttl` seconds, rounded up."""
    sent = asyncio.get_running_loop().time()
    granted = await store.grant(ceil(ttl))
    return Session(store, granted.ID, granted.TTL, sent)


async def insist(attempt: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Does something that may be done twice until its outcome is known."""
    while True:
        try:
            return await attempt()
        except OutcomeUnknownError:
            await asyncio.sleep(AGAIN_AFTER_S)


async def _cancelled(task: "asyncio.Task[Any]") -> None:
    task.cancel()
    await asyncio.wait([task])
