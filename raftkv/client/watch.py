"""A watch as a program sees it: opened by `async with`, read by `async for`, and gone on with through every loss."""

import asyncio
from collections.abc import AsyncIterator, Callable
from math import isinf
from types import TracebackType
from typing import Self

from raftkv.client.session import Session
from raftkv.client.subscription import Subscription, WatchBatch
from raftkv.errors import ClientClosedError, ConnectError, DeadlineExceededError
from raftkv.pb import kv, rpc


class Watch:
    """The changes of a range of keys, in order, from one revision on: none missing, none twice.

    async with client.watch("job/7/", prefix=True) as watch:   # from here on nothing is missed
        async for batch in watch:
            for event in batch.events: ...

    It survives lost connections, dead nodes and changes of the leader; a node that has lost its leader is left. Any number of
    watches share one stream. What is not read is buffered up to a bound, and beyond that waits in the server's history.
    It is for one reader.

    Raises, while it is read:
        WatchCompactedError: What comes next was compacted away; its `compact_revision` is the oldest one left.
        RequestError: The server cancelled the watch: PermissionDeniedError, say.
        ClientClosedError: The client was closed.
    """

    def __init__(self, session: Callable[[], Session], create: rpc.WatchCreateRequest, *, timeout: float) -> None:
        """For `Client.watch`. `timeout`: the seconds that opening may take."""
        self._make_session = session
        self._create = create
        self._timeout = timeout
        self._session: Session | None = None
        self._subscription: Subscription | None = None

    async def open(self) -> None:
        """Returns when a server has created the watch: of what is changed from then on, nothing is missed.

        Raises ConnectError, DeadlineExceededError, and what reading raises.
        """
        if self._subscription is not None:
            raise RuntimeError("a watch is opened once")
        session = self._session = self._make_session()
        subscription = self._subscription = Subscription(self._create, on_room=session.watches.resume)
        session.watches.begin(subscription)
        try:
            async with asyncio.timeout(None if isinf(self._timeout) else self._timeout):
                await subscription.established.wait()
            subscription.check_created()
        except TimeoutError:
            self.close()
            failure = session.watches.last_failure
            if isinstance(failure, ConnectError):
                raise failure from None
            because = f": {failure}" if failure is not None else ""
            raise DeadlineExceededError(f"no watch within {self._timeout:g} s{because}") from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Cancels the watch; a reader meets the end of the iteration. Idempotent."""
        if self._session is not None and self._subscription is not None and not self._session.inherited:
            self._session.watches.end(self._subscription)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def inherited(self) -> bool:
        """Whether the process has forked since it was opened: then it is the parent's."""
        return self._session is not None and self._session.inherited

    @property
    def revision(self) -> int:
        """Everything up to here has been received; a new watch goes on at the next revision."""
        return self._live().revision

    def request_progress(self) -> None:
        """Asks the server how far it has come; the answer is a batch without events, among the others.

        A server that is still catching up with history may not answer: ask again. (etcd before 3.5.8 answers even so, and then
        history that is older may follow.) All watches of the client get the answer.
        """
        self._live()
        assert self._session is not None
        self._session.watches.request_progress()

    async def next(self, *, timeout: float | None = None) -> WatchBatch | None:  # noqa: ASYNC109  # a wait, not a call
        """The next batch, or None when the watch was closed. Raises TimeoutError when there is none within `timeout` seconds."""
        subscription = self._live()
        if timeout is None:
            return await subscription.next()
        async with asyncio.timeout(timeout):
            return await subscription.next()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> WatchBatch:
        batch = await self._live().next()
        if batch is None:
            raise StopAsyncIteration
        return batch

    async def events(self) -> AsyncIterator[kv.Event]:
        """The events one by one, whatever revision they belong to."""
        async for batch in self:
            for event in batch.events:
                yield event

    def _live(self) -> Subscription:
        if self._subscription is None or self._session is None:
            raise RuntimeError("the watch is not open: use it in an `async with` block")
        if self._session.inherited:
            raise ClientClosedError  # it is the parent process's
        return self._subscription
