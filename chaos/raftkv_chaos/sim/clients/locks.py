"""Clients of the lock and election services, with a lease each, and a fenced resource that the lock protects."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from google.protobuf.message import Message

from raftkv.errors import RequestError
from raftkv.pb import election, lock, rpc
from raftkv_chaos.sim.calls import RefusedError, UnknownOutcomeError
from raftkv_chaos.sim.clients.client import Client
from raftkv_chaos.sim.clients.leases import renew
from raftkv_chaos.sim.recorder import Recorder
from raftkv_chaos.sim.translation import Fields, answer, data, message, text

T = TypeVar("T", bound=Message)

LOCK, UNLOCK = "/v3lockpb.Lock/Lock", "/v3lockpb.Lock/Unlock"
CAMPAIGN = "/v3electionpb.Election/Campaign"
PROCLAIM = "/v3electionpb.Election/Proclaim"
RESIGN = "/v3electionpb.Election/Resign"
RESOURCE = "resource"
WAITS_S = 8.0
"""What a client waits for its turn."""


class _WithLease(Client):
    """Holds something for a while, with a lease that it keeps alive, mostly."""

    count = 0

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[int]:
        """A lease for one round; 0 where there is none to be had."""
        self.count += 1
        lease = 1_000_000 + self.number * 1000 + self.count
        told = await self.do("lease_grant", {"id": lease, "ttl": 2})
        if told is None or "ttl" not in told:
            yield 0
            return
        keeping = asyncio.get_running_loop().create_task(self._keep(lease, told["ttl"]))
        try:
            yield lease
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping
            if self.dice.random() < 0.5:
                await self.do("lease_revoke", {"id": lease})

    async def await_turn(self, f: str, name: str, path: str, request: Message, answer_type: type[T]) -> T | None:
        """Asks for what may take long to get."""
        self.patience_s = WAITS_S
        try:
            return await self.attempt(f, {"name": name}, path, request, answer_type)
        finally:
            self.patience_s = self.traffic.patience_s

    async def _keep(self, lease: int, ttl: int) -> None:
        """Keeps the lease alive, unless this client is one of those that fall asleep."""
        if self.dice.random() < 0.3:
            return
        while True:
            await asyncio.sleep(ttl / 3)
            with suppress(RefusedError, UnknownOutcomeError):
                if not await renew(self.caller, self.dice.choice(self.town.reachable()), lease, ttl / 3):
                    return


class Locker(_WithLease):
    """Lock, write what it protects, unlock."""

    kind = "lock"
    fenced: Recorder
    """Writes of what the lock protects."""

    async def act(self) -> None:
        async with self.lease() as lease:
            if lease:
                await self._hold(lease)

    async def _hold(self, lease: int) -> None:
        name = "mutex"
        request = lock.LockRequest(name=data(name), lease=lease)
        process = self.process
        response = await self.await_turn("lock", name, LOCK, request, lock.LockResponse)
        if response is None:
            return
        key = text(response.key)
        self.recorder.note("ok", process, "lock", {"name": name, "key": key, "revision": response.header.revision})
        found = await self.do("range", {"key": key})
        create = found["kvs"][0][2] if found and found.get("kvs") else 0
        if create:
            await asyncio.sleep(self.dice.choice((0.0, 0.1, 3.0)))
            await self._write(key, create)
            await self._unlock(key, create)

    async def _write(self, key: str, create: int) -> None:
        """What the lock protects is written only while its key is the one that was granted."""
        process = self.process
        fields = {"resource": RESOURCE, "token": create}
        self.fenced.note("invoke", process, "protected_write", fields)
        told = await self.do(
            "txn",
            {
                "compare": ((key, "create", "=", create),),
                "success": (("put", {"key": RESOURCE, "value": self.unique()}),),
                "failure": (),
            },
        )
        if told is None or "succeeded" not in told:
            self.fenced.note("info", process, "protected_write")
            if process == self.process:
                self._lives += 1
        else:
            self.fenced.note("ok", process, "protected_write", told["succeeded"])

    async def _unlock(self, key: str, create: int) -> None:
        process = self.process
        request = lock.UnlockRequest(key=data(key))
        response = await self.attempt("unlock", {"key": key, "create": create}, UNLOCK, request, lock.UnlockResponse)
        if response is not None:
            self.recorder.note("ok", process, "unlock", {"revision": response.header.revision})


class Campaigner(_WithLease):
    """Stand for election, lead, proclaim, resign."""

    kind = "election"

    async def act(self) -> None:
        async with self.lease() as lease:
            if lease:
                await self._lead(lease)

    async def _lead(self, lease: int) -> None:
        name = "office"
        process = self.process
        request = election.CampaignRequest(name=data(name), lease=lease, value=data(self.unique()))
        response = await self.await_turn("campaign", name, CAMPAIGN, request, election.CampaignResponse)
        if response is None:
            return
        leader = response.leader
        key = text(leader.key)
        # The header is that of standing for election. When it was won, only a look can tell.
        seen = await self.look(key)
        if seen is None or not seen["kvs"] or seen["kvs"][0][2] != leader.rev:
            self._left_open(process, "campaign", asked=True)
            return
        told = {"name": name, "key": key, "create": leader.rev, "revision": seen["revision"]}
        self.recorder.note("ok", process, "campaign", told)
        for _ in range(self.dice.randrange(3)):
            await asyncio.sleep(self.dice.choice((0.05, 0.5, 2.0)))
            await self._proclaim(leader, key)
        process = self.process
        resigning = election.ResignRequest(leader=leader)
        resigned = await self.attempt("resign", {"key": key, "create": leader.rev}, RESIGN, resigning, election.ResignResponse)
        if resigned is not None:
            self.recorder.note("ok", process, "resign", {"revision": resigned.header.revision})

    async def look(self, key: str) -> Fields | None:
        """A read that is in nobody's history, while another operation goes on."""
        try:
            found = await self.ask("/etcdserverpb.KV/Range", message("range", {"key": key}), rpc.RangeResponse)
        except (RequestError, RefusedError, UnknownOutcomeError):
            return None
        return answer("range", found)

    async def _proclaim(self, leader: election.LeaderKey, key: str) -> None:
        process = self.process
        value = self.unique()
        request = election.ProclaimRequest(leader=leader, value=data(value))
        fields = {"key": key, "create": leader.rev, "value": value}
        response = await self.attempt("proclaim", fields, PROCLAIM, request, election.ProclaimResponse)
        if response is not None:
            self.recorder.note("ok", process, "proclaim", {"revision": response.header.revision})
