"""Registers: reads, writes and compare-and-sets of values that never come twice, on keys that change every so often.

A key is left after `KEY_LIFE` operations, for a history of one register is the dearer to check the longer it is. Serializable reads go
along; they are judged by the log, not by the order in real time.
"""

from itertools import count
from random import Random

from raftkv_chaos.live.caller import Caller, Failed
from raftkv_chaos.live.workloads.workload import Stage

HISTORY = "register"
WORKERS = 6
KEYS = 4
KEY_LIFE = 120


class Registers:
    """The registers in use, shared by all workers."""

    def __init__(self) -> None:
        self._values = count(1)
        self._operations = count()
        self._seen: dict[str, int | None] = {}

    async def __call__(self, stage: Stage, number: int) -> None:
        dice, caller = stage.own_dice(), stage.caller("register", number)
        while await stage.beat(dice, WORKERS):
            try:
                await self._act(caller, dice)
            except Failed:
                continue

    async def _act(self, caller: Caller, dice: Random) -> None:
        generation = next(self._operations) // (KEYS * KEY_LIFE)
        key = f"r/{generation}/{dice.randrange(KEYS)}"
        share = dice.random()
        if share < 0.08:
            await caller.call("range", {"key": key, "serializable": True})
        elif share < 0.45:
            self._seen[key] = await caller.record(HISTORY, "read", None, lambda: _read(caller, key), key=key, writes=False)
        elif share < 0.8 or self._seen.get(key) is None:
            value = next(self._values)
            await caller.record(HISTORY, "write", value, lambda: _write(caller, key, value), key=key)
        else:
            pair = [self._seen[key], next(self._values)]
            await caller.record(HISTORY, "cas", pair, lambda: _swap(caller, key, pair), key=key)


async def _read(caller: Caller, key: str) -> int | None:
    rows = (await caller.call("range", {"key": key}))["kvs"]
    return int(rows[0][1]) if rows else None


async def _write(caller: Caller, key: str, value: int) -> None:
    await caller.call("put", {"key": key, "value": str(value)})


async def _swap(caller: Caller, key: str, pair: list[int | None]) -> bool:
    old, new = pair
    condition = [key, "value", "=", str(old)]
    answer = await caller.call("txn", {"compare": [condition], "success": [["put", {"key": key, "value": str(new)}]]})
    return bool(answer["succeeded"])
