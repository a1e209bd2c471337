"""The methods of the client about leases."""

import asyncio
import os
from math import isinf

from raftkv.client.channel import Stream
from raftkv.client.endpoint import Endpoint
from raftkv.client.lease import HeldLease, LeaseCalls
from raftkv.client.method import (
    LEASE_GRANT,
    LEASE_KEEP_ALIVE_PATH,
    LEASE_LEASES,
    LEASE_REVOKE,
    LEASE_TIME_TO_LIVE,
    NAMED_LEASE_GRANT,
)
from raftkv.client.part import ClientPart
from raftkv.client.reopening import NEEDS_LEADER
from raftkv.client.retry import backoff
from raftkv.client.session import Session
from raftkv.client.status import error_of
from raftkv.errors import ConnectError, ConnectionBrokenError, DeadlineExceededError, LeaseExistsError, RaftKVError
from raftkv.pb import rpc

ATTEMPT_S = 2.0
"""What the answer to a single keepalive may take before another endpoint is asked."""


class LeaseMethods(ClientPart):
    """A part of `Client`."""

    def lease(self, ttl: int, *, lease_id: int = 0) -> HeldLease:
        """A lease that is granted by `async with`, kept alive in the block, and revoked at its end.

        Args:
            ttl: Seconds for which the cluster keeps it without hearing from here; it may grant more (at least 2).
            lease_id: The id to give it; 0: drawn by lot.
        """
        return HeldLease(self._lease_calls(), self._live, ttl=ttl, lease_id=lease_id, adopt=False, revoke=True)

    def adopt_lease(self, lease_id: int, *, revoke: bool = False) -> HeldLease:
        """A lease that is there already, kept alive in an `async with` block; with `revoke`, revoked at its end."""
        return HeldLease(self._lease_calls(), self._live, ttl=0, lease_id=lease_id, adopt=True, revoke=revoke)

    async def lease_grant(
        self,
        ttl: int,
        lease_id: int = 0,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  # of the whole call; the server is told
    ) -> rpc.LeaseGrantResponse:
        """Grants a lease that nobody keeps alive; `lease` does both. The answer says its ID and the TTL granted.

        Raises:
            LeaseExistsError: For a `lease_id` that is taken.
        """
        if lease_id:
            return await self.call(LEASE_GRANT, rpc.LeaseGrantRequest(TTL=ttl, ID=lease_id), timeout=timeout)
        drawn = int.from_bytes(os.urandom(8)) >> 1 or 1
        try:
            return await self.call(NAMED_LEASE_GRANT, rpc.LeaseGrantRequest(TTL=ttl, ID=drawn), timeout=timeout)
        except LeaseExistsError:
            pass  # an earlier attempt got through, its answer did not
        found = await self.lease_time_to_live(drawn, timeout=timeout)
        return rpc.LeaseGrantResponse(header=found.header, ID=drawn, TTL=found.grantedTTL)

    async def lease_revoke(
        self,
        lease_id: int,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  # of the whole call; the server is told
    ) -> rpc.LeaseRevokeResponse:
        """Ends a lease, and deletes its keys.

        Raises:
            LeaseNotFoundError: There is no such lease.
        """
        return await self.call(LEASE_REVOKE, rpc.LeaseRevokeRequest(ID=lease_id), timeout=timeout)

    async def lease_time_to_live(
        self,
        lease_id: int,
        *,
        keys: bool = False,
        timeout: float | None = None,  # noqa: ASYNC109  # of the whole call; the server is told
    ) -> rpc.LeaseTimeToLiveResponse:
        """How many whole seconds a lease has left, and, with `keys`, its keys. A TTL of -1: there is no such lease."""
        return await self.call(LEASE_TIME_TO_LIVE, rpc.LeaseTimeToLiveRequest(ID=lease_id, keys=keys), timeout=timeout)

    async def leases(
        self,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  # of the whole call; the server is told
    ) -> rpc.LeaseLeasesResponse:
        """All leases of the cluster."""
        return await self.call(LEASE_LEASES, rpc.LeaseLeasesRequest(), timeout=timeout)

    async def lease_keep_alive(
        self,
        lease_id: int,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  # of all attempts together
    ) -> rpc.LeaseKeepAliveResponse:
        """Renews a lease once. A TTL of 0: there is no such lease."""
        seconds = self._timeout if timeout is None else timeout
        renewal = _Renewal(self._live(), lease_id)
        try:
            async with asyncio.timeout(None if isinf(seconds) else seconds):
                return await renewal.run()
        except TimeoutError:
            if isinstance(renewal.failure, ConnectError):
                raise renewal.failure from None
            because = f": {renewal.failure}" if renewal.failure is not None else ""
            raise DeadlineExceededError(f"no answer to a keepalive within {seconds:g} s{because}") from None

    def _lease_calls(self) -> LeaseCalls:
        return LeaseCalls(
            self.lease_grant, self.lease_keep_alive, lambda lease_id, timeout: self.lease_revoke(lease_id, timeout=timeout)
        )


class _Renewal:
    """One keepalive, tried until it is answered."""

    def __init__(self, session: Session, lease_id: int) -> None:
        self._session = session
        self._body = rpc.LeaseKeepAliveRequest(ID=lease_id).SerializeToString()
        self.failure: RaftKVError | None = None

    async def run(self) -> rpc.LeaseKeepAliveResponse:
        """Raises what cannot pass."""
        attempts = 0
        while True:
            try:
                stream, endpoint = await self._session.stream(LEASE_KEEP_ALIVE_PATH, NEEDS_LEADER)
                return await self._attempt(stream, endpoint)
            except ConnectError as error:
                if not self._session.waits_for_ready:
                    raise
                self.failure = error
            except RaftKVError as error:
                if not error.retryable:
                    raise
                self.failure = error
            await asyncio.sleep(backoff(attempts, self._session.rng))
            attempts += 1

    async def _attempt(self, stream: Stream, endpoint: Endpoint) -> rpc.LeaseKeepAliveResponse:
        try:
            async with asyncio.timeout(ATTEMPT_S):
                await stream.send(self._body)
                stream.end()
                message = await stream.receive()
        except ConnectionBrokenError:
            self._session.turn_from(endpoint)
            raise
        except TimeoutError:
            self._session.turn_from(endpoint)
            raise ConnectionBrokenError(str(endpoint), f"no answer within {ATTEMPT_S:g} s", sent=True) from None
        finally:
            stream.cancel()
        if message is not None:
            return rpc.LeaseKeepAliveResponse.FromString(message)
        self._session.turn_from(endpoint)
        reply = stream.reply
        assert reply is not None
        raise error_of(reply)
