"""Elections of the server's Election service: campaigns with a lease each, proclamations, resignations, and observers of it all.

Some leaders overstay their lease and proclaim all the same, which must be refused. What observers are told is judged by the log: leaders
in the order of their election, each while it led.
"""

from random import Random
from typing import Any

from raftkv.client.method import Method
from raftkv.pb import election
from raftkv_chaos.live.caller import Caller, Failed
from raftkv_chaos.live.streams import MessageStream
from raftkv_chaos.live.workloads.leases import fresh_lease
from raftkv_chaos.live.workloads.workload import Stage

HISTORY = "election"
WORKERS = 5
OBSERVERS = 1
"""Of the workers."""
OFFICES = ("mayor", "sheriff")
TTL_S = 2
CAMPAIGN_TIMEOUT_S = 4.0
SILENCE_S = 0.5
CAMPAIGN = Method("/v3electionpb.Election/Campaign", election.CampaignResponse)
PROCLAIM = Method("/v3electionpb.Election/Proclaim", election.ProclaimResponse)
RESIGN = Method("/v3electionpb.Election/Resign", election.ResignResponse)
OBSERVE_PATH = "/v3electionpb.Election/Observe"


async def stand_for_election(stage: Stage, number: int) -> None:
    """One worker: campaigns and leads, again and again; or observes."""
    if number < OBSERVERS:
        await _observe(stage, number)
        return
    dice, caller = stage.own_dice(), stage.caller("election", number)
    while await stage.beat(dice, WORKERS):
        try:
            lease = await fresh_lease(caller, dice, TTL_S)
            await _lead(stage, caller, dice, await _campaign(caller, dice, dice.choice(OFFICES), lease))
        except Failed:
            continue


async def _campaign(caller: Caller, dice: Random, office: str, lease: int) -> election.LeaderKey:
    """The answer's header is that of standing; when the election was won, a look at the key tells."""
    won = election.LeaderKey()

    async def act() -> dict[str, Any]:
        request = election.CampaignRequest(name=office.encode(), lease=lease, value=_value(dice))
        response = await caller.client.call(CAMPAIGN, request, timeout=CAMPAIGN_TIMEOUT_S)
        won.CopyFrom(response.leader)
        key = won.key.decode()
        seen = await caller.call("range", {"key": key})
        if not seen["kvs"] or seen["kvs"][0][2] != won.rev:
            raise Failed(f"{key} has gone since", unknown=True)
        return {"name": office, "key": key, "create": won.rev, "revision": seen["revision"]}

    await caller.record(HISTORY, "campaign", {"name": office}, act)
    return won


async def _lead(stage: Stage, caller: Caller, dice: Random, leader: election.LeaderKey) -> None:
    for _ in range(dice.randrange(4)):
        if not await stage.pause(dice.choice((0.02, 0.05, 0.1, 0.1, 0.3, 0.3, TTL_S + 1.0)) * dice.random()):
            return
        await _proclaim(caller, leader, _value(dice))
    if dice.random() < 0.9:
        await _resign(caller, leader)


async def _proclaim(caller: Caller, leader: election.LeaderKey, value: bytes) -> None:
    async def act() -> dict[str, int]:
        response = await caller.client.call(PROCLAIM, election.ProclaimRequest(leader=leader, value=value))
        return {"revision": response.header.revision}

    asked = {"key": leader.key.decode(), "create": leader.rev, "value": value.decode()}
    await caller.record(HISTORY, "proclaim", asked, act)


async def _resign(caller: Caller, leader: election.LeaderKey) -> None:
    async def act() -> dict[str, int]:
        response = await caller.client.call(RESIGN, election.ResignRequest(leader=leader))
        return {"revision": response.header.revision}

    await caller.record(HISTORY, "resign", {"key": leader.key.decode(), "create": leader.rev}, act)


def _value(dice: Random) -> bytes:
    return b"%x" % dice.getrandbits(60)


async def _observe(stage: Stage, number: int) -> None:
    """One stream after the other, each on the next node."""
    generation = 0
    while await stage.pause(0.1):
        endpoint = stage.endpoints[(number + generation) % len(stage.endpoints)]
        office = OFFICES[generation % len(OFFICES)]
        stream = MessageStream(endpoint, OBSERVE_PATH, election.LeaderResponse)
        try:
            if await stream.open() and await stream.send(election.LeaderRequest(name=office.encode()), last=True):
                await _follow(stage, stream, f"observer{number}.{generation}", office)
        finally:
            await stream.close()
        generation += 1


async def _follow(stage: Stage, stream: MessageStream[election.LeaderResponse], process: str, office: str) -> None:
    until = stage.recorder.now() + stage.dice.choice((3.0, 10.0))
    async for response in stream.responses(SILENCE_S):
        if response is not None:
            row = response.kv
            seen = {"name": office, "key": row.key.decode(), "create": row.create_revision, "mod": row.mod_revision}
            stage.recorder.note(HISTORY, "receive", process, "observe", seen)
        if stage.ending.is_set() or stage.recorder.now() > until:
            return
