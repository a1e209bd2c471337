"""The methods of the client that make recipes: locks, elections and the rest. Making one asks nothing of the cluster."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from raftkv.client.request import Data
from raftkv.errors import LostError
from raftkv.recipes.acquisition import DEFAULT_TTL_S
from raftkv.recipes.barrier import Barrier, DoubleBarrier
from raftkv.recipes.counter import Counter
from raftkv.recipes.election import Election, Leadership
from raftkv.recipes.held import Token, verify
from raftkv.recipes.lock import Lock
from raftkv.recipes.party import Party
from raftkv.recipes.queue import Queue
from raftkv.recipes.read_write_lock import ReadWriteLock
from raftkv.recipes.semaphore import Semaphore
from raftkv.recipes.sessions import Sessions
from raftkv.recipes.tree_cache import TreeCache

P = ParamSpec("P")
Result = TypeVar("Result")


class RecipeMethods(ABC):
    """A part of `Client`.

    `ttl` is everywhere the time in seconds after which one that is gone without a word is no longer waited for. All that have
    the same `ttl` share one lease of the client, kept alive until the client is closed.
    """

    @abstractmethod
    def _sessions(self) -> Sessions:
        """The sessions of this client."""

    def lock(
        self,
        name: str,
        *,
        ttl: float = DEFAULT_TTL_S,
        timeout: float | None = None,
        blocking: bool = True,
        delay: float = 0.0,
    ) -> Lock:
        """A fair lock, for `async with`; see `Lock`."""
        return Lock(self._sessions(), name, ttl=ttl, timeout=timeout, blocking=blocking, delay=delay)

    def read_write_lock(self, name: str, *, ttl: float = DEFAULT_TTL_S) -> ReadWriteLock:
        """A fair lock for many readers or one writer: `async with lock.read()`, `async with lock.write()`."""
        return ReadWriteLock(self._sessions(), name, ttl=ttl)

    def semaphore(
        self,
        name: str,
        limit: int,
        *,
        ttl: float = DEFAULT_TTL_S,
        timeout: float | None = None,
        blocking: bool = True,
    ) -> Semaphore:
        """A fair lock for at most `limit` at once, for `async with`."""
        return Semaphore(self._sessions(), name, limit, ttl=ttl, timeout=timeout, blocking=blocking)

    def barrier(self, name: str) -> Barrier:
        """Something to wait at until another lets go on."""
        return Barrier(self._sessions(), name)

    def double_barrier(
        self, name: str, count: int, *, ttl: float = DEFAULT_TTL_S, timeout: float | None = None
    ) -> DoubleBarrier:
        """`count` begin the block together and end it together: `async with`."""
        return DoubleBarrier(self._sessions(), name, count, ttl=ttl, timeout=timeout)

    def queue(self, name: str, *, ttl: float = DEFAULT_TTL_S) -> Queue:
        """A queue of work, first in, first out, or by priority."""
        return Queue(self._sessions(), name, ttl=ttl)

    def counter(self, name: str) -> Counter:
        """A number that many change."""
        return Counter(self._sessions(), name)

    def party(self, name: str, *, ttl: float = DEFAULT_TTL_S) -> Party:
        """Members that come and go, with data."""
        return Party(self._sessions(), name, ttl=ttl)

    def tree_cache(self, prefix: Data) -> TreeCache:
        """A copy of all keys under a prefix that follows the cluster, for `async with`."""
        return TreeCache(self._sessions(), prefix)

    def election(self, name: str, *, ttl: float = DEFAULT_TTL_S) -> Election:
        """A leader election."""
        return Election(self._sessions(), name, ttl=ttl)

    async def elect(
        self,
        name: str,
        work: Callable[[Leadership], Awaitable[Result]],
        *,
        value: Data = b"",
        ttl: float = DEFAULT_TTL_S,
        on_lost: Callable[[LostError], None] | None = None,
    ) -> Result:
        """Runs `work` whenever this process leads the election `name`, until it returns; see `Election.run`."""
        return await self.election(name, ttl=ttl).run(work, value, on_lost=on_lost)

    def leader_only(
        self,
        name: str,
        *,
        value: Data = b"",
        ttl: float = DEFAULT_TTL_S,
        on_lost: Callable[[LostError], None] | None = None,
    ) -> Callable[[Callable[Concatenate[Leadership, P], Awaitable[Result]]], Callable[P, Awaitable[Result]]]:
        """Makes of a coroutine function one that waits until this process leads, and runs only while it does.

        The function gets its leadership as its first argument; the caller gives the others.
        """

        def decorate(work: Callable[Concatenate[Leadership, P], Awaitable[Result]]) -> Callable[P, Awaitable[Result]]:
            @wraps(work)
            async def elected(*args: P.args, **options: P.kwargs) -> Result:
                return await self.elect(
                    name, lambda leadership: work(leadership, *args, **options), value=value, ttl=ttl, on_lost=on_lost
                )

            return elected

        return decorate

    async def verify(self, token: Token) -> bool:
        """Asks the cluster whether the holder of a fencing token still holds."""
        return await verify(self._sessions().store, token)
