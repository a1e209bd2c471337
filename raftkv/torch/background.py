"""What lives on the client's loop while blocking code goes on: an async context manager, entered and left from any thread."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from raftkv.client import Client, TLSConfig, forked
from raftkv.client.loop_thread import LoopThread, loop_thread
from raftkv.errors import ClientClosedError

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Access:
    """How the cluster is reached."""

    endpoints: str = "127.0.0.1:2379"
    """`host:port`, several with commas."""
    user: str | None = None
    password: str = field(default="", repr=False)
    tls: TLSConfig | None = None

    def client(self) -> Client:
        """A client that never gives up: who waits here has no way to try again."""
        return Client(self.endpoints, timeout=math.inf, user=self.user, password=self.password, tls=self.tls)

    def environment(self) -> dict[str, str]:
        """The same for processes that are started here, under the names that the command line reads."""
        tls = self.tls or TLSConfig()
        said = {
            "RAFTKV_ENDPOINTS": self.endpoints,
            "RAFTKV_USER": self.user,
            "RAFTKV_PASSWORD": self.password,
            "RAFTKV_CACERT": tls.ca_file,
            "RAFTKV_CERT": tls.cert_file,
            "RAFTKV_KEY": tls.key_file,
        }
        return {name: str(value) for name, value in said.items() if value}


class Resident(Generic[T]):
    """Enters what `make` makes, on the client's loop, and keeps it until `close`.

    In a child that the process forks it is over, for its thread stays with the parent; closing it there leaves the parent's alone.
    """

    def __init__(self, make: Callable[[], AbstractAsyncContextManager[T]], name: str) -> None:
        self._make = make
        self._name = name
        self._generation = forked.generation()
        self._loop: LoopThread = loop_thread()
        self._entered: Future[T] = Future()
        self._ended: Future[None] = Future()
        self._leave: asyncio.Event
        self._task: asyncio.Task[None]
        self._loop.run(self._start())
        self.value: T = self._entered.result()
        """What it was entered as."""

    @property
    def failure(self) -> BaseException | None:
        """Why it is over; None: it is not."""
        if self.inherited:
            return ClientClosedError()
        return (self._ended.exception() or ClientClosedError()) if self._ended.done() else None

    @property
    def inherited(self) -> bool:
        """Whether the process has forked since: it lives on in the parent."""
        return self._generation != forked.generation()

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        """Runs something on its loop, and waits for it. Raises ClientClosedError in a forked child."""
        if self.inherited:
            work.close()
            raise ClientClosedError
        return self._loop.run(work)

    def close(self) -> None:
        """Leaves it; idempotent."""
        if not self.inherited and not self._ended.done():
            self._loop.run(self._stop())

    async def _start(self) -> None:
        self._leave = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._live(), name=self._name)
        begun: set[asyncio.Future[Any]] = {self._task, asyncio.wrap_future(self._entered)}
        await asyncio.wait(begun, return_when=asyncio.FIRST_COMPLETED)

    async def _stop(self) -> None:
        self._leave.set()
        await asyncio.wait({self._task})

    async def _live(self) -> None:
        try:
            async with self._make() as value:
                self._entered.set_result(value)
                await self._leave.wait()
        except BaseException as error:
            self._ended.set_exception(error)
            if not self._entered.done():
                self._entered.set_exception(error)
            if isinstance(error, asyncio.CancelledError):
                raise
        else:
            self._ended.set_result(None)


@asynccontextmanager
async def with_client(
    access: Access, make: Callable[[Client], AbstractAsyncContextManager[T]], client: Client | None = None
) -> AsyncIterator[T]:
    """What `make` makes of `client`, which stays open; None: of a client for it alone."""
    async with nullcontext(client) if client is not None else access.client() as chosen, make(chosen) as value:
        yield value
