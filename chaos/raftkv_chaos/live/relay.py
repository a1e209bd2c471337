"""A TCP proxy in front of one server: accepts in its place, finds out who dialled, and carries bytes over two wires."""

import asyncio
from collections.abc import Callable
from typing import cast

from raftkv_chaos.live.wire import Flow, Wire

Wires = tuple[Wire, Wire]
"""From the dialling end to the server, and back."""
HOST = "127.0.0.1"
CONNECT_S = 2.0


class _Side(asyncio.Protocol):
    """One of the two connections of a relayed one."""

    def __init__(self) -> None:
        self.flow: Flow
        self.other: _Side
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.other.flow.sink = self.transport
        self.other.flow.flush()

    def data_received(self, data: bytes) -> None:
        self.flow.feed(data)

    def eof_received(self) -> bool:
        self.flow.feed(None)
        return True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if self.other.transport is None or self.other.transport.is_closing():
            self.flow.drop()
            self.other.flow.drop()
        else:
            self.flow.feed(None)

    def hold(self, stop: bool) -> None:  # noqa: FBT001  (a callback)
        """Stops reading, or goes on."""
        if self.transport is not None and not self.transport.is_closing():
            (self.transport.pause_reading if stop else self.transport.resume_reading)()

    def pause_writing(self) -> None:
        self.other.hold(stop=True)

    def resume_writing(self) -> None:
        self.other.hold(stop=False)

    def abort(self) -> None:
        """Breaks the connection."""
        if self.transport is not None:
            self.transport.abort()


class Relay:
    """Listens at `port` for the server at `target`. `wires_for` says, by the dialling port, which way the bytes go."""

    def __init__(self, port: int, target: int, wires_for: Callable[[int], Wires], tasks: asyncio.TaskGroup) -> None:
        self._port = port
        self._target = target
        self._wires_for = wires_for
        self._tasks = tasks
        self._pairs: dict[_Side, Wires] = {}
        self._server: asyncio.Server

    async def start(self) -> None:
        """Listens from now on."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Accepted(self), HOST, self._port)

    def accept(self, near: _Side) -> None:
        """Somebody has dialled."""
        loop = asyncio.get_running_loop()
        assert near.transport is not None
        there, back = self._wires_for(near.transport.get_extra_info("peername")[1])
        far = _Side()
        near.other, far.other = far, near
        near.flow, far.flow = Flow(there, loop, near.hold), Flow(back, loop, far.hold)
        far.flow.sink = near.transport
        self._pairs[near] = (there, back)
        self._tasks.create_task(self._dial(near, far))

    def forget(self, near: _Side) -> None:
        """A connection has ended."""
        self._pairs.pop(near, None)

    def break_all(self, wire: Wire) -> None:
        """Breaks, at both ends, every connection that uses a wire."""
        for near, wires in list(self._pairs.items()):
            if wire in wires:
                near.abort()
                near.other.abort()

    def stop(self) -> None:
        """Takes no more, and breaks what there is."""
        self._server.close()
        for near in list(self._pairs):
            near.abort()
            near.other.abort()

    async def _dial(self, near: _Side, far: _Side) -> None:
        """A connection needs both directions: who dials into a partition waits, and mostly gives up."""
        there, back = self._pairs[near]
        await there.opened()
        await back.opened()
        assert near.transport is not None
        if near.transport.is_closing():
            return
        try:
            async with asyncio.timeout(CONNECT_S):
                await asyncio.get_running_loop().create_connection(lambda: far, HOST, self._target)
        except OSError:  # nobody listens; TimeoutError is one of them
            near.abort()


class _Accepted(_Side):
    """The side that dialled."""

    def __init__(self, relay: Relay) -> None:
        super().__init__()
        self._relay = relay

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._relay.accept(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._relay.forget(self)
        super().connection_lost(exc)
