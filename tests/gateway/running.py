"""Both servers on a free port, a few methods, and an HTTP client of them."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

import aiohttp

from raftkv.errors import KeyNotFoundError
from raftkv.gateway.gateway import Gateway, Page
from raftkv.http2.options import Hooks, Options
from raftkv.http2.server import GrpcServer
from raftkv.metrics.calls import CallCounts
from raftkv.pb import rpc
from raftkv.rpc.method import Call, Kind, Method

LOOPBACK = "127.0.0.1"
MAX_MESSAGE_BYTES = 100_000
StartGateway = Callable[..., Awaitable["Running"]]

GRANT, KEEP_ALIVE, SNAPSHOT, PUT = "/v3/lease/grant", "/v3/lease/keepalive", "/v3/maintenance/snapshot", "/v3/kv/put"


class Answer(NamedTuple):
    """What came back."""

    status: int
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Handlers:
    """Methods of every shape, in etcd's names. Each remembers its calls."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.requests: list[Any] = []
        self.go_on = asyncio.Event()
        """What `wait` in a key waits for."""
        self.cancelled = asyncio.Event()
        self.waiting = asyncio.Event()

    def methods(self) -> list[Method]:
        return [
            Method("/etcdserverpb.KV/Put", Kind.UNARY, rpc.PutRequest, rpc.PutResponse, self.put),
            Method(
                "/etcdserverpb.Lease/LeaseKeepAlive",
                Kind.BIDI,
                rpc.LeaseKeepAliveRequest,
                rpc.LeaseKeepAliveResponse,
                self.keep_alive,
            ),
            Method(
                "/etcdserverpb.Maintenance/Snapshot",
                Kind.SERVER_STREAM,
                rpc.SnapshotRequest,
                rpc.SnapshotResponse,
                self.snapshot,
            ),
        ]

    async def put(self, request: rpc.PutRequest, call: Call) -> rpc.PutResponse:
        self.calls.append(call)
        self.requests.append(request)
        if request.key == b"wait":
            await self._wait()
        if request.key == b"bug":
            raise ZeroDivisionError
        if request.key == b"missing":
            raise KeyNotFoundError
        return rpc.PutResponse(header=rpc.ResponseHeader(revision=7))

    async def keep_alive(
        self, requests: AsyncIterator[rpc.LeaseKeepAliveRequest], call: Call
    ) -> AsyncIterator[rpc.LeaseKeepAliveResponse]:
        self.calls.append(call)
        async for request in requests:
            self.requests.append(request)
            if request.ID == 404:
                raise KeyNotFoundError
            yield rpc.LeaseKeepAliveResponse(ID=request.ID, TTL=10)

    async def snapshot(self, request: rpc.SnapshotRequest, call: Call) -> AsyncIterator[rpc.SnapshotResponse]:
        self.calls.append(call)
        yield rpc.SnapshotResponse(remaining_bytes=1, blob=b"a")
        await self._wait()
        yield rpc.SnapshotResponse(blob=b"b")

    async def _wait(self) -> None:
        self.waiting.set()
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


class Running:
    """The servers, from start to stop."""

    def __init__(self, *, methods: list[Method] | None = None, pages: dict[str, Page] | None = None) -> None:
        self.handlers = Handlers()
        served = self.handlers.methods() if methods is None else methods
        self.counts = CallCounts(served)
        self.crashes: list[BaseException] = []
        hooks = Hooks(
            started=self.counts.started,
            handled=self.counts.handled,
            crashed=lambda _method, error: self.crashes.append(error),
        )
        self.gateway = Gateway(served, pages or {}, metrics=lambda: b"up 1\n", max_message_bytes=MAX_MESSAGE_BYTES, hooks=hooks)
        self.server = GrpcServer(
            served, options=Options(max_message_bytes=MAX_MESSAGE_BYTES), hooks=hooks, http1=self.gateway.protocol
        )
        self.port = 0
        self.session: aiohttp.ClientSession

    async def start(self) -> None:
        self.port = await self.server.listen(LOOPBACK, 0)
        self.session = aiohttp.ClientSession(f"http://{LOOPBACK}:{self.port}")

    async def stop(self) -> None:
        await self.session.close()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.gateway.stop())
            tasks.create_task(self.server.stop())

    async def post(self, path: str, body: Any, **headers: str) -> Answer:
        """`body`: bytes as they are, or what becomes JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.post(path, data=data, headers=names) as response:
            return Answer(response.status, await response.text())

    async def get(self, path: str, method: str = "GET") -> Answer:
        async with self.session.request(method, path) as response:
            return Answer(response.status, await response.text())

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A bare connection, for what no HTTP client would say."""
        return await asyncio.open_connection(LOOPBACK, self.port)
