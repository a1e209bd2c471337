"""One direction between two ends, and the bytes that wait to travel it.

    from one connection ──feed──► [waiting ...] ──► to the other

A blocked wire loses nothing: TCP sends again what was lost, so a partition is silence, and after it everything arrives at
once. Loss on an open wire is what TCP makes of it, too: a pause until the packet is sent again, longer each time. Even the end of
a connection travels as bytes do: who dies behind a partition is not seen to be dead.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Protocol

WAITING_BYTES = 256 * 1024
"""More than that is left in the sender's socket."""
RESEND_S = 0.2
MOST_RESENDS = 6


@dataclass(frozen=True, slots=True)
class Weather:
    """What bytes meet on their way. `loss` is the share of pieces that have to be sent again; of packets it is lost, and of them
    `duplication` is the share that comes twice.
    """

    blocked: bool = False
    delay_s: float = 0.0
    jitter_s: float = 0.0
    loss: float = 0.0
    duplication: float = 0.0


CLEAR = Weather()


class Sink(Protocol):
    """The connection that bytes go to."""

    def write(self, data: bytes) -> None: ...

    def close(self) -> None: ...

    def is_closing(self) -> bool: ...


class Wire:
    """One direction between two ends. Its weather may change at any time, for what waits as well."""

    def __init__(self, dice: Random) -> None:
        self.weather = CLEAR
        self.dice = dice
        self.flows: set[Flow] = set()
        self._opened = asyncio.Event()
        self._opened.set()

    def become(self, weather: Weather) -> None:
        """Changes the weather."""
        self.weather = weather
        if weather.blocked:
            self._opened.clear()
            return
        self._opened.set()
        for flow in list(self.flows):
            flow.flush()

    async def opened(self) -> None:
        """Waits until something can pass."""
        await self._opened.wait()

    def lag_s(self) -> float:
        """How long the next piece is on its way."""
        weather = self.weather
        lag = weather.delay_s + weather.jitter_s * self.dice.random()
        resend = RESEND_S
        for _ in range(MOST_RESENDS):
            if self.dice.random() >= weather.loss:
                break
            lag += resend
            resend *= 2
        return lag


class Flow:
    """The bytes of one connection in one direction, in order. `hold` stops the sender from sending, or lets it go on."""

    __slots__ = ("_due", "_hold", "_loop", "_size", "_timer", "_waiting", "_wire", "sink")

    def __init__(self, wire: Wire, loop: asyncio.AbstractEventLoop, hold: Callable[[bool], None]) -> None:
        self.sink: Sink | None = None
        self._wire = wire
        self._loop = loop
        self._hold = hold
        self._waiting: deque[tuple[float, bytes | None]] = deque()  # None is the end
        self._size = 0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        wire.flows.add(self)

    def feed(self, data: bytes | None) -> None:
        """Takes bytes, or the end of them."""
        if not self._waiting and self._wire.weather is CLEAR and self.sink is not None:
            self._pass(data)
            return
        self._due = max(self._due, self._loop.time() + self._wire.lag_s())
        self._waiting.append((self._due, data))
        self._size += len(data or b"")
        if self._size > WAITING_BYTES:
            self._hold(True)
        self.flush()

    def flush(self) -> None:
        """Passes on what may pass by now."""
        if self.sink is None or self._wire.weather.blocked:
            return
        held = self._size > WAITING_BYTES
        now = self._loop.time()
        while self._waiting and self._waiting[0][0] <= now:
            _, data = self._waiting.popleft()
            self._size -= len(data or b"")
            self._pass(data)
        if held and self._size <= WAITING_BYTES:
            self._hold(False)
        if self._waiting and self._timer is None:
            self._timer = self._loop.call_at(self._waiting[0][0], self._wake)

    def drop(self) -> None:
        """Forgets what waits: the connection is gone at both ends."""
        self._wire.flows.discard(self)
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _wake(self) -> None:
        self._timer = None
        self.flush()

    def _pass(self, data: bytes | None) -> None:
        assert self.sink is not None
        if self.sink.is_closing():
            return
        if data is None:
            self.sink.close()
        else:
            self.sink.write(data)
