"""The asyncio client."""

import asyncio
import os
from collections.abc import Callable, Iterable, Sequence
from random import Random, SystemRandom
from types import TracebackType
from typing import TYPE_CHECKING, Self

from google.protobuf.message import Message

from raftkv.client.auth_methods import AuthMethods
from raftkv.client.channel import Channel, Metadata
from raftkv.client.client_kv import ClientKV
from raftkv.client.cluster_methods import ClusterMethods
from raftkv.client.connection import ConnectionOptions
from raftkv.client.credentials import Credentials
from raftkv.client.endpoint import Endpoint, parse_endpoint, parse_endpoints
from raftkv.client.http2 import DialOptions, Http2Channel
from raftkv.client.lease_methods import LeaseMethods
from raftkv.client.method import (
    ALARM,
    COMPACT,
    DELETE_RANGE,
    MEMBER_LIST,
    PUT,
    RANGE,
    READ_TXN,
    STATUS,
    TXN,
    Method,
    Response,
)
from raftkv.client.quota_methods import QuotaMethods
from raftkv.client.recipe_methods import RecipeMethods
from raftkv.client.rendezvous_methods import RendezvousMethods
from raftkv.client.request import Data, Order, SortBy, delete_request, put_request, range_request
from raftkv.client.request_id import CLIENT_ID_BYTES
from raftkv.client.session import Session
from raftkv.client.tls import TLSConfig
from raftkv.client.transaction import is_read, txn_request
from raftkv.client.update_methods import UpdateMethods
from raftkv.client.watch_methods import WatchMethods
from raftkv.errors import ClientClosedError, ConfigError
from raftkv.pb import kv, rpc
from raftkv.recipes.sessions import Sessions

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

    from raftkv.client.spans import CallSpans

STALENESS_HEADER = b"raftkv-max-staleness-ms"
MAX_MESSAGE_BYTES = 64 * 1024 * 1024


