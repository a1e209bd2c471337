"""Time as one machine has it: its clocks run fast or slow, it may stand still, and what it was about to do dies with it.

    running --pause--> standing still --resume--> running      what came due meanwhile happens at once, in order
    any     --kill---> dead                                    nothing ever happens again

A node gets this in place of the event loop. So every callback of a node passes through here, which is also where the simulator looks
at the node after each of its steps.
"""

import asyncio
from collections.abc import Callable
from typing import Any

LOOK_COSTS_S = 0.0002
"""What a look at the clock takes: work that is cut into slices by the clock comes in several slices."""


class PowerLossError(BaseException):
    """The node ends here and now; nobody of the node is left to see this."""


class Handle:
    """A callback that can be cancelled, as the event loop's handles can."""

    __slots__ = ("_args", "_callback", "_inner", "_time")

    def __init__(self, time: "MachineTime", callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        self._time = time
        self._callback: Callable[..., object] | None = callback
        self._args = args
        self._inner: asyncio.Handle | None = None

    def cancel(self) -> None:
        """It is not to happen."""
        self._callback = None
        if self._inner is not None:
            self._inner.cancel()

    def run(self) -> None:
        """Its time has come."""
        callback, time = self._callback, self._time
        if callback is None or time.dead:
            return
        if time.held is not None:
            time.held.append(self)
            return
        time.begin_step()
        try:
            callback(*self._args)
        except PowerLossError:
            return
        time.ran()


class MachineTime:
    """The part of an event loop that nodes use, and raftkv's Clock."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, *, ran: Callable[[], None], jitter_s: float = 0.0, up_s: float = 0.0
    ) -> None:
        """`ran` is called after each step of the node. `jitter_s`: what one look at the clock takes. `up_s`: how long the
        machine has been up, so that no two machines' clocks show the same.
        """
        self._loop = loop
        self.ran = ran
        self.dead = False
        self.held: list[Handle] | None = None
        """What waits while the machine stands still; None while it runs."""
        self.calendar_ahead_s = 0.0
        """How wrong the calendar is."""
        self._up_s = up_s
        self._rate = 1.0
        self._began = loop.time()
        self._base = self._began
        self._look_s = jitter_s
        self.spent_s = 0.0
        """What looking at the clock has cost within this step: by so much the clock is ahead of everybody's time."""
        self._last = 0.0

    # --- the clock -----------------------------------------------------------------------------------------------

    def time(self) -> float:
        """The event loop's time, which only timers are set by."""
        self.spent_s += self._look_s
        self._last = max(self._last, self._base + (self._loop.time() - self._began) * self._rate + self.spent_s)
        return self._last

    def now(self) -> float:
        """Monotonic time, as the machine's clock shows it."""
        return self._up_s + self.time()

    def drift(self, rate: float) -> None:
        """From now on a second takes 1 / (1 + rate) s."""
        now = self._loop.time()
        self._base += (now - self._began) * self._rate
        self._began, self._rate = now, 1.0 + rate

    def begin_step(self) -> None:
        """What looking at the clock has cost is over."""
        self.spent_s = 0.0
        _current[0] = self

    # --- the loop ------------------------------------------------------------------------------------------------

    def call_soon(self, callback: Callable[..., object], *args: Any) -> Handle:
        """As the event loop does."""
        handle = Handle(self, callback, args)
        self._loop.call_soon(handle.run)
        return handle

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> Handle:
        """As the event loop does, by this machine's clock."""
        handle = Handle(self, callback, args)
        handle._inner = self._loop.call_later(delay / self._rate, handle.run)
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        """As the event loop does."""
        return self._loop.create_future()

    # --- faults --------------------------------------------------------------------------------------------------

    def pause(self) -> None:
        """The machine stands still."""
        if self.held is None:
            self.held = []

    def resume(self) -> None:
        """It goes on, with what was due."""
        held, self.held = self.held, None
        for handle in held or ():
            self._loop.call_soon(handle.run)

    def kill(self) -> None:
        """It ends."""
        self.dead = True
        self.held = None


_current: list[MachineTime | None] = [None]


def forget_current() -> None:
    """A simulation begins: nobody has made a step."""
    _current[0] = None


def current() -> MachineTime | None:
    """The machine whose step it is."""
    return _current[0]
