"""Locks of the server's Lock service, each with a lease of its own, and a resource that is protected by fencing.

Some holders hold on for longer than their lease, and then write to the resource: the write compares the create revision of the lock's
key, so it must be refused once somebody else holds the lock.
"""

from random import Random

from raftkv.client.method import LEASE_REVOKE, Method
from raftkv.errors import RaftKVError
from raftkv.pb import lock, rpc
from raftkv_chaos.live.caller import Caller, Failed, failed
from raftkv_chaos.live.workloads.leases import fresh_lease
from raftkv_chaos.live.workloads.workload import Stage

HISTORY = "lock"
WORKERS = 4
NAMES = 2
TTL_S = 3
TAKE_TIMEOUT_S = 4.0
TAKE = Method("/v3lockpb.Lock/Lock", lock.LockResponse)
GIVE = Method("/v3lockpb.Lock/Unlock", lock.UnlockResponse)


async def hold_locks(stage: Stage, number: int) -> None:
    """One worker: takes a lock, writes to what it protects, gives it up or lets it run out."""
    dice, caller = stage.own_dice(), stage.caller("lock", number)
    while await stage.beat(dice, WORKERS):
        name = f"lock{dice.randrange(NAMES)}"
        try:
            lease = await fresh_lease(caller, dice, TTL_S)
            held = await _take(caller, name, lease)
            await _use(stage, caller, dice, name, held)
            if dice.random() < 0.8:
                await _give(caller, held)
            else:
                await _revoke(caller, lease)
        except Failed:
            continue


async def _take(caller: Caller, name: str, lease: int) -> dict[str, int | str]:
    """The create revision is asked for afterwards; 0: the key has gone in between, the log will say what it was."""

    async def act() -> dict[str, int | str]:
        request = lock.LockRequest(name=name.encode(), lease=lease)
        taken = await caller.client.call(TAKE, request, timeout=TAKE_TIMEOUT_S)
        key = taken.key.decode()
        return {"key": key, "create": 0, "revision": taken.header.revision}

    held: dict[str, int | str] = await caller.record(HISTORY, "lock", {"name": name}, act)
    rows = (await caller.call("range", {"key": held["key"]}))["kvs"]
    return {**held, "create": rows[0][2] if rows else 0}


async def _use(stage: Stage, caller: Caller, dice: Random, name: str, held: dict[str, int | str]) -> None:
    await stage.pause(dice.choice((0.0, 0.01, 0.05, 0.05, 0.2, 0.2, 0.5, TTL_S + 1.5)) * dice.random())
    key, create = held["key"], held["create"]
    if not create:
        return
    resource = f"guarded/{name}"

    async def act() -> bool:
        put = ["put", {"key": resource, "value": f"{create} {dice.getrandbits(40)}"}]
        answer = await caller.call("txn", {"compare": [[key, "create", "=", create]], "success": [put]})
        return bool(answer["succeeded"])

    await caller.record(HISTORY, "protected_write", {"resource": resource, "token": create}, act)


async def _give(caller: Caller, held: dict[str, int | str]) -> None:
    key = str(held["key"])

    async def act() -> dict[str, int]:
        answer = await caller.client.call(GIVE, lock.UnlockRequest(key=key.encode()))
        return {"revision": answer.header.revision}

    await caller.record(HISTORY, "unlock", {"key": key, "create": held["create"]}, act)


async def _revoke(caller: Caller, lease: int) -> None:
    try:
        await caller.client.call(LEASE_REVOKE, rpc.LeaseRevokeRequest(ID=lease))
    except RaftKVError as error:
        raise failed(error, writes=True) from error
