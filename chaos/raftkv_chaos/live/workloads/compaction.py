"""Compaction while everybody works, and looks at the past afterwards: what is gone must be refused, what is not must be as it was.

Nothing is compacted away that the log of the run (`historian`) has not been told yet.
"""

from random import Random
from typing import Any

from raftkv.client.method import RANGE
from raftkv.errors import CompactedError
from raftkv.pb import rpc
from raftkv_chaos.live.caller import Caller, Failed, answer
from raftkv_chaos.live.workloads.workload import Stage

HISTORY = "compaction"
WORKERS = 2
KEPT = (0, 3, 30, 200)
"""How many of the last revisions are spared, at most."""
RANGES = (("r/", "r0"), ("a/", "a0"), ("lease/", "lease0"))
LIMIT = 20


async def compact(stage: Stage, number: int) -> None:
    """One worker."""
    dice, caller = stage.own_dice(), stage.caller("compaction", number)
    while await stage.beat(dice, WORKERS):
        revision = stage.horizon.told() - dice.randint(0, dice.choice(KEPT))
        if revision <= stage.horizon.compacted:
            continue
        stage.horizon.compacted = revision
        try:
            await _compact(caller, revision)
            for back in (1, 0, -dice.randrange(5)):
                await _look_back(caller, dice, revision - back)
        except Failed:
            continue


async def _compact(caller: Caller, revision: int) -> None:
    async def act() -> dict[str, int]:
        return {"revision": (await caller.client.compact(revision)).header.revision}

    await caller.record(HISTORY, "compact", {"revision": revision}, act)


async def _look_back(caller: Caller, dice: Random, revision: int) -> None:
    key, end = dice.choice(RANGES)
    asked = {"key": key, "range_end": end, "limit": LIMIT, "revision": revision}

    async def act() -> dict[str, Any]:
        request = rpc.RangeRequest(key=key.encode(), range_end=end.encode(), limit=LIMIT, revision=revision)
        try:
            return answer(await caller.client.call(RANGE, request))
        except CompactedError:
            return {"error": "compacted"}

    if revision <= 0:
        return
    try:
        await caller.record(HISTORY, "range", asked, act, writes=False)
    except Failed:
        return
