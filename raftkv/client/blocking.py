"""The blocking twin of the client: the same methods, called without `await`, from any thread.

The methods are made from those of `Client`, so names, arguments, defaults, documentation and types are the same by nature.
"""

from collections.abc import Callable, Coroutine, Sequence
from functools import update_wrapper
from random import Random
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar

from raftkv.client.blocking_iteration import blocking_iterator
from raftkv.client.blocking_lease import BlockingLease
from raftkv.client.blocking_recipes import (
    BlockingBarrier,
    BlockingCounter,
    BlockingDoubleBarrier,
    BlockingElection,
    BlockingLeadership,
    BlockingParty,
    BlockingQueue,
    BlockingReadWriteLock,
    BlockingTreeCache,
    blocking_lock,
)
from raftkv.client.blocking_rendezvous import BlockingRendezvous
from raftkv.client.blocking_watch import BlockingWatch
from raftkv.client.blocking_worker import BlockingWorker
from raftkv.client.client import MAX_MESSAGE_BYTES, Client
from raftkv.client.loop_thread import loop_thread
from raftkv.client.request import Data
from raftkv.client.tls import TLSConfig
from raftkv.errors import LostError
from raftkv.recipes.acquisition import DEFAULT_TTL_S

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

P = ParamSpec("P")
R = TypeVar("R")
Made = TypeVar("Made")
Twin = TypeVar("Twin")


