"""Leases: which keys hang on them, and how long they have left, which only the leader knows.

Which leases there are is replicated, so a page of them comes from this node; for the rows of the page the leader is asked, all
at once. Without a leader the page is there, and the times are not.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from heapq import nsmallest
from itertools import islice
from typing import Final

from raftkv.lease import Lease
from raftkv.mvcc.steps import SLICE_ROWS, Steps
from raftkv.pb.rpc import LeaseTimeToLiveResponse
from raftkv.peer.asks import Kind
from raftkv.reply import Reply
from raftkv.rpc.method import Call
from raftkv.server.lease_keeper import pack_question
from raftkv.server.replica import Replica
from raftkv.ui.question import Gate, Json, Parameters, encoded

PATIENCE_S: Final = 0.8
SORTED_KEYS: Final = 100
MAX_SHOWN_KEYS: Final = 3
"""Of a lease, in a list."""


class LeasesView:
    """Answers about leases."""

    def __init__(self, replica: Replica, gate: Gate) -> None:
        self._replica = replica
        self._gate = gate
        self._lessor = replica.machine.lessor

    async def page(self, call: Call, parameters: Parameters) -> Json:
        """`limit` leases from `offset` on, those granted last first; `find`: with this in their id, or in one of their keys."""
        limit, offset = parameters.limit(50), parameters.number("offset", 0, most=2**31)
        find = parameters.text("find")
        total, page = await self._replica.read_local(lambda: self._select(find, offset, limit))
        return {
            "total": len(self._lessor.leases),
            "found": total,
            "leases": await self._rows(call, page, MAX_SHOWN_KEYS),
        }

    async def one(self, call: Call, parameters: Parameters) -> Json:
        """One lease by its hexadecimal `id`, with `limit` of its keys from `offset` on."""
        lease = self._lessor.leases.get(_number(parameters.text("id")))
        if lease is None:
            return {"lease": None}
        limit, offset = parameters.limit(), parameters.number("offset", 0, most=2**31)
        (row,) = await self._rows(call, [lease], 0)
        keys = sorted(lease.keys)[offset : offset + limit]
        return {"lease": {**row, "shown": self._readable(call, keys), "offset": offset}}

    async def times_left(self, lease_ids: Iterable[int]) -> dict[int, int]:
        """Seconds that are left of these, as far as the leader says so in time. Not for many: each is a question."""
        ids = list(dict.fromkeys(lease_ids))
        replies = [self._replica.ask_leader(Kind.LEASE_TIME_TO_LIVE, pack_question(lease_id, keys=False)) for lease_id in ids]
        await settle(replies, PATIENCE_S)
        return {
            lease_id: LeaseTimeToLiveResponse.FromString(reply.result()).TTL
            for lease_id, reply in zip(ids, replies, strict=True)
            if reply.done() and not reply.cancelled() and reply.exception() is None
        }

    def _select(self, find: str, offset: int, limit: int) -> Steps[tuple[int, list[Lease]]]:
        leases = list(self._lessor.leases.values())
        leases.reverse()
        if not find:
            return len(leases), leases[offset : offset + limit]
        total, page = 0, []
        wanted = find.encode()
        for number, lease in enumerate(leases, start=1):
            if find.lower() in f"{lease.id:x}" or any(wanted in key for key in lease.keys):
                if offset <= total < offset + limit:
                    page.append(lease)
                total += 1
            if number % SLICE_ROWS == 0:
                yield
        return total, page

    async def _rows(self, call: Call, leases: list[Lease], keys: int) -> list[Json]:
        left = await self.times_left(lease.id for lease in leases)
        return [
            {
                "id": f"{lease.id:x}",
                "number": str(lease.id),
                "ttl": lease.ttl_s,
                "left": left.get(lease.id),
                "keys": len(lease.keys),
                "shown": self._readable(call, _some(lease.keys, keys)),
            }
            for lease in leases
        ]

    def _readable(self, call: Call, keys: Iterable[bytes]) -> list[str]:
        """Keys that who asks may read."""
        return [encoded(key) for key in keys if self._gate.may_read(call, key)]


def _some(keys: "set[bytes]", wanted: int) -> Iterator[bytes]:
    """The first ones, where that takes no time; else any."""
    yield from nsmallest(wanted, keys) if len(keys) <= SORTED_KEYS else islice(keys, wanted)


async def settle(replies: Sequence[Reply[bytes]], timeout_s: float) -> None:
    """Returns when all are done, or the time is over: then the rest is cancelled."""
    if not replies:
        return
    waiting = len(replies)
    all_done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def done(_: Reply[bytes]) -> None:
        nonlocal waiting
        waiting -= 1
        if not waiting and not all_done.done():
            all_done.set_result(None)

    for reply in replies:
        reply.add_done_callback(done)
    try:
        await asyncio.wait([all_done], timeout=timeout_s)
    finally:
        for reply in replies:
            reply.cancel()


def _number(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError:
        return 0
