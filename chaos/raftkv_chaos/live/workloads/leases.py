"""Leases: granted, kept alive for a while, then revoked or left to run out, and looked at until they are gone.

Each has a key of its own, whose deletion tells by a second way that it is gone (`watches`).
"""

from collections.abc import Awaitable
from random import Random
from typing import Any

from raftkv.client.method import LEASE_REVOKE, LEASE_TIME_TO_LIVE, NAMED_LEASE_GRANT, Method
from raftkv.errors import DeadlineExceededError
from raftkv.pb import rpc
from raftkv_chaos.live.caller import Caller, Failed
from raftkv_chaos.live.recorder import LEASE
from raftkv_chaos.live.workloads.workload import Stage

HISTORY = LEASE
WORKERS = 3
TTLS_S = (2, 3, 5)
LOOKS = 60
GRANT = Method(NAMED_LEASE_GRANT.path, NAMED_LEASE_GRANT.response)


async def fresh_lease(caller: Caller, dice: Random, ttl_s: int) -> int:
    """Grants a lease under an id drawn by lot."""
    identity = dice.randrange(1, 1 << 62)

    async def act() -> dict[str, int]:
        granted = await caller.client.call(GRANT, rpc.LeaseGrantRequest(ID=identity, TTL=ttl_s))
        return {"id": granted.ID, "ttl": granted.TTL}

    await caller.record(HISTORY, "lease_grant", {"id": identity, "ttl": ttl_s}, act)
    return identity


async def keep_leases(stage: Stage, number: int) -> None:
    """One worker: a lease after the other."""
    dice, caller = stage.own_dice(), stage.caller("lease", number)
    while await stage.beat(dice, WORKERS):
        try:
            identity = await fresh_lease(caller, dice, dice.choice(TTLS_S))
            await _live(stage, caller, dice, identity)
        except Failed:
            continue


async def _live(stage: Stage, caller: Caller, dice: Random, identity: int) -> None:
    await caller.call("put", {"key": f"lease/{identity}", "value": "alive", "lease": identity})
    for _ in range(dice.randrange(4)):
        if not await stage.pause(dice.random() * 1.5):
            return
        await _tolerate(_keep_alive(caller, identity))
    if dice.random() < 0.3:
        await _tolerate(_revoke(caller, identity))
    for _ in range(LOOKS):
        if not await stage.pause(0.2 + 0.3 * dice.random()):
            return
        if await _tolerate(_look(caller, identity)) == -1:
            return


async def _tolerate(act: Awaitable[float]) -> float | None:
    """A call that fails is in the history; the lease is gone on with."""
    try:
        return await act
    except Failed:
        return None


async def _keep_alive(caller: Caller, identity: int) -> int:
    async def act() -> dict[str, int]:
        try:
            kept = await caller.client.lease_keep_alive(identity)
        except DeadlineExceededError as error:  # where a renewal is concerned, the client does not say whether it was sent
            raise Failed(error, unknown=True) from error
        return {"id": identity, "ttl": kept.TTL}

    answer: dict[str, int] = await caller.record(HISTORY, "lease_keepalive", {"id": identity}, act)
    return answer["ttl"]


async def _revoke(caller: Caller, identity: int) -> int:
    async def act() -> dict[str, Any]:
        await caller.client.call(LEASE_REVOKE, rpc.LeaseRevokeRequest(ID=identity))
        return {"id": identity}

    await caller.record(HISTORY, "lease_revoke", {"id": identity}, act)
    return 0


async def _look(caller: Caller, identity: int) -> float:
    """The time left, in whole seconds rounded down: 0 is alive still. -1: there is no such lease."""

    async def act() -> dict[str, float]:
        seen = await caller.client.call(LEASE_TIME_TO_LIVE, rpc.LeaseTimeToLiveRequest(ID=identity))
        gone = seen.TTL < 0 and not seen.grantedTTL
        return {"id": identity, "ttl": -1 if gone else max(seen.TTL, 0.1)}

    answer: dict[str, float] = await caller.record(HISTORY, "lease_time_to_live", {"id": identity}, act, writes=False)
    return answer["ttl"]
