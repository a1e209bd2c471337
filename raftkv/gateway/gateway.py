"""HTTP/1.1 on the clients' port: which request goes where, and an orderly end.

    /v3/...     POST: the JSON gateway, a path for each method (`paths`); GET with Upgrade: a WebSocket for a stream
    the pages   /health, /livez, /readyz, /version, /metrics: what the composition root hands in

    connection --request--> in a call --answered--> waits for the next request, at most KEEPALIVE_SECONDS
    drain: waiting connections are closed, the others close after their answer
    stop:  calls that do not end in time end as StoppedError

aiohttp parses and frames; it has no listener of its own: `protocol` is given to the gRPC server, which hands over
connections that do not speak HTTP/2.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http import HTTPMethod, HTTPStatus
from typing import Any, Final

from aiohttp.web import BaseRequest, Response, Server, StreamResponse

from raftkv.gateway.answers import not_allowed, send, text_answer
from raftkv.gateway.calls import Exchange, Surroundings
from raftkv.gateway.routes import routes
from raftkv.gateway.websocket import SocketExchange, asked_for
from raftkv.http2.options import Hooks
from raftkv.rpc.method import Method

KEEPALIVE_SECONDS: Final = 75.0
"""How long a connection may be without a whole request head."""
FAREWELL_SECONDS: Final = 0.5
METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Page = Callable[[BaseRequest], Awaitable[StreamResponse]]
"""Answers GET: with a Response that is yet to be sent, or with what has been sent already, as a stream is."""


class Gateway:
    """Serves HTTP/1.1. Made and used on a running event loop. Order: construct, `drain`, `stop`."""

    def __init__(
        self,
        methods: Iterable[Method],
        pages: Mapping[str, Page],
        *,
        metrics: Callable[[], bytes],
        max_message_bytes: int,
        hooks: Hooks | None = None,
        leaving: Callable[[], None] = lambda: None,
    ) -> None:
        """`metrics` makes the answer to a scrape, on a thread of its own. `leaving` is called by `drain`: pages that are streams
        are to end.

        Raises:
            TypeError: the messages of a method have no JSON form here.
        """
        self._routes = routes(methods)
        self._pages = {**pages, "/metrics": self._scrape}
        self._metrics = metrics
        self._leaving = leaving
        self._worker = ThreadPoolExecutor(1, "raftkv-gateway")
        self._surroundings = Surroundings(hooks or Hooks(), max_message_bytes, self._worker, lambda: self._stopping)
        self._calls: dict[Any, asyncio.Task[Any]] = {}
        """Connections in a call, and the task that is at it."""
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopping = False
        self._server = Server(
            self._handle,
            handler_cancellation=True,
            keepalive_timeout=KEEPALIVE_SECONDS,
            access_log=None,
            lingering_time=1.0,
            auto_decompress=False,
        )

    def protocol(self) -> asyncio.BaseProtocol:
        """What speaks on a new connection."""
        return self._server()

    def drain(self) -> None:
        """Closes what waits for a request, and everything else after its answer."""
        self._leaving()
        for connection in self._server.connections:
            if connection in self._calls:
                connection.close()
            else:
                connection.force_close()

    async def stop(self, grace_seconds: float = 0.0) -> None:
        """Lets calls finish for at most `grace_seconds`, then ends what is left as StoppedError."""
        self.drain()
        await self._wait_idle(grace_seconds)
        self._stopping = True
        for task in list(self._calls.values()):
            task.cancel()
        await self._wait_idle(FAREWELL_SECONDS)
        await self._server.shutdown(0.0)
        self._worker.shutdown(wait=False, cancel_futures=True)

    async def _wait_idle(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._idle.wait()

    # --- requests -------------------------------------------------------------------------------------------------

    async def _handle(self, request: BaseRequest) -> StreamResponse:
        task = asyncio.current_task()
        assert task is not None
        self._calls[request.protocol] = task
        self._idle.clear()
        try:
            return await self._dispatch(request)
        except ConnectionError:
            if request.transport is not None:
                request.transport.abort()
            return Response()  # nobody is left to take it
        finally:
            del self._calls[request.protocol]
            if not self._calls:
                self._idle.set()

    async def _scrape(self, request: BaseRequest) -> Response:  # noqa: ARG002 (a page's shape)
        text = await asyncio.get_running_loop().run_in_executor(self._worker, self._metrics)
        return text_answer(text, headers={"Content-Type": METRICS_TYPE})

    async def _dispatch(self, request: BaseRequest) -> StreamResponse:
        path = request.path
        route = self._routes.get(path)
        if route is not None and request.method == HTTPMethod.POST:
            return await Exchange(route, request, self._surroundings).run()
        if route is not None and asked_for(request, route):
            return await SocketExchange(route, request, self._surroundings).run()
        page = self._pages.get(path)
        if page is not None and request.method == HTTPMethod.GET:
            paged = await page(request)
            if not isinstance(paged, Response):
                return paged
            response = paged
        elif page is not None:
            response = not_allowed(HTTPMethod.GET)
        elif route is not None:
            response = not_allowed()
        else:
            response = text_answer("Not Found\n" if path.startswith("/v3/") else "404 page not found\n", HTTPStatus.NOT_FOUND)
        if request.can_read_body:
            response.force_close()
        await send(request, response)
        return response
