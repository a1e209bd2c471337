"""The leases of recipes' sessions on the client's keepalive stream. When to renew is the session's to say: here one question is
seen through, over however many streams that takes.
"""

import asyncio

from raftkv.client.keepalive_stream import KeepaliveStream
from raftkv.errors import RaftKVError
from raftkv.recipes.lease_term import answer_s


class Renewals:
    """One lease. `KeptAlive` by the stream from its first renewal on, until it is dropped, or nobody has asked for a whole TTL."""

    def __init__(self, lease: int, ttl: int, keepalives: KeepaliveStream, loop: asyncio.AbstractEventLoop) -> None:
        self.id = lease
        self._ttl = ttl
        self._keepalives = keepalives
        self._loop = loop
        self._on_stream = False
        self._answer: asyncio.Future[int] | None = None
        self._end = loop.call_later(ttl, self.drop)
        self.over = False
        """Whether it was dropped."""

    async def renew(self) -> int:
        """Asks until there is an answer: the seconds that the lease has now, or 0 if it is gone. One at a time.

        Raises:
            RaftKVError: no keepalives can be sent any more, or none for now.
        """
        answer = self._answer = self._loop.create_future()
        try:
            self._stay()
            self._keepalives.renew(self.id)
            while not (await asyncio.wait([answer], timeout=answer_s(self._ttl)))[0]:
                self._keepalives.leave()
            return int(answer.result())
        finally:
            self._answer = None

    def drop(self) -> None:
        """It is renewed no more."""
        self.over = True
        self._on_stream = False
        self._keepalives.remove(self)
        self._end.cancel()

    def _stay(self) -> None:
        if not self._on_stream:
            self._keepalives.add(self)
            self._on_stream = True
        self._end.cancel()
        self._end = self._loop.call_later(self._ttl, self.drop)

    # --- KeptAlive

    def stream_opened(self) -> None:
        if self._answer is not None:
            self._keepalives.renew(self.id)

    def answered(self, ttl: int) -> None:
        if ttl > 0:
            self._ttl = ttl
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(ttl)

    def forsaken(self, error: RaftKVError) -> None:
        self._on_stream = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