class Client(
    AuthMethods,
    ClusterMethods,
    LeaseMethods,
    QuotaMethods,
    RecipeMethods,
    RendezvousMethods,
    UpdateMethods,
    WatchMethods,
):
    """A client of a raftkv (or etcd) cluster, for asyncio.

    It connects when it is first used, keeps one connection, goes to another endpoint when that fails, and repeats what can be
    repeated safely (`raftkv.client.retry`). A process that forks may use it on both sides: the child gets connections and a
    client id of its own. It is for one event loop; calls may run in any number of tasks.

    Args:
        endpoints: `host:port`, with or without `http://` or `https://`; a list, or a string with commas.
        timeout: Seconds that a call may take, all attempts together, where the call does not say; math.inf: for ever.
        dial_timeout: Seconds that it may take to open one connection.
        user: Who to be, where the cluster asks; tokens are got, and renewed, as needed. None: whoever the certificate names.
        password: Of `user`.
        tls: How to encrypt; None: in plain text, except for `https://`, where the system's authorities are trusted.
        client_id: 16 bytes that no other client has, nor had. None: drawn by lot, which is nearly always right.
        wait_for_ready: Whether to keep trying, until the timeout, while no endpoint can be reached; else each is tried once.
        max_message_bytes: The longest answer that is taken.
        keepalive_after: Seconds of silence, while a call waits, after which the server is asked whether it is there.
        keepalive_timeout: Seconds after which a server that does not answer that is given up.
        rng: Chooses the first endpoint and the pauses between attempts.
        tracer: OpenTelemetry's, for a span round each call with one answer; the server's spans are its children.
        open_channel: What carries the calls to an endpoint; None: HTTP/2 over TCP. For simulations and tests.

    Raises:
        ConfigError: An endpoint, a file or an id that cannot be.
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
        open_channel: Callable[[Endpoint], Channel] | None = None,
    ) -> None:
        self._user = user
        self._password = password
        self._tls = tls
        self._endpoints = parse_endpoints(endpoints, tls=tls is not None)
        self._timeout = timeout
        if client_id is not None and len(client_id) != CLIENT_ID_BYTES:
            raise ConfigError(f"a client id has {CLIENT_ID_BYTES} bytes, not {len(client_id)}")
        self._client_id = client_id
        self._wait_for_ready = wait_for_ready
        self._rng = rng if rng is not None else SystemRandom()
        self._dial_options = DialOptions(
            timeout=dial_timeout,
            tls=None if tls is None else tls.context(),
            server_name=None if tls is None else tls.server_name,
            connection=ConnectionOptions(
                max_message_bytes=max_message_bytes, keepalive_after=keepalive_after, keepalive_timeout=keepalive_timeout
            ),
        )
        self._open_channel = open_channel or self._open_http2_channel
        self._session: Session | None = None
        self._coordination = Sessions(ClientKV(self), self._live)
        self._closed = False
        self._spans = None if tracer is None else _spans_of(tracer)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections; calls under way fail. Idempotent."""
        alive = self._session is not None and not self._session.inherited
        if alive and not self._closed:
            await self._coordination.close()
        self._closed = True
        if alive and self._session is not None:
            await self._session.close()

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The endpoints in use, `host:port`."""
        return tuple(str(endpoint) for endpoint in self._endpoints)

    # --- keys

    async def put(
        self,
        key: Data,
        value: Data = b"",
        *,
        lease: int = 0,
        prev_kv: bool = False,
        ignore_value: bool = False,
        ignore_lease: bool = False,
        timeout: float | None = None,  # noqa: ASYNC109  # of the whole call; the server is told
    ) -> rpc.PutResponse:
        """Sets a key.

        Args:
            key: At least one byte.
            value: May be empty.
            lease: The lease that the key goes away with; 0: none, and a lease it hung on before lets go of it.
            prev_kv: Answer with what was there before.
            ignore_value: Keep the value, change the lease.
            ignore_lease: Keep the lease, change the value.
            timeout: Seconds, for this call.

        Raises:
            EmptyKeyError: `key` is empty.
            KeyNotFoundError: With `ignore_value` or `ignore_lease`, if the key is not there.
            LeaseNotFoundError: There is no such lease.
            OutcomeUnknownError: The write may have been applied, or not; see the guide on retries.
        """
        request = put_request(key, value, lease=lease, prev_kv=prev_kv, ignore_value=ignore_value, ignore_lease=ignore_lease)
        return await self.call(PUT, request, timeout=timeout)

    async def get(
        self,
        key: Data,
        *,
        revision: int = 0,
        serializable: bool = False,
        max_staleness_ms: int | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  # of the whole call; the server is told
    ) -> kv.KeyValue | None:
        """One key, or None if it is not there; the options are those of `range`."""
        response = await self.range(
            key, revision=revision, serializable=serializable, max_staleness_ms=max_staleness_ms, timeout=timeout
        )
        return response.kvs[0] if response.kvs else None

    async def range(
        self,
        key: Data,
        range_end: Data | None = None,
        *,
        prefix: bool = False,
        from_key: bool = False,
        limit: int = 0,
        revision: int = 0,
        order: Order | None = None,
        sort_by: SortBy | None = None,
        serializable: bool = False,
        max_staleness_ms: int | None = None,
        keys_only: bool = False,
        count_only: bool = False,
        min_mod_revision: int = 0,
        max_mod_revision: int = 0,
        min_create_revision: int = 0,
        max_create_revision: int = 0,
        timeout: float | None = None,  # noqa: ASYNC109  # of the whole call; the server is told
    ) -> rpc.RangeResponse:
        """The keys of a range, as of one revision.

        Args:
            key: The first key.
            range_end: The key after the last; None: `key` alone.
            prefix: All keys that start with `key`.
            from_key: All keys from `key` on.
            limit: At most so many; the answer's `more` says whether it was cut, its `count` how many there are. 0: all.
            revision: As of that revision; 0: the newest.
            order: "ascend" or "descend"; None: ascending by key.
            sort_by: "key", "version", "create", "mod" or "value".
            serializable: The endpoint may answer from what it knows, without asking the cluster: faster, maybe stale.
            max_staleness_ms: As `serializable`, but raftkv answers only where that is at most so many milliseconds stale.
            keys_only: Leave the values out.
            count_only: Answer only how many there are.
            min_mod_revision: Leave out keys that were last changed before that revision.
            max_mod_revision: Leave out keys that were last changed after that revision.
            min_create_revision: Leave out keys that were created before that revision.
            max_create_revision: Leave out keys that were created after that revision.
            timeout: Seconds, for this call.

        Raises:
            CompactedError: `revision` was compacted away.
            FutureRevisionError: `revision` is yet to come.
        """
        request = range_request(
            key,
            range_end,
            prefix=prefix,
            from_key=from_key,
            limit=limit,
            revision=revision,
            order=order,
            sort_by=sort_by,
            serializable=serializable or max_staleness_ms is not None,
            keys_only=keys_only,
            count_only=count_only,
            min_mod_revision=min_mod_revision,
            max_mod_revision=max_mod_revision,
            min_create_revision=min_create_revision,
            max_create_revision=max_create_revision,
        )
        metadata = () if max_staleness_ms is None else ((STALENESS_HEADER, b"%d" % max_staleness_ms),)
        return await self.call(RANGE, request, metadata=metadata, timeout=timeout)

    async def delete(
        self,
        key: Data,
        range_end: Data | None = None,
        *,
        prefix: bool = False,
        from_key: bool = False,
        prev_kv: bool = False,
        timeout: float | None = None,  # noqa: ASYNC109  # of the whole call; the server is told
    ) -> rpc.DeleteRangeResponse:
        """Deletes the keys of a range (as in `range`) and answers how many; with `prev_kv`, what they were."""
        request = delete_request(key, range_end, prefix=prefix, from_key=from_key, prev_kv=prev_kv)
        return await self.call(DELETE_RANGE, request, timeout=timeout)

    async def txn(
        self,
        compare: Iterable[rpc.Compare] = (),
        success: Iterable[rpc.RequestOp] = (),
        failure: Iterable[rpc.RequestOp] = (),
        *,
        timeout: float | None = None,  # noqa: ASYNC109  # of the whole call; the server is told
    ) -> rpc.TxnResponse:
        """Executes `success` if every comparison holds, else `failure`, in one step (`raftkv.client.transaction`).

        The answer's `succeeded` says which, and `responses` holds an answer for each operation.
        """
        request = txn_request(compare, success, failure)
        return await self.call(READ_TXN if is_read(request) else TXN, request, timeout=timeout)

    async def compact(
        self,
        revision: int,
        *,
        physical: bool = False,
        timeout: float | None = None,  # noqa: ASYNC109  # of the whole call; the server is told
    ) -> rpc.CompactionResponse:
        """Drops the history before `revision`; with `physical`, answers when the disk holds it no more."""
        return await self.call(COMPACT, rpc.CompactionRequest(revision=revision, physical=physical), timeout=timeout)

    # --- the cluster

    async def status(
        self,
        endpoint: str | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  # of the whole call; the server is told
    ) -> rpc.StatusResponse:
        """What one node says of itself: that at `endpoint`, or the one in use."""
        return await self.call(STATUS, rpc.StatusRequest(), endpoint=endpoint, timeout=timeout)

    async def members(
        self,
        *,
        linearizable: bool = True,
        timeout: float | None = None,  # noqa: ASYNC109  # of the whole call; the server is told
    ) -> rpc.MemberListResponse:
        """The members of the cluster; without `linearizable`, as the endpoint knows them."""
        return await self.call(MEMBER_LIST, rpc.MemberListRequest(linearizable=linearizable), timeout=timeout)

    async def sync_endpoints(
        self,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  # of the whole call; the server is told
    ) -> tuple[str, ...]:
        """Replaces the endpoints by the addresses that the members advertise to clients, and answers them.

        They stay as they are when no member says any. With TLS, addresses in plain text do not count.
        """
        response = await self.members(timeout=timeout)
        encrypted = self._tls is not None
        urls = [url for member in response.members for url in member.clientURLs if not (encrypted and url.startswith("http:"))]
        if urls:
            self._endpoints = parse_endpoints(urls, tls=encrypted)
            self._live().use_endpoints(self._endpoints)
        return self.endpoints

    async def alarms(
        self,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  # of the whole call; the server is told
    ) -> rpc.AlarmResponse:
        """The alarms that are raised."""
        return await self.call(ALARM, rpc.AlarmRequest(action=rpc.AlarmRequest.GET), timeout=timeout)

    async def alarm_disarm(
        self,
        member_id: int = 0,
        *,
        alarm: rpc.AlarmType | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  # of each of its calls; the server is told
    ) -> list[rpc.AlarmMember]:
        """Lowers the alarms of one member (0: of all) and of one type (None: of any), and answers which they were."""
        raised = (await self.alarms(timeout=timeout)).alarms
        chosen = [one for one in raised if member_id in {0, one.memberID} and alarm in {None, one.alarm}]
        for one in chosen:
            request = rpc.AlarmRequest(action=rpc.AlarmRequest.DEACTIVATE, memberID=one.memberID, alarm=one.alarm)
            await self.call(ALARM, request, timeout=timeout)
        return chosen

    async def call(
        self,
        method: Method[Response],
        request: Message,
        *,
        metadata: Metadata = (),
        endpoint: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  # of the whole call; the server is told
    ) -> Response:
        """Calls any method with one request and one answer; at `endpoint` only, if given. What the methods above are made of."""
        target = None if endpoint is None else parse_endpoint(endpoint, tls=self._tls is not None)
        seconds = self._timeout if timeout is None else timeout
        if self._spans is None:
            return await self._live().call(method, request, timeout=seconds, metadata=metadata, endpoint=target)
        with self._spans.around(method.path) as more:
            return await self._live().call(method, request, timeout=seconds, metadata=(*metadata, *more), endpoint=target)

    def _sessions(self) -> Sessions:
        return self._coordination

    # --- what is alive in this process

    def _live(self) -> Session:
        """The session; a new one on first use, and in a forked child."""
        session = self._session
        if session is not None and not session.inherited:
            if session.loop is not asyncio.get_running_loop():
                raise RuntimeError("the client is in use in another event loop: make one for each")
            return session
        if self._closed:
            raise ClientClosedError
        fresh = session is None and self._client_id is not None
        self._session = Session(
            self._endpoints,
            self._open_channel,
            client_id=self._client_id if fresh and self._client_id is not None else os.urandom(CLIENT_ID_BYTES),
            rng=self._rng,
            wait_for_ready=self._wait_for_ready,
            credentials=None if self._user is None else Credentials(self._user, self._password),
        )
        return self._session

    def _open_http2_channel(self, endpoint: Endpoint) -> Channel:
        return Http2Channel(endpoint, self._dial_options)


def _spans_of(tracer: "Tracer") -> "CallSpans":
    from raftkv.client.spans import CallSpans  # noqa: PLC0415 (whoever has a tracer has OpenTelemetry, and nobody else needs it)

    return CallSpans(tracer)
