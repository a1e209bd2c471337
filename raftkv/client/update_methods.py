"""The method of the client for changes that depend on what keys hold."""

from collections.abc import Iterable

from raftkv.client.method import UPDATE
from raftkv.client.part import ClientPart
from raftkv.client.request import Data, as_bytes
from raftkv.pb.update import Change, UpdateRequest, UpdateResponse


class UpdateMethods(ClientPart):
    """A part of `Client`."""

    async def update(
        self,
        changes: Iterable[Change],
        *,
        prefix: Data = b"",
        lease: int = 0,
        timeout: float | None = None,  # noqa: ASYNC109  # of the whole call; the server is told
    ) -> UpdateResponse:
        """Makes many changes in order, in one step: also those that read a key to change it. Only raftkv serves it.

        await client.update([Change(kind=Change.ADD, key=b"steps", amount=1), Change(kind=Change.PUSH, key=b"jobs", value=b"x")])

        Args:
            changes: At most 1,024; proto/raftkv/update.proto says what each kind does and answers.
            prefix: Of every key.
            lease: The lease that what is written hangs on; 0: none.
            timeout: Seconds, for this call.
        """
        request = UpdateRequest(prefix=as_bytes(prefix), lease=lease, changes=changes)
        return await self.call(UPDATE, request, timeout=timeout)
