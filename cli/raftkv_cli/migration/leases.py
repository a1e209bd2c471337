"""Leases at the new cluster, which live there as long as they do at the old one, under the same ids.

Who renews a lease does so at the old cluster until the cut-over. Until then we renew the copies, and stop when the old ones end; the
keys of an ended lease are deleted by the events that say so, or by the end of its copy, whichever comes first.
"""

import asyncio
from contextlib import suppress
from typing import Final

from raftkv.client import Client
from raftkv.errors import LeaseExistsError, RaftKVError

LOOK_S: Final = 0.5
LIST_EVERY: Final = 6
"""Looks between two lists of the old leases."""
RENEWALS_AT_ONCE: Final = 64
NONE: Final = 0


class LeaseMirror:
    """The leases of one migration."""

    def __init__(self, source: Client, target: Client) -> None:
        self._source = source
        self._target = target
        self._ttl: dict[int, int] = {}
        """Granted TTL, by id, of those that live at both."""
        self._renew_at: dict[int, float] = {}
        self._slots = asyncio.Semaphore(RENEWALS_AT_ONCE)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._ttl)

    async def grant(self, lease_id: int) -> int:
        """Sees to it that a lease is there, and answers its id; or NONE, if the old one is over."""
        if lease_id in self._ttl:
            return lease_id
        old = await self._source.lease_time_to_live(lease_id)
        if old.TTL < 0 or not old.grantedTTL:
            return NONE
        with suppress(LeaseExistsError):
            await self._target.lease_grant(old.grantedTTL, lease_id)
        self._ttl[lease_id] = old.grantedTTL
        self._renew_at[lease_id] = 0.0
        return lease_id

    async def look(self) -> None:
        """Compares the leases of both."""
        old = {lease.ID for lease in (await self._source.leases()).leases}
        for lease_id in old - self._ttl.keys():
            await self.grant(lease_id)
        for lease_id in self._ttl.keys() - old:
            del self._ttl[lease_id], self._renew_at[lease_id]

    async def keep(self) -> None:
        """Renews and compares, until it is cancelled. What fails is tried again."""
        looks = 0
        while True:
            with suppress(RaftKVError):
                if looks % LIST_EVERY == 0:
                    await self.look()
                await self.renew()
            looks += 1
            await asyncio.sleep(LOOK_S)

    async def renew(self, *, everything: bool = False) -> None:
        """Renews the copies whose time has come."""
        now = asyncio.get_running_loop().time()
        due = [lease_id for lease_id, at in self._renew_at.items() if everything or at <= now]
        async with asyncio.TaskGroup() as tasks:
            for lease_id in due:
                tasks.create_task(self._renew(lease_id, now))

    async def _renew(self, lease_id: int, now: float) -> None:
        async with self._slots:
            with suppress(RaftKVError):
                await self._target.lease_keep_alive(lease_id)
                if lease_id in self._ttl:
                    self._renew_at[lease_id] = now + self._ttl[lease_id] / 3
