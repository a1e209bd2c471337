"""An endpoint: a port at which TCPStore's clients find the keys of one round of a job."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from raftkv.client import Client
from raftkv.tcpstore.connection import Connection
from raftkv.tcpstore.space import Namespace, Space, opened


class Endpoint:
    """Made by `serve`."""

    def __init__(self, space: Space, tasks: asyncio.TaskGroup) -> None:
        self.space = space
        """The same keys, without the protocol."""
        self.host = ""
        self.port = 0
        self._tasks = tasks
        self._running: set[asyncio.Task[None]] = set()

    async def listen(self, host: str, port: int) -> asyncio.Server:
        """Begins to accept clients."""
        server = await asyncio.get_running_loop().create_server(lambda: Connection(self.space, self._start), host, port)
        self.host, self.port = server.sockets[0].getsockname()[:2]
        return server

    def hang_up(self) -> None:
        """Ends all connections."""
        for task in self._running:
            task.cancel()

    def _start(self, connection: Connection) -> None:
        task = self._tasks.create_task(connection.run())
        self._running.add(task)
        task.add_done_callback(self._running.discard)


@asynccontextmanager
async def serve(client: Client, namespace: Namespace, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Endpoint]:
    """Serves the keys of a namespace to TCPStore's clients while the block runs; port 0: any that is free.

    The client is the endpoint's alone, and should have no time limit (`timeout=math.inf`), for TCPStore's clients have none of their own but in `wait`.
    Its endpoints are what is asked; where a node dies or a leader changes, what is under way is asked again under its id.

    Raises:
        LeaseLostError: Out of the block, which is cancelled: the cluster has ended the round's lease, so its keys are gone.
        OSError: The port cannot be had.
    """
    async with opened(client, namespace) as space, asyncio.TaskGroup() as tasks:
        endpoint = Endpoint(space, tasks)
        server = await endpoint.listen(host, port)
        try:
            yield endpoint
        finally:
            server.close()
            endpoint.hang_up()
