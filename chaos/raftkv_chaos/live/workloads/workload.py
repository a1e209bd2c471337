"""What all workloads share: callers bound to a node or roaming, dice of their own, and a beat."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from raftkv.client import Client
from raftkv_chaos.live.caller import Caller
from raftkv_chaos.live.recorder import Recorder

CALL_TIMEOUT_S = 1.0
DIAL_TIMEOUT_S = 0.5


@dataclass(slots=True)
class Horizon:
    """How far back the past reaches. `told`: the last revision that the log of the run has; what it lacks must not be compacted away."""

    told: Callable[[], int]
    compacted: int = 0
    """Up to where somebody has asked to compact."""


@dataclass(slots=True)
class Stage:
    """What a workload is given. `rate` is how many operations a second all of its workers make together."""

    recorder: Recorder
    endpoints: Sequence[str]
    dice: Random
    rate: float
    horizon: Horizon
    manual_progress: bool = True
    """Whether watches may ask for progress (`Target`)."""
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when no new operations are to begin."""
    clients: list[Client] = field(default_factory=list)

    def caller(self, name: str, number: int) -> Caller:
        """Every second worker knows one node only, and suffers with it; the others turn to whoever answers."""
        known = self.endpoints if number % 2 else [self.endpoints[number // 2 % len(self.endpoints)]]
        client = Client(known, timeout=CALL_TIMEOUT_S, dial_timeout=DIAL_TIMEOUT_S, rng=self.own_dice())
        self.clients.append(client)
        return Caller(f"{name}{number}", client, self.recorder)

    def own_dice(self) -> Random:
        """Dice for one worker: what others throw does not change its own."""
        return Random(self.dice.getrandbits(64))  # noqa: S311  (nothing secret: reproducible)

    async def pause(self, seconds: float) -> bool:
        """Waits, but not beyond the end; answers whether to go on."""
        if not self.ending.is_set():
            try:
                await asyncio.wait_for(self.ending.wait(), seconds)
            except TimeoutError:
                return True
        return False

    async def beat(self, dice: Random, workers: int) -> bool:
        """Waits for a worker's next turn; answers whether there is one."""
        return await self.pause(dice.expovariate(self.rate / workers))

    async def close(self) -> None:
        """Closes the clients."""
        for client in self.clients:
            await client.close()


class Workload(Protocol):
    """One worker's life: it returns soon after the stage's ending."""

    async def __call__(self, stage: Stage, number: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Crew:
    """So many workers of one workload, and the history that they write."""

    name: str
    workers: int
    rate: float
    enlist: Callable[[], Workload]
    """Makes what the workers share; called once a run."""
