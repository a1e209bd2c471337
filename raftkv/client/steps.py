"""A worker's heartbeats: the training loop says which step it has finished, the client's loop says so to the cluster, once a second.

    training loop   done(41) done(42) done(43) ...     takes a lock and looks at the clock, nothing else
    client's loop          |-- step 43, 0.31 s each --> the leader, which answers when to come again, and how fast that is

A heartbeat that is lost is not missed: the next one says the same and more. The loop may be of any kind, in any thread.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from raftkv.client.job_calls import HEARTBEAT, Calls
from raftkv.client.session import Session
from raftkv.errors import RaftKVError, RoundOverError
from raftkv.pb import rendezvous as pb

TIMEOUT_S = 5.0
FIRST_S = 0.2
"""The first heartbeat comes soon, for it begins the watch over hangs."""


class Stopwatch:
    """What happened since the last heartbeat. Any thread may tell it."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._step: int | None = None
        self._finished_at = now()
        self._steps = 0
        self._step_s = 0.0
        self._work_s = 0.0
        self._pauses = 0

    def done(self, step: int, work_seconds: float | None) -> None:
        """A step is finished. The first one is not timed: nobody knows when it began."""
        with self._lock:
            now = self._now()
            if self._step is not None and step > self._step and not self._pauses:
                took = now - self._finished_at
                self._steps += step - self._step
                self._step_s += took
                self._work_s += took if work_seconds is None else work_seconds * (step - self._step)
            self._step, self._finished_at = step, now

    def pause(self) -> None:
        """What comes now is no step."""
        with self._lock:
            self._pauses += 1

    def go_on(self) -> None:
        """It is over; the next step begins now."""
        with self._lock:
            self._pauses -= 1
            self._finished_at = self._now()

    def fill(self, request: pb.HeartbeatRequest) -> bool:
        """Into the next heartbeat, and begins anew; False: there is nothing to say yet."""
        with self._lock:
            if self._step is None:
                return False
            request.step, request.paused = self._step, self._pauses > 0
            if self._steps:
                request.step_seconds = self._step_s / self._steps
                request.work_seconds = self._work_s / self._steps
            self._steps, self._step_s, self._work_s = 0, 0.0, 0.0
            return True


class Steps:
    """The heartbeats of one worker, for `async with`."""

    def __init__(self, calls: Calls, session: Callable[[], Session], about: pb.HeartbeatRequest) -> None:
        """For `Worker.steps`. `about`: who says it."""
        self._calls = calls
        self._session = session
        self._about = about
        self._stopwatch: Stopwatch | None = None
        self._closed = asyncio.Event()
        self.scores = pb.HeartbeatResponse(relative_score=1.0, individual_score=1.0)
        """As last answered: how fast this worker is beside the others, and beside itself."""
        self.over = False
        """Whether the world is no more; nothing is said then."""

    async def open(self) -> None:
        """Begins."""
        session = self._session()
        self._stopwatch = Stopwatch(session.loop.time)
        session.background.start(self._tell(), f"steps of {self._about.node}")

    async def close(self) -> None:
        """Says no more."""
        self._closed.set()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def done(self, step: int, *, work_seconds: float | None = None) -> None:
        """A step is finished. Never waits; any thread may call it.

        Args:
            step: Its number; growing.
            work_seconds: What of it was this worker's own work, without waiting for others. Without it the whole step counts, and
                then stragglers cannot be told from those that wait for them.
        """
        self._watch().done(step, work_seconds)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """For what is no step and may take long: an evaluation, a checkpoint. No time of a step is taken, and only `hang_timeout_ms` counts."""
        watch = self._watch()
        watch.pause()
        try:
            yield
        finally:
            watch.go_on()

    def _watch(self) -> Stopwatch:
        assert self._stopwatch is not None, "steps are opened first"
        return self._stopwatch

    async def _tell(self) -> None:
        pause_s = FIRST_S
        while not self.over:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._closed.wait()
            if self._closed.is_set():
                return
            pause_s = await self._heartbeat()

    async def _heartbeat(self) -> float:
        request = pb.HeartbeatRequest()
        request.CopyFrom(self._about)
        request.memory.CopyFrom(self.scores.memory)
        if not self._watch().fill(request):
            return FIRST_S
        try:
            self.scores = await self._calls.call(HEARTBEAT, request, timeout=TIMEOUT_S)
        except RoundOverError:
            self.over = True
        except RaftKVError:
            return 1.0  # the next one says it
        return max(FIRST_S, self.scores.again_ms / 1000)
