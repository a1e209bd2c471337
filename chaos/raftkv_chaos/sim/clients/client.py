"""What all clients have in common: they talk to one node until it lets them down, and write down every question and answer."""

import asyncio
import random
from typing import Any, Protocol, TypeVar

from google.protobuf.message import Message

from raftkv.errors import RequestError
from raftkv_chaos.sim.calls import Caller, RefusedError, UnknownOutcomeError
from raftkv_chaos.sim.knobs import Traffic
from raftkv_chaos.sim.network import SimNetwork
from raftkv_chaos.sim.node import Machine
from raftkv_chaos.sim.recorder import Recorder
from raftkv_chaos.sim.translation import PATHS, Fields, answer, message

T = TypeVar("T", bound=Message)

MAX_TRIES = 4
"""Of a write with a request id."""


class Town(Protocol):
    """The nodes, as clients see them."""

    network: SimNetwork

    def reachable(self) -> list[Machine]:
        """Where a client may try."""
        ...


class Client:
    """One client: one thing at a time."""

    kind = "client"

    def __init__(self, number: int, town: Town, recorder: Recorder, traffic: Traffic, dice: random.Random) -> None:
        self.number = number
        self.town = town
        self.recorder = recorder
        self.traffic = traffic
        self.dice = dice
        self.caller = Caller(asyncio.get_running_loop(), dice, town.network)
        self.patience_s = traffic.patience_s
        """What it waits for an answer."""
        self.busy = True
        """Whether it still begins new things."""
        self._lives = 0
        self._target: Machine | None = None
        self._serial = 0
        self._sequence = 0

    @property
    def process(self) -> str:
        """Its name in the history; another one after an operation whose outcome nobody knows."""
        return f"{self.kind} {self.number}" + (f".{self._lives}" if self._lives else "")

    async def run(self) -> None:
        """Until it is told to stop."""
        while self.busy:
            await asyncio.sleep(self.dice.expovariate(1 / self.traffic.think_s))
            if self.busy:
                await self.act()

    async def act(self) -> None:
        """One thing that this client does."""
        raise AssertionError("each kind of client does something else")

    def unique(self) -> str:
        """A value that nobody else writes."""
        self._serial += 1
        return f"{self.kind[0]}{self.number}-{self._serial}"

    def target(self) -> Machine:
        """The node to ask."""
        if self._target is None or self._target.retired or self.dice.random() < 0.02:
            self._target = self.dice.choice(self.town.reachable())
        return self._target

    def let_down(self) -> None:
        """The node was no good: another one is next."""
        self._target = None

    # --- asking ----------------------------------------------------------------------------------------------------

    async def ask(self, path: str, request: Message, answer_type: type[T], **metadata: str | bytes) -> T:
        """One call at the present node. Raises as `Caller.ask` does."""
        try:
            return await self.caller.ask(
                self.target(), path, request, answer_type, patience_s=self.patience_s, metadata=dict(metadata)
            )
        except (RefusedError, UnknownOutcomeError):
            self.let_down()
            raise

    async def do(self, f: str, fields: Fields, *, previous: bool = False, staleness_s: float | None = None) -> Fields | None:
        """A request to the store, written down. Its answer, which may be an error; None where there is none."""
        request: Any = message(f, fields)
        if previous:
            request.prev_kv = True
        metadata: dict[str, str | bytes] = {}
        tries = 1
        if staleness_s is not None:
            metadata["raftkv-max-staleness-ms"] = str(int(staleness_s * 1000))
            fields = {**fields, "max_staleness_s": staleness_s}
        elif self.traffic.retries and f in {"put", "delete", "txn"} and self.dice.random() < 0.5:
            self._sequence += 1
            metadata["raftkv-request-id"] = f"{self.number:04x}-{self._sequence}"
            tries = MAX_TRIES
        return await self._tell(f, fields, request, metadata, tries)

    async def _tell(
        self, f: str, fields: Fields, request: Message, metadata: dict[str, str | bytes], tries: int
    ) -> Fields | None:
        path, answer_type = PATHS[f]
        process = self.process
        self.recorder.note("invoke", process, f, fields)
        asked = False
        for _ in range(tries):
            try:
                response = await self.ask(path, request, answer_type, **metadata)
            except RequestError as error:
                if asked and type(error).__name__ in {"TooManyRequestsError", "RequestIdExpiredError"}:
                    continue  # this time nothing was done; what became of the tries before nobody knows
                return self._refused(process, f, error)
            except RefusedError:
                continue
            except UnknownOutcomeError:
                asked = True
                continue
            told = answer(f, response)
            self.recorder.note("ok", process, f, told)
            return told
        self._left_open(process, f, asked=asked)
        return None

    def _refused(self, process: str, f: str, error: RequestError) -> Fields | None:
        name = REFUSALS.get(type(error).__name__)
        if name is None:
            self.recorder.note("fail", process, f, error=str(error))
            return None
        self.recorder.note("ok", process, f, {"error": name})
        return {"error": name}

    def _left_open(self, process: str, f: str, *, asked: bool) -> None:
        if asked:
            self._lives += 1
            self.recorder.note("info", process, f)
        else:
            self.recorder.note("fail", process, f, error="nobody there")

    async def attempt(self, f: str, fields: Fields, path: str, request: Message, answer_type: type[T]) -> T | None:
        """A call that is no request to the store, begun in the history; who calls this notes the answer."""
        process = self.process
        self.recorder.note("invoke", process, f, fields)
        try:
            return await self.ask(path, request, answer_type)
        except RequestError as error:
            self.recorder.note("fail", process, f, error=str(error))
        except RefusedError:
            self._left_open(process, f, asked=False)
        except UnknownOutcomeError:
            self._left_open(process, f, asked=True)
        return None


REFUSALS = {
    "CompactedError": "compacted",
    "FutureRevisionError": "future revision",
    "LeaseNotFoundError": "lease not found",
    "LeaseExistsError": "lease exists",
    "KeyNotFoundError": "key not found",
    "QuotaExceededError": "quota exceeded",
}
"""What the store itself refuses, which is an answer as good as any; other refusals mean that nothing was done."""
