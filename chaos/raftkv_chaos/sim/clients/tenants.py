"""Clients with quotas: they write, delete and let run out what is under prefixes that have some, change the quotas, and ask what is used."""

from raftkv.pb import quota as pb
from raftkv_chaos.sim.clients.client import Client
from raftkv_chaos.sim.knobs import Crew
from raftkv_chaos.sim.translation import Fields, data

SERVICE = "/raftkv.v1.Quotas/"
WHOLE = "q/"
"""Above all prefixes of the tenants, and one itself: nested ones count for both."""
TENANTS = ("q/a/", "q/b/")
KEYS = 6
JOBS = "/raftkv/rendezvous/"
"""What the cluster decides itself lies here: it is counted, and never refused."""


class Tenant(Client):
    """Each turn one request, drawn."""

    kind = "tenant"
    crew: Crew
    leases = 0
    begun = False

    async def act(self) -> None:
        if not self.begun:
            self.begun = True
            for prefix in (*TENANTS[: self.number % 3], WHOLE):
                await self._set(prefix)
            return
        acts = (
            (30, self._put),
            (18, self._transaction),
            (14, self._delete),
            (5, self._delete_range),
            (7, self._put_leased),
            (12, self._ask),
            (3, self._change),
            (1, self._remove),
            (2, self._compact),
        )
        (act,) = self.dice.choices([act for _, act in acts], [weight for weight, _ in acts])
        await act()

    def key(self) -> str:
        """Under a prefix, mostly."""
        prefix = self.dice.choice((*TENANTS, *TENANTS, WHOLE, "free/"))
        return f"{prefix}{self.dice.randrange(KEYS)}"

    def value(self) -> str:
        """As nobody else writes it, of any length."""
        return self.unique() + "." * self.dice.choice((0, 0, 1, 5, 30))

    async def _put(self) -> None:
        await self.do("put", {"key": self.key(), "value": self.value()})

    async def _transaction(self) -> None:
        """Several changes, which count as one: what one of them frees another may take."""
        keys = sorted({self.key() for _ in range(4)})
        first, rest = keys[0], keys[1:]
        self.dice.shuffle(rest)
        drops = tuple(("delete", {"key": key}) for key in rest[:1] if self.dice.random() < 0.5)
        puts = tuple(("put", {"key": key, "value": self.value()}) for key in rest[len(drops) :])
        await self.do(
            "txn",
            {
                "compare": ((first, "version", ">", 0),),
                "success": puts + drops if self.dice.random() < 0.5 else drops + puts,
                "failure": (("put", {"key": first, "value": self.value()}), *puts[:1]),
            },
        )

    async def _delete(self) -> None:
        await self.do("delete", {"key": self.key()})

    async def _delete_range(self) -> None:
        prefix = self.dice.choice(TENANTS)
        await self.do("delete", {"key": prefix, "range_end": f"{prefix}{self.dice.randrange(KEYS)}~"})

    async def _put_leased(self) -> None:
        """What nobody keeps alive goes by itself, and is used no more."""
        self.leases += 1
        lease = 2_000_000 + self.number * 1000 + self.leases
        told = await self.do("lease_grant", {"id": lease, "ttl": 2})
        if told is None or "ttl" not in told:
            return
        for _ in range(self.dice.randint(1, 2)):
            await self.do("put", {"key": self.key(), "value": self.value(), "lease": lease})
        if self.dice.random() < 0.2:
            await self.do("lease_revoke", {"id": lease})

    async def _compact(self) -> None:
        found = await self.do("range", {"key": WHOLE})
        if found is not None and "revision" in found:
            await self.do("compact", {"revision": max(1, found["revision"] - self.dice.randrange(4))})

    # --- quotas ----------------------------------------------------------------------------------------------------

    async def _change(self) -> None:
        await self._set(self.dice.choice((*TENANTS, WHOLE, JOBS)))

    async def _set(self, prefix: str) -> None:
        """Limits may also be lowered below what is there."""
        share = self.dice.choice((0, 1, 1, 2))
        limits = {"max_keys": share * self.crew.max_keys, "max_bytes": share * self.crew.max_bytes}
        if prefix != JOBS and self.dice.random() < 0.5:
            del limits[self.dice.choice(sorted(limits))]
        request = pb.SetQuotaRequest(
            quota=pb.Quota(prefix=data(prefix), max_keys=limits.get("max_keys"), max_bytes=limits.get("max_bytes"))
        )
        process = self.process
        response = await self.attempt("quota_set", {"prefix": prefix, **limits}, SERVICE + "Set", request, pb.SetQuotaResponse)
        if response is not None:
            self.recorder.note("ok", process, "quota_set")

    async def _remove(self) -> None:
        prefix = self.dice.choice(TENANTS)
        process = self.process
        request = pb.RemoveQuotaRequest(prefix=data(prefix))
        response = await self.attempt("quota_remove", {"prefix": prefix}, SERVICE + "Remove", request, pb.RemoveQuotaResponse)
        if response is not None:
            self.recorder.note("ok", process, "quota_remove")

    async def _ask(self) -> None:
        prefix = self.dice.choice((*TENANTS, WHOLE))
        process = self.process
        request = pb.GetQuotaRequest(prefix=data(prefix))
        response = await self.attempt("quota_get", {"prefix": prefix}, SERVICE + "Get", request, pb.GetQuotaResponse)
        if response is not None:
            told: Fields = {"prefix": prefix, "bytes": response.status.used_bytes, "keys": response.status.used_keys}
            self.recorder.note("ok", process, "quota_get", told)
