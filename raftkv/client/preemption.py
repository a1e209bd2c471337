"""A notice of preemption as a training loop meets it: one question after each step, and one answer on all ranks.

    open     no notice: stop_at says False at once, and the next step counts as begun
    frozen   notice was given: no step is begun any more. The client's loop answers with the step that is begun, also while
             the training waits in a collective for somebody who is a step ahead; stop_at waits
    agreed   the highest step that anybody had begun is the last of all: True after that one
    left     the loop has ended by itself: it has answered a notice that may come later, so nobody waits for it

Whoever has begun a step finishes it, for the others may be in the middle of it; nobody begins a later one. So all ranks
stop after the same step, and nobody waits for a rank that has stopped.
"""

import asyncio
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Self

from raftkv.client.followed import Followed
from raftkv.client.job_calls import Calls, change
from raftkv.client.session import Session
from raftkv.errors import JobNotFoundError, RaftKVError, RoundOverError
from raftkv.pb import rendezvous as pb

AGAIN_S = 1.0
LEAVE_S = 5.0


class Agreement:
    """One worker's side of it, without a loop. Any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begun: int | None = None
        """The step that the training is in; None: it has not said."""
        self._frozen = False
        self.stop_step: int | None = None
        self.over = False

    def finished(self, step: int) -> bool | None:
        """Whether to stop after a step; None: that is to be waited for."""
        with self._lock:
            if self.over:
                raise RoundOverError
            if self.stop_step is not None:
                return step >= self.stop_step
            if not self._frozen:
                self._begun = step + 1
                return False
            if self._begun is None:
                self._begun = step
            return False if step < self._begun else None

    def freeze(self) -> int | None:
        """No step is begun from now on. The one that is begun; None: nobody has said."""
        with self._lock:
            self._frozen = True
            return self._begun

    def agree(self, stop_step: int) -> None:
        """All have answered."""
        with self._lock:
            self.stop_step = stop_step

    @property
    def settled(self) -> bool:
        """Whether nothing is to be answered any more."""
        return self.over or self.stop_step is not None

    def end(self) -> None:
        """The world is no more."""
        with self._lock:
            self.over = self.over or self.stop_step is None


class Preemption:
    """Listens for a notice, and gives one where this process is told to end; for `async with`."""

    def __init__(
        self,
        calls: Calls,
        session: Callable[[], Session],
        about: pb.AcknowledgePreemptionRequest,
        signals: Sequence[signal.Signals],
    ) -> None:
        """For `Worker.preemption`. `about`: who answers."""
        self._calls = calls
        self._session = session
        self._about = about
        self._signals = signals
        self._before: dict[signal.Signals, Any] = {}
        self._agreement = Agreement()
        self._news = asyncio.Event()
        self._followed: Followed | None = None
        self._answering = False
        self._given = False
        self._closed = False
        self._live: Session | None = None

    # --- its course

    async def open(self) -> None:
        """Begins to listen."""
        self._live = self._session()
        followed = self._followed = Followed(self._live.reopening, self._about.job, self._about.node)
        followed.told = self._told
        followed.begin()

    async def leave(self) -> None:
        """This worker's loop has ended by itself: it begins no more steps, and nobody is to wait for its answer."""
        begun = self._agreement.freeze()
        if begun is None or self._answering or self._agreement.settled:
            return
        self._answering = True
        with suppress(RaftKVError):
            await self._calls.call(change("AcknowledgePreemption"), self._answer_of(begun - 1, leaving=True), timeout=LEAVE_S)

    async def close(self) -> None:
        """Listens no more."""
        self._closed = True
        self._news.set()
        if self._followed is not None:
            self._followed.end()

    def catch_signals(self) -> None:
        """From now on the signals give notice, instead of what they did. Only the main thread may."""
        for number in self._signals:
            self._before[number] = signal.signal(number, self._caught)

    def release_signals(self) -> None:
        """They do again what they did."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    async def __aenter__(self) -> Self:
        await self.open()
        self.catch_signals()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release_signals()
        if kind is None:
            await self.leave()
        await self.close()

    # --- the training loop's questions

    async def stop_at(self, step: int) -> bool:
        """After each step: whether it is the last one, for this and all other ranks. Save then, and end the loop.

        Waits only where notice was given and not all have answered.

        Raises:
            RoundOverError: The world is no more, so nobody will agree.
        """
        while True:
            self._news.clear()
            answer = self._agreement.finished(step)
            if answer is not None:
                return answer
            self._answer()
            await self._news.wait()

    def decided(self, step: int) -> bool | None:
        """As stop_at, without the wait: None where there is one. Any thread may ask."""
        return self._agreement.finished(step)

    @property
    def notice(self) -> pb.Preemption | None:
        """Who is about to go, and why; None: nobody."""
        standing = None if self._followed is None else self._followed.standing
        return standing.preemption if standing is not None and standing.HasField("preemption") else None

    def give(self, reason: str) -> None:
        """Notice that this node is about to go. Returns at once; any thread may call it, and a signal handler."""
        assert self._live is not None, "a notice is opened first"
        self._live.loop.call_soon_threadsafe(self._give, reason)

    # --- inside

    def _caught(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 (a handler's shape)
        self.give(signal.Signals(number).name)

    def _give(self, reason: str) -> None:
        if not self._given and self._live is not None:
            self._given = True
            request = pb.PreemptRequest(job=self._about.job, node=self._about.node, reason=reason)
            self._live.background.start(self._insist("Preempt", request), "notice of preemption")

    def _told(self) -> None:
        standing = None if self._followed is None else self._followed.standing
        if standing is None:
            return
        if standing.token != self._about.token:
            self._agreement.end()
        elif standing.HasField("preemption"):
            if standing.preemption.agreed:
                self._agreement.agree(standing.preemption.stop_step)
            else:
                self._answer()
        self._news.set()

    def _answer(self) -> None:
        """Freezes, and says which step is begun, once that is known."""
        begun = self._agreement.freeze()
        if begun is None or self._answering or self._live is None:
            return
        self._answering = True
        self._live.background.start(self._insist("AcknowledgePreemption", self._answer_of(begun)), "answer to a notice")

    def _answer_of(self, step: int, *, leaving: bool = False) -> pb.AcknowledgePreemptionRequest:
        request = pb.AcknowledgePreemptionRequest()
        request.CopyFrom(self._about)
        request.step, request.leaving = max(0, step), leaving
        return request

    async def _insist(self, name: str, request: pb.PreemptRequest | pb.AcknowledgePreemptionRequest) -> None:
        """Until the cluster has taken it, or the world is no more."""
        while not self._closed:
            try:
                response = await self._calls.call(change(name), request)
            except (RoundOverError, JobNotFoundError):
                self._agreement.end()
                self._news.set()
                return
            except RaftKVError:
                await asyncio.sleep(AGAIN_S)
            else:
                assert self._followed is not None, "a notice is opened first"
                self._followed.take(response)
                return
