"""The methods of the client about quotas. Only raftkv serves them."""

from collections.abc import Sequence

from raftkv.client.method import Method, Repeat
from raftkv.client.part import ClientPart
from raftkv.client.request import Data, as_bytes
from raftkv.pb.quota import (
    GetQuotaRequest,
    GetQuotaResponse,
    ListQuotasRequest,
    ListQuotasResponse,
    Quota,
    QuotaStatus,
    RemoveQuotaRequest,
    RemoveQuotaResponse,
    SetQuotaRequest,
    SetQuotaResponse,
)

SET = Method("/raftkv.v1.Quotas/Set", SetQuotaResponse, Repeat.BY_ID)
GET = Method("/raftkv.v1.Quotas/Get", GetQuotaResponse, Repeat.ALWAYS)
LIST = Method("/raftkv.v1.Quotas/List", ListQuotasResponse, Repeat.ALWAYS)
REMOVE = Method("/raftkv.v1.Quotas/Remove", RemoveQuotaResponse, Repeat.BY_ID)


class QuotaMethods(ClientPart):
    """A part of `Client`. While authentication is on, to set or remove a quota needs the role root."""

    async def quota_set(
        self,
        prefix: Data,
        *,
        role: str = "",
        max_bytes: int | None = None,
        max_keys: int | None = None,
        max_watches: int | None = None,
        requests_per_second: int | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  # of the whole call; the server is told
    ) -> SetQuotaResponse:
        """Limits what is under a prefix, in place of the limits that it and the role have.

        Args:
            prefix: Of the keys; empty: all.
            role: Whom it binds: users with this role; empty: everybody.
            max_bytes: Of keys and values, as they are now.
            max_keys: How many there may be.
            max_watches: Open at one node.
            requests_per_second: Taken by one node.
            timeout: Seconds, for this call.

        Raises:
            InvalidArgumentError: No limit is given.
            TooManyQuotasError: There are as many quotas as there may be.
        """
        quota = Quota(
            prefix=as_bytes(prefix),
            role=role,
            max_bytes=max_bytes,
            max_keys=max_keys,
            max_watches=max_watches,
            requests_per_second=requests_per_second,
        )
        return await self.call(SET, SetQuotaRequest(quota=quota), timeout=timeout)

    async def quota_get(
        self,
        prefix: Data,
        *,
        role: str = "",
        timeout: float | None = None,  # noqa: ASYNC109  # of the whole call; the server is told
    ) -> QuotaStatus:
        """One quota, and what is used of it. Raises QuotaNotFoundError."""
        request = GetQuotaRequest(prefix=as_bytes(prefix), role=role)
        return (await self.call(GET, request, timeout=timeout)).status

    async def quotas(
        self,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  # of the whole call; the server is told
    ) -> Sequence[QuotaStatus]:
        """All quotas of prefixes that the user may read."""
        return (await self.call(LIST, ListQuotasRequest(), timeout=timeout)).quotas

    async def quota_remove(
        self,
        prefix: Data,
        *,
        role: str = "",
        timeout: float | None = None,  # noqa: ASYNC109  # of the whole call; the server is told
    ) -> RemoveQuotaResponse:
        """Removes a quota. Raises QuotaNotFoundError."""
        return await self.call(REMOVE, RemoveQuotaRequest(prefix=as_bytes(prefix), role=role), timeout=timeout)
