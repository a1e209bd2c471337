"""Clients that read and write keys: put, delete, compare and set, transactions of several keys, reads of all kinds, compaction."""

from raftkv_chaos.sim.clients.client import Client
from raftkv_chaos.sim.translation import Fields

PREFIX = "k"
PREFIX_END = "l"


class KeyClient(Client):
    """Each turn one request, drawn."""

    kind = "keys"

    async def act(self) -> None:
        acts = (
            (30, self._put),
            (14, self._read),
            (8, self._list),
            (14, self._compare_and_set),
            (10, self._transaction),
            (6, self._delete),
            (4, self._delete_range),
            (6, self._read_stale),
            (4, self._read_past),
            (2, self._compact),
        )
        (act,) = self.dice.choices([act for _, act in acts], [weight for weight, _ in acts])
        await act()

    def key(self) -> str:
        """One of the few."""
        return f"{PREFIX}{self.dice.randrange(self.traffic.keys)}"

    async def _put(self) -> None:
        await self.do("put", {"key": self.key(), "value": self.unique()}, previous=self.dice.random() < 0.3)

    async def _read(self) -> None:
        await self._remember(await self.do("range", {"key": self.key()}))

    async def _list(self) -> None:
        limit = {"limit": 2} if self.dice.random() < 0.2 else {}
        await self._remember(await self.do("range", {"key": PREFIX, "range_end": PREFIX_END, **limit}))

    async def _remember(self, told: Fields | None) -> None:
        if told is not None and "revision" in told:
            self.seen = told["revision"]

    seen = 1

    async def _compare_and_set(self) -> None:
        key = self.key()
        found = await self.do("range", {"key": key})
        if found is None or "kvs" not in found:
            return
        mod = found["kvs"][0][3] if found["kvs"] else 0
        await self.do(
            "txn",
            {
                "compare": ((key, "mod", "=", mod),),
                "success": (("put", {"key": key, "value": self.unique()}),),
                "failure": (("range", {"key": key}),),
            },
        )

    async def _transaction(self) -> None:
        keys = [f"{PREFIX}{number}" for number in range(self.traffic.keys)]
        chosen = self.dice.sample(keys, min(len(keys), self.dice.randint(1, 3)))
        first = chosen[0]
        success = tuple(("put", {"key": key, "value": self.unique()}) for key in chosen)
        inner = ("txn", {"compare": ((first, "version", ">", 1),), "success": (("range", {"key": first}),), "failure": ()})
        reads = (("range", {"key": PREFIX, "range_end": PREFIX_END}),)
        drop = (("delete", {"key": first}),) if self.dice.random() < 0.3 else reads
        await self.do(
            "txn",
            {
                "compare": ((first, "version", "<", self.dice.randint(0, 6)),),
                "success": reads + success + ((inner,) if self.dice.random() < 0.3 else ()),
                "failure": drop,
            },
        )

    async def _delete(self) -> None:
        await self.do("delete", {"key": self.key()}, previous=self.dice.random() < 0.3)

    async def _delete_range(self) -> None:
        await self.do("delete", {"key": PREFIX, "range_end": f"{PREFIX}{self.dice.randrange(self.traffic.keys)}~"})

    async def _read_stale(self) -> None:
        if self.dice.random() < 0.5:
            await self.do("range", {"key": PREFIX, "range_end": PREFIX_END, "serializable": True})
        else:
            await self.do("range", {"key": self.key()}, staleness_s=self.dice.choice((0.05, 0.2, 1.0)))

    async def _read_past(self) -> None:
        await self.do("range", {"key": PREFIX, "range_end": PREFIX_END, "revision": max(1, self.seen - self.dice.randrange(8))})

    async def _compact(self) -> None:
        await self.do("compact", {"revision": max(1, self.seen - self.dice.randrange(4))})
