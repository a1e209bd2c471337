"""Clients with leases: they make one, hang keys on it, keep it alive for a while, look at it, and leave it to its end."""

import asyncio
from typing import Any

from raftkv.errors import RequestError
from raftkv.pb import rpc
from raftkv_chaos.sim.calls import Caller, RefusedError, Stream, UnknownOutcomeError
from raftkv_chaos.sim.clients.client import Client
from raftkv_chaos.sim.node import Machine

KEEP_ALIVE = "/etcdserverpb.Lease/LeaseKeepAlive"
TIME_TO_LIVE = "/etcdserverpb.Lease/LeaseTimeToLive"


async def renew(caller: Caller, machine: Machine, lease: int, patience_s: float) -> int:
    """One keepalive on a stream of its own: the TTL, or 0.

    Raises:
        RefusedError, UnknownOutcomeError: there is no answer.
    """
    life = machine.life
    if life is None:
        await caller.find_nobody(machine, patience_s)
        raise RefusedError
    told: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    stream = Stream(caller, life, KEEP_ALIVE, lambda message: None if told.done() else told.set_result(message))
    stream.ask(rpc.LeaseKeepAliveRequest(ID=lease))
    try:
        either: list[asyncio.Future[Any]] = [told, stream.ended]
        await asyncio.wait(either, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
        if not told.done():
            raise UnknownOutcomeError("no answer")
        return rpc.LeaseKeepAliveResponse.FromString(told.result()).TTL
    finally:
        stream.close()


class Leaseholder(Client):
    """One lease after the other."""

    kind = "lease"
    count = 0
    ttl_s = 2
    """At least; the cluster may make it more."""

    async def act(self) -> None:
        self.count += 1
        lease = self.number * 1000 + self.count
        told = await self.do("lease_grant", {"id": lease, "ttl": self.ttl_s + self.dice.randrange(3)})
        if told is None or "ttl" not in told:
            return
        for _ in range(self.dice.randrange(3)):
            await self.do("put", {"key": f"leased{self.dice.randrange(4)}", "value": self.unique(), "lease": lease})
        for _ in range(self.dice.randrange(6)):
            await asyncio.sleep(told["ttl"] * self.dice.choice((0.2, 0.4, 0.9)))
            if not self.busy or not await self.keep_alive(lease):
                break
        if self.dice.random() < 0.2:
            await self.do("lease_revoke", {"id": lease})
        elif self.dice.random() < 0.5:
            await asyncio.sleep(told["ttl"] * self.dice.uniform(0.5, 1.5))
            await self.look(lease)

    async def keep_alive(self, lease: int) -> bool:
        """Renews it; False if it is over for sure."""
        process = self.process
        self.recorder.note("invoke", process, "lease_keepalive", {"id": lease})
        try:
            ttl = await renew(self.caller, self.target(), lease, self.traffic.patience_s)
        except (RefusedError, UnknownOutcomeError) as error:
            self.let_down()
            self._left_open(process, "lease_keepalive", asked=isinstance(error, UnknownOutcomeError))
            return True
        self.recorder.note("ok", process, "lease_keepalive", {"id": lease, "ttl": ttl})
        return ttl > 0

    async def look(self, lease: int) -> None:
        """Asks what is left of it."""
        process = self.process
        self.recorder.note("invoke", process, "lease_time_to_live", {"id": lease})
        try:
            request = rpc.LeaseTimeToLiveRequest(ID=lease)
            response = await self.ask(TIME_TO_LIVE, request, rpc.LeaseTimeToLiveResponse)
        except (RequestError, RefusedError, UnknownOutcomeError):
            self.recorder.note("fail", process, "lease_time_to_live")
            return
        self.recorder.note("ok", process, "lease_time_to_live", {"id": lease, "ttl": response.TTL})
