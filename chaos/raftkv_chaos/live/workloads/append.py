"""Transactions over lists: a read of all the lists, then a write that counts only if none of them has changed since.

The store knows no lists, so this is how a client makes transactions of compare-and-swap; what it appends never comes twice.
"""

from functools import partial
from itertools import count
from random import Random
from typing import Any

from raftkv.errors import RequestError
from raftkv_chaos.live.caller import Caller, Failed
from raftkv_chaos.live.workloads.workload import Stage

HISTORY = "append"
WORKERS = 4
KEYS = 4
LIFE = 100
"""Transactions before other lists are begun."""
LONGEST = 4

Step = list[Any]
"""["append", key, value] or ["r", key, list or None]."""


class Lists:
    """The lists in use, shared by all workers."""

    def __init__(self) -> None:
        self._values = count(1)
        self._transactions = count()

    async def __call__(self, stage: Stage, number: int) -> None:
        dice, caller = stage.own_dice(), stage.caller("append", number)
        while await stage.beat(dice, WORKERS):
            steps = self._steps(dice)
            try:
                await caller.record(HISTORY, "txn", steps, partial(_run, caller, steps))
            except Failed:
                continue

    def _steps(self, dice: Random) -> list[Step]:
        generation = next(self._transactions) // LIFE
        steps: list[Step] = []
        for _ in range(dice.randint(1, LONGEST)):
            key = f"a/{generation}/{dice.randrange(KEYS)}"
            steps.append(["r", key, None] if dice.random() < 0.5 else ["append", key, next(self._values)])
        return steps


async def _run(caller: Caller, steps: list[Step]) -> list[Step]:
    keys = sorted({key for _, key, _ in steps})
    found = await caller.call("txn", {"success": [["range", {"key": key}] for key in keys]})
    rows = {key: part["kvs"] for key, part in zip(keys, found["responses"], strict=True)}
    lists = {key: _parse(rows[key][0][1]) if rows[key] else [] for key in keys}
    done = _walk(steps, lists)
    changed = sorted({key for f, key, _ in steps if f == "append"})
    if changed:
        compare = [[key, "mod", "=", rows[key][0][3] if rows[key] else 0] for key in keys]
        puts = [["put", {"key": key, "value": ",".join(map(str, lists[key]))}] for key in changed]
        answer = await caller.call("txn", {"compare": compare, "success": puts})
        if not answer["succeeded"]:
            raise Failed(RequestError("another transaction came first"), unknown=False)
    return done


def _parse(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def _walk(steps: list[Step], lists: dict[str, list[int]]) -> list[Step]:
    """The steps with their reads filled in; `lists` become what they are afterwards."""
    done: list[Step] = []
    for f, key, value in steps:
        if f == "append":
            lists[key].append(value)
            done.append([f, key, value])
        else:
            done.append([f, key, list(lists[key])])
    return done