def _blocking(
    method: Callable[Concatenate[Client, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate["BlockingClient", P], R]:
    """The method that waits for what `method` of the client in it returns."""

    def call(blocking: "BlockingClient", /, *args: P.args, **options: P.kwargs) -> R:
        return loop_thread().run(method(blocking._client, *args, **options))  # noqa: SLF001  # this is a method of the class

    return update_wrapper(call, method)


def _made_of(
    method: Callable[Concatenate[Client, P], Made], twin: Callable[[Made], Twin]
) -> Callable[Concatenate["BlockingClient", P], Twin]:
    """The method that makes the blocking `twin` of what `method` of the client in it makes."""

    def call(blocking: "BlockingClient", /, *args: P.args, **options: P.kwargs) -> Twin:
        return twin(method(blocking._client, *args, **options))  # noqa: SLF001  # this is a method of the class

    return update_wrapper(call, method)


class BlockingClient:
    """A client of a raftkv (or etcd) cluster for code without asyncio; arguments and errors are those of `Client`.

    All blocking clients of a process share one thread with an event loop. Any thread may call, several at once too; a call
    from a coroutine blocks that coroutine's loop, but not itself. Forking is safe: the child starts a thread of its own.
    """

    def __init__(
        self,
        endpoints: str | Sequence[str] = "127.0.0.1:2379",
        *,
        timeout: float = 5.0,
        dial_timeout: float = 2.0,
        user: str | None = None,
        password: str = "",
        tls: TLSConfig | None = None,
        client_id: bytes | None = None,
        wait_for_ready: bool = True,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        keepalive_after: float = 1.0,
        keepalive_timeout: float = 2.0,
        rng: Random | None = None,
        tracer: "Tracer | None" = None,
    ) -> None:
        self._client = Client(
            endpoints,
            timeout=timeout,
            dial_timeout=dial_timeout,
            user=user,
            password=password,
            tls=tls,
            client_id=client_id,
            wait_for_ready=wait_for_ready,
            max_message_bytes=max_message_bytes,
            keepalive_after=keepalive_after,
            keepalive_timeout=keepalive_timeout,
            rng=rng,
            tracer=tracer,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The endpoints in use, `host:port`."""
        return self._client.endpoints

    def elect(
        self,
        name: str,
        work: Callable[[BlockingLeadership], R],
        *,
        value: Data = b"",
        ttl: float = DEFAULT_TTL_S,
        on_lost: Callable[[LostError], None] | None = None,
    ) -> R:
        """Runs `work` whenever this process leads the election `name`, until it returns; see `BlockingElection.run`."""
        return self.election(name, ttl=ttl).run(work, value, on_lost=on_lost)

    def leader_only(
        self,
        name: str,
        *,
        value: Data = b"",
        ttl: float = DEFAULT_TTL_S,
        on_lost: Callable[[LostError], None] | None = None,
    ) -> Callable[[Callable[Concatenate[BlockingLeadership, P], R]], Callable[P, R]]:
        """Makes of a function one that waits until this process leads; see `BlockingElection.only`."""
        return lambda work: self.election(name, ttl=ttl).only(work, value, on_lost=on_lost)

    close = _blocking(Client.close)
    put = _blocking(Client.put)
    get = _blocking(Client.get)
    range = _blocking(Client.range)
    delete = _blocking(Client.delete)
    txn = _blocking(Client.txn)
    compact = _blocking(Client.compact)
    watch = _made_of(Client.watch, BlockingWatch)
    lease = _made_of(Client.lease, BlockingLease)
    adopt_lease = _made_of(Client.adopt_lease, BlockingLease)
    lock = _made_of(Client.lock, blocking_lock)
    read_write_lock = _made_of(Client.read_write_lock, BlockingReadWriteLock)
    semaphore = _made_of(Client.semaphore, blocking_lock)
    barrier = _made_of(Client.barrier, BlockingBarrier)
    double_barrier = _made_of(Client.double_barrier, BlockingDoubleBarrier)
    queue = _made_of(Client.queue, BlockingQueue)
    counter = _made_of(Client.counter, BlockingCounter)
    party = _made_of(Client.party, BlockingParty)
    tree_cache = _made_of(Client.tree_cache, BlockingTreeCache)
    election = _made_of(Client.election, BlockingElection)
    verify = _blocking(Client.verify)
    lease_grant = _blocking(Client.lease_grant)
    lease_revoke = _blocking(Client.lease_revoke)
    lease_time_to_live = _blocking(Client.lease_time_to_live)
    lease_keep_alive = _blocking(Client.lease_keep_alive)
    leases = _blocking(Client.leases)
    auth_enable = _blocking(Client.auth_enable)
    auth_disable = _blocking(Client.auth_disable)
    auth_status = _blocking(Client.auth_status)
    user_add = _blocking(Client.user_add)
    user_delete = _blocking(Client.user_delete)
    user_get = _blocking(Client.user_get)
    users = _blocking(Client.users)
    user_change_password = _blocking(Client.user_change_password)
    user_grant_role = _blocking(Client.user_grant_role)
    user_revoke_role = _blocking(Client.user_revoke_role)
    role_add = _blocking(Client.role_add)
    role_delete = _blocking(Client.role_delete)
    role_get = _blocking(Client.role_get)
    roles = _blocking(Client.roles)
    role_grant_permission = _blocking(Client.role_grant_permission)
    role_revoke_permission = _blocking(Client.role_revoke_permission)
    status = _blocking(Client.status)
    members = _blocking(Client.members)
    member_add = _blocking(Client.member_add)
    member_promote = _blocking(Client.member_promote)
    member_update = _blocking(Client.member_update)
    member_remove = _blocking(Client.member_remove)
    move_leader = _blocking(Client.move_leader)
    defragment = _blocking(Client.defragment)
    hash_kv = _blocking(Client.hash_kv)
    downgrade = _blocking(Client.downgrade)
    snapshot = _made_of(Client.snapshot, blocking_iterator)
    sync_endpoints = _blocking(Client.sync_endpoints)
    alarms = _blocking(Client.alarms)
    alarm_disarm = _blocking(Client.alarm_disarm)
    update = _blocking(Client.update)
    quota_set = _blocking(Client.quota_set)
    quota_get = _blocking(Client.quota_get)
    quotas = _blocking(Client.quotas)
    quota_remove = _blocking(Client.quota_remove)
    rendezvous = _made_of(Client.rendezvous, BlockingRendezvous)
    job = _made_of(Client.job, BlockingWorker)
    jobs = _blocking(Client.jobs)
    steps = _blocking(Client.steps)
    call = _blocking(Client.call)
