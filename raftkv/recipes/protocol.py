"""What recipes ask of a cluster: six questions of the etcd API. Over them the same recipe runs in the client, on a server and
in the simulator.

All of it happens on one event loop. A `txn` whose caller is cancelled may still be executed, at any later time; so recipes see
through what they have begun (`Session.start`), and undo it then.
"""

from collections.abc import AsyncGenerator
from typing import Protocol

from raftkv.pb import rpc


class KV(Protocol):
    """A cluster, seen by one caller."""

    async def range(self, request: rpc.RangeRequest) -> rpc.RangeResponse:
        """Keys; linearizable unless the request says otherwise."""
        ...

    async def txn(self, request: rpc.TxnRequest) -> rpc.TxnResponse:
        """Compares, then reads and writes in one step."""
        ...

    def watch(self, request: rpc.WatchCreateRequest) -> AsyncGenerator[rpc.WatchResponse, None]:
        """Responses with events, in order and without a gap from `start_revision` on; to be closed (`aclosing`).

        Whoever watches first reads, and starts at the revision after that; so nothing falls in between.

        Raises:
            CompactedError: what is asked for is no longer known.
        """
        ...

    async def grant(self, ttl: int) -> rpc.LeaseGrantResponse:
        """A lease of `ttl` seconds, or of as many as the server makes of them."""
        ...

    async def keep_alive(self, lease: int) -> int:
        """Renews a lease; answers the seconds that it has now, 0 if it is gone."""
        ...

    async def revoke(self, lease: int) -> None:
        """Ends a lease, and the keys on it. Raises LeaseNotFoundError."""
        ...
