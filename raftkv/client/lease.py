"""A lease that is held: granted on entry, renewed in the background, watched by the clock, given back on exit."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from types import TracebackType
from typing import NamedTuple, Self

from raftkv.client.session import Session
from raftkv.errors import ClientClosedError, LeaseLostError, RaftKVError
from raftkv.pb import rpc
from raftkv.recipes.lease_term import Act, LeaseState, LeaseTerm

Observer = Callable[[LeaseState], None]


class LeaseCalls(NamedTuple):
    """What a lease asks of its client."""

    grant: Callable[[int, int], Awaitable[rpc.LeaseGrantResponse]]
    renew: Callable[[int], Awaitable[rpc.LeaseKeepAliveResponse]]
    revoke: Callable[[int, float | None], Awaitable[rpc.LeaseRevokeResponse]]


class HeldLease:
    """A lease of this process: keys that are put under its id go away with it.

    async with client.lease(10) as lease:
        await client.put("worker/3", "10.0.0.3", lease=lease.id)
        ...

    It is renewed each third of its time to live. `alive` and `remaining` ask the clock, so they are right even where the
    event loop was held up; `at_risk` and `lost` are events, and `observe` calls back. What is lost stays lost.

    In a child that the process forks, the lease is not held: there it counts as lost, and leaving its block revokes nothing.
    """

    def __init__(
        self, calls: LeaseCalls, session: Callable[[], Session], *, ttl: int, lease_id: int, adopt: bool, revoke: bool
    ) -> None:
        """For `Client.lease` and `Client.adopt_lease`."""
        self.id = lease_id
        """0 until it is granted, where it was not chosen."""
        self.ttl = ttl
        """Seconds, as granted; before that, as asked for."""
        self.at_risk = asyncio.Event()
        """Set while two thirds of the time to live have passed without a renewal: time to put things in order."""
        self.lost = asyncio.Event()
        """Set when it is lost, for good."""
        self.loss: LeaseLostError | None = None
        """Why it was lost."""
        self._calls = calls
        self._make_session = session
        self._adopt = adopt
        self._revoke = revoke
        self._session: Session | None = None
        self._term: LeaseTerm | None = None
        self._state = LeaseState.NEW
        self._timer: asyncio.TimerHandle | None = None
        self._observers: dict[int, Observer] = {}
        self._numbers = count()
        self._failure: RaftKVError | None = None

    # --- its course

    async def open(self) -> None:
        """Grants the lease (or renews the one adopted) and begins to keep it alive. Raises LeaseLostError, RequestError."""
        if self._state is not LeaseState.NEW:
            raise RuntimeError("a lease is opened once")
        session = self._session = self._make_session()
        begun = session.loop.time()
        answer: rpc.LeaseKeepAliveResponse | rpc.LeaseGrantResponse
        if self._adopt:
            answer = await self._calls.renew(self.id)
            if answer.TTL <= 0:
                raise LeaseLostError(self.id, "there is no such lease")
        else:
            answer = await self._calls.grant(self.ttl, self.id)
        self.id, self.ttl = answer.ID, answer.TTL
        self._term = LeaseTerm(sent_at=begun, ttl=self.ttl)
        session.keepalives.add(self)
        self._state = LeaseState.ALIVE
        self._look()

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109  # of the call; the server is told
        """Stops keeping it alive, and revokes it if it is ours and may be there still; its keys go with it.

        If it cannot be revoked now (the cluster cannot be reached), it expires by itself, and nothing is raised.
        """
        revoke = self._revoke and self.alive
        self._end(LeaseState.REVOKED)
        if revoke:
            with suppress(RaftKVError):
                await self._calls.revoke(self.id, timeout)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # --- how it is

    @property
    def inherited(self) -> bool:
        """Whether the process has forked since it was opened: then it is the parent's."""
        return self._session is not None and self._session.inherited

    @property
    def state(self) -> LeaseState:
        """As of this moment, by the clock."""
        if self._state in {LeaseState.ALIVE, LeaseState.AT_RISK}:
            assert self._session is not None
            assert self._term is not None
            return LeaseState.LOST if self.inherited else self._term.state(self._session.loop.time())
        return self._state

    @property
    def alive(self) -> bool:
        """Whether the cluster keeps the lease, for certain."""
        return self.state in {LeaseState.ALIVE, LeaseState.AT_RISK}

    @property
    def remaining(self) -> float:
        """Seconds for which the lease lives for certain, if no renewal succeeds any more; 0: it does not."""
        if not self.alive or self._term is None or self._session is None:
            return 0.0
        return max(0.0, self._term.ends_at - self._session.loop.time())

    def check(self) -> None:
        """Raises LeaseLostError unless the lease is alive."""
        if not self.alive:
            raise self.loss or LeaseLostError(self.id, f"it is {self.state.value}")

    async def wait_lost(self) -> LeaseLostError:
        """Waits until the lease is lost, and answers why."""
        await self.lost.wait()
        assert self.loss is not None
        return self.loss

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Calls `observer` with each new state: AT_RISK, ALIVE again, LOST, REVOKED. Answers what ends that.

        It is called on the client's loop, so it must not wait.
        """
        number = next(self._numbers)
        self._observers[number] = observer

        def end() -> None:
            self._observers.pop(number, None)

        return end

    # --- KeptAlive

    def stream_opened(self) -> None:
        assert self._term is not None
        self._term.unasked()
        self._look()

    def answered(self, ttl: int) -> None:
        if ttl <= 0:
            self._lose("the cluster does not know it any more: it has expired or was revoked")
            return
        assert self._term is not None
        self._term.renewed(ttl)
        self.ttl = ttl
        self._failure = None
        self._look()

    def forsaken(self, error: RaftKVError) -> None:
        self._failure = error
        if isinstance(error, ClientClosedError):
            self._lose(str(error))

    # --- the clock

    def _look(self) -> None:
        """Does what is due, notes what state it is in, and comes back when that may change."""
        if self._state not in {LeaseState.ALIVE, LeaseState.AT_RISK}:
            return
        assert self._session is not None
        assert self._term is not None
        now = self._session.loop.time()
        state = self._term.state(now)
        if state is LeaseState.LOST:
            self._lose(self._reason())
            return
        self._do(self._term.act(now), now)
        self._become(state)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._session.loop.call_at(self._term.look_again_at(now), self._look)

    def _do(self, act: Act, now: float) -> None:
        assert self._session is not None
        assert self._term is not None
        if act is Act.RENEW and self._session.keepalives.renew(self.id):
            self._term.asked(now)
        elif act is Act.LEAVE:
            self._term.unasked()
            self._session.keepalives.leave()

    def _become(self, state: LeaseState) -> None:
        if state is self._state:
            return
        self._state = state
        if state is LeaseState.AT_RISK:
            self.at_risk.set()
        else:
            self.at_risk.clear()
        for observer in list(self._observers.values()):
            observer(state)

    def _lose(self, reason: str) -> None:
        self.loss = LeaseLostError(self.id, reason)
        self._end(LeaseState.LOST)

    def _end(self, state: LeaseState) -> None:
        if self._state in {LeaseState.LOST, LeaseState.REVOKED}:
            return
        if self._session is not None and not self._session.inherited:
            if self._timer is not None:
                self._timer.cancel()
            self._session.keepalives.remove(self)
        if state is LeaseState.LOST:
            self.lost.set()
        self._become(state)

    def _reason(self) -> str:
        assert self._session is not None
        failure = self._failure or self._session.keepalives.last_failure
        return f"not renewed within {self.ttl} s" + (f": {failure}" if failure is not None else "")
