"""The live side of a client, in one process and one event loop: channels, the endpoint in use, request ids, and retries.

Calls stay with one endpoint while it answers; whoever fails there turns the session to the next. What is retried, and why
that is safe, stands in `retry`.

A server is known as raftkv by the metadata `raftkv-version` of its answers. If none has come yet when a write is in doubt,
the session asks with a read first. All endpoints of a client belong to one cluster, so one answer speaks for all.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from math import isinf
from random import Random

from google.protobuf.message import DecodeError, Message

from raftkv.client import forked
from raftkv.client.background import Background
from raftkv.client.channel import Channel, Metadata, Reply, Stream, UnaryCall
from raftkv.client.credentials import MAX_RENEWALS, RENEWABLE, Credentials
from raftkv.client.endpoint import Endpoint
from raftkv.client.keepalive_stream import KeepaliveStream
from raftkv.client.method import AUTHENTICATE, STATUS, Method, Repeat, Response
from raftkv.client.reopening import Reopening
from raftkv.client.request_id import RequestIds
from raftkv.client.retry import Account, Verdict, backoff, judge
from raftkv.client.status import error_of
from raftkv.client.watch_stream import WatchStream
from raftkv.errors import (
    AuthNotEnabledError,
    ClientClosedError,
    Code,
    ConnectError,
    ConnectionBrokenError,
    RaftKVError,
    RequestError,
)
from raftkv.pb import rpc

VERSION_HEADER = b"raftkv-version"
REQUEST_ID_HEADER = b"raftkv-request-id"
STREAM_LOGIN_S = 5.0
"""What authenticating for a stream may take; who opened it tries again."""


class ServerKind(Enum):
    """Whether the cluster applies a request id once."""

    UNKNOWN = "unknown"
    RAFTKV = "raftkv"
    OTHER = "other"


@dataclass(slots=True)
class _Call:
    """A call and the state of its attempts."""

    path: str
    repeat: Repeat
    body: bytes
    metadata: Metadata
    deadline: float
    channel: Channel | None
    account: Account
    attempt: UnaryCall | None = None
    at: Endpoint | None = None
    identity: Metadata = ()
    """What the last attempt said about who calls."""
    renewals: int = 0


class Session:
    """Belongs to the loop that runs when it is made, and to this process: `belongs_here` tells."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        open_channel: Callable[[Endpoint], Channel],
        *,
        client_id: bytes,
        rng: Random,
        wait_for_ready: bool,
        credentials: Credentials | None = None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.kind = ServerKind.UNKNOWN
        self._generation = forked.generation()
        self._endpoints = list(endpoints)
        self._current = rng.randrange(len(endpoints))
        self._open_channel = open_channel
        self._channels: dict[Endpoint, Channel] = {}
        self._ids = RequestIds(client_id)
        self.rng = rng
        self.waits_for_ready = wait_for_ready
        self._closed = False
        self._credentials = credentials
        self.background = Background(self.loop)
        means = Reopening(self.stream, self.turn_from, self.renew, self.background, rng, self.loop, wait_for_ready)
        self.reopening = means
        """What it takes to keep further streams open."""
        self.watches = WatchStream(means)
        self.keepalives = KeepaliveStream(means)

    @property
    def inherited(self) -> bool:
        """Whether the process has forked since: everything in here is the parent's."""
        return self._generation != forked.generation()

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where calls may go."""
        return tuple(self._endpoints)

    def use_endpoints(self, endpoints: Sequence[Endpoint]) -> None:
        """Replaces the endpoints; the one in use stays in use if it is among the new."""
        current = self._endpoints[self._current]
        self._endpoints = list(endpoints)
        self._current = endpoints.index(current) if current in endpoints else self.rng.randrange(len(endpoints))

    async def call(
        self,
        method: Method[Response],
        request: Message,
        *,
        timeout: float,  # noqa: ASYNC109  # it bounds several attempts, and the server is told
        metadata: Metadata = (),
        endpoint: Endpoint | None = None,
    ) -> Response:
        """Makes a call within `timeout` seconds, all attempts together; at `endpoint` only, if given.

        Raises RequestError, OutcomeUnknownError, ConnectError, ClientClosedError.
        """
        deadline = self.loop.time() + timeout
        channel = None if endpoint is None else self._channel(endpoint)
        account = Account(method.repeat, timeout)
        call = _Call(method.path, method.repeat, request.SerializeToString(), metadata, deadline, channel, account)
        try:
            async with asyncio.timeout_at(None if isinf(deadline) else deadline):
                reply = await (self._write(call) if method.repeat is Repeat.BY_ID else self._attempts(call))
        except TimeoutError as timeout_error:
            if endpoint is None and call.at is not None:
                self.turn_from(call.at)  # who says nothing may be cut off from the others: the next call asks elsewhere
            raise account.timed_out(call.attempt, str(call.at)) from timeout_error
        try:
            return method.response.FromString(reply.body)
        except DecodeError as error:
            raise RequestError(f"the answer is no {method.response.__name__}: {error}", code=Code.INTERNAL) from error

    async def stream(self, path: str, metadata: Metadata = ()) -> tuple[Stream, Endpoint]:
        """Opens a stream at the endpoint in use, or the next that can be reached; the caller bounds the time and resumes.

        Who finds the stream useless turns from its endpoint before opening another. Raises ConnectError, ClientClosedError.
        """
        failures: dict[str, str] = {}
        if self._credentials is not None:
            metadata = (*metadata, *await self._stream_identity(self._credentials))
        for _ in self._endpoints:
            if self._closed:
                raise ClientClosedError
            channel = self._channel(self._endpoints[self._current])
            try:
                return await channel.stream(path, metadata), channel.endpoint
            except ConnectionBrokenError as error:
                failures[error.endpoint] = error.reason
                self.turn_from(channel.endpoint)
        raise ConnectError(failures)

    def renew(self, failure: RaftKVError) -> bool:
        """Whether a stream that was refused so may be opened again, with a fresh token."""
        if self._credentials is None or not isinstance(failure, RENEWABLE):
            return False
        self._credentials.forget()
        return True

    def turn_from(self, endpoint: Endpoint) -> None:
        """To the next endpoint, unless another call has turned already."""
        if self._endpoints[self._current] == endpoint:
            self._current = (self._current + 1) % len(self._endpoints)

    async def close(self) -> None:
        """Breaks what is under way and closes the connections; idempotent."""
        self._closed = True
        self.watches.close()
        self.keepalives.close()
        await self.background.stop()
        for channel in list(self._channels.values()):
            await channel.close()

    # --- attempts

    async def _write(self, call: _Call) -> Reply:
        """A call under a request id of its own."""
        sequence = await self._ids.take()
        call.metadata = (*call.metadata, (REQUEST_ID_HEADER, self._ids.text(sequence)))
        try:
            return await self._attempts(call)
        finally:
            self._ids.finish(sequence)

    async def _attempts(self, call: _Call) -> Reply:
        """Attempts until one is answered or its failure is final."""
        while True:
            if self._closed:
                raise ClientClosedError
            channel = call.channel or self._channel(self._endpoints[self._current])
            outcome = await self._attempt(call, channel)
            if isinstance(outcome, Reply):
                return outcome
            await self._recover(call, channel, outcome)

    async def _attempt(self, call: _Call, channel: Channel) -> Reply | RaftKVError:
        """One attempt: an OK reply, or what went wrong."""
        metadata = call.metadata
        if self._credentials is not None and call.path != AUTHENTICATE.path:
            try:
                call.identity = await self._credentials.metadata(lambda: self._authenticate(call.deadline))
            except RequestError as failure:
                return failure
            metadata = (*metadata, *call.identity)
        attempt = UnaryCall(call.path, call.body, metadata, call.deadline - self.loop.time())
        if isinf(call.deadline):
            attempt.timeout = None
        call.attempt, call.at = attempt, channel.endpoint
        try:
            reply = await channel.unary(attempt)
        except ConnectionBrokenError as failure:
            return failure
        if call.channel is None:  # an endpoint that was named may belong to another cluster
            self._learn(reply)
        return reply if reply.code == Code.OK else error_of(reply)

    async def _recover(self, call: _Call, channel: Channel, failure: RaftKVError) -> None:
        """Prepares the next attempt, or raises what the call ends with."""
        call.attempt = None
        if self._credentials is not None and self._credentials.refused(failure, call.identity):
            call.renewals += 1
            if call.renewals <= MAX_RENEWALS:
                call.account.note(failure, doubtful=False)
                if call.renewals > 1:
                    await asyncio.sleep(backoff(call.renewals, self.rng))
                return
        verdict = judge(failure, call.repeat)
        if verdict is Verdict.FINAL:
            refusal = call.account.refused(failure)
            raise refusal from (failure if refusal is not failure else None)
        call.account.note(failure, doubtful=verdict is Verdict.DOUBT)
        if call.channel is None:
            self.turn_from(channel.endpoint)
        if verdict is Verdict.DOUBT and not await self._applies_once(call):
            raise call.account.unknown() from failure
        await self._pause(call, failure)

    async def _authenticate(self, deadline: float) -> str:
        """A token, at whatever endpoint; nothing, where there is no authentication."""
        credentials = self._credentials
        assert credentials is not None
        request = rpc.AuthenticateRequest(name=credentials.user, password=credentials.password)
        account = Account(AUTHENTICATE.repeat, deadline - self.loop.time())
        call = _Call(AUTHENTICATE.path, AUTHENTICATE.repeat, request.SerializeToString(), (), deadline, None, account)
        try:
            async with asyncio.timeout_at(None if isinf(deadline) else deadline):
                reply = await self._attempts(call)
        except AuthNotEnabledError:
            return ""
        return rpc.AuthenticateResponse.FromString(reply.body).token

    async def _stream_identity(self, credentials: Credentials) -> Metadata:
        try:
            return await credentials.metadata(lambda: self._authenticate(self.loop.time() + STREAM_LOGIN_S))
        except TimeoutError:
            reason = f"{credentials.user} was not authenticated within {STREAM_LOGIN_S:g} s"
            raise ConnectError({str(self._endpoints[self._current]): reason}) from None

    async def _applies_once(self, call: _Call) -> bool:
        """Whether the cluster applies a request id once; asks it, where that is not known."""
        if self._closed or call.repeat is not Repeat.BY_ID:
            return False
        if self.kind is ServerKind.UNKNOWN:
            body = rpc.StatusRequest().SerializeToString()
            account = Account(STATUS.repeat, call.deadline - self.loop.time())
            with suppress(RaftKVError):  # whatever is wrong, the write's own error says more
                await self._attempts(_Call(STATUS.path, STATUS.repeat, body, (), call.deadline, None, account))
        return self.kind is ServerKind.RAFTKV

    async def _pause(self, call: _Call, failure: RaftKVError) -> None:
        """Waits a little, but not before another endpoint has been tried where this one cannot be reached."""
        endpoints = 1 if call.channel is not None else len(self._endpoints)
        if not self.waits_for_ready and (unreachable := call.account.unreachable(endpoints)):
            raise unreachable from failure
        rounds, position = divmod(call.account.attempts, endpoints)
        if position == 0 or not isinstance(failure, ConnectionBrokenError):
            await asyncio.sleep(backoff(rounds, self.rng))

    # --- endpoints

    def _channel(self, endpoint: Endpoint) -> Channel:
        channel = self._channels.get(endpoint)
        if channel is None:
            channel = self._channels[endpoint] = self._open_channel(endpoint)
        return channel

    def _learn(self, reply: Reply) -> None:
        """An OK without the header comes from another server; an error without it may come from a proxy in between."""
        if reply.header(VERSION_HEADER) is not None:
            self.kind = ServerKind.RAFTKV
        elif reply.code == Code.OK:
            self.kind = ServerKind.OTHER
