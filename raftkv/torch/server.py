"""An endpoint for TCPStore's clients, for blocking code: an agent runs it beside its workers."""

from types import TracebackType
from typing import Self

from raftkv.tcpstore import Namespace, serve
from raftkv.torch.background import Access, Resident, with_client


class StoreServer:
    """Serves one round of a job until it is closed.

    with StoreServer(Access("h1:2379,h2:2379,h3:2379"), Namespace("job7", "3")) as server:
        store = torch.distributed.TCPStore(server.host, server.port, is_master=False)

    Any number of servers, on any nodes, may serve the same round: they show the same keys.
    """

    def __init__(self, access: Access, namespace: Namespace, *, host: str = "127.0.0.1", port: int = 0) -> None:
        """Port 0: any that is free."""
        self._resident = Resident(
            lambda: with_client(access, lambda client: serve(client, namespace, host=host, port=port)),
            f"store of {namespace.job}, round {namespace.round}",
        )

    @property
    def host(self) -> str:
        """For MASTER_ADDR."""
        return self._resident.value.host

    @property
    def port(self) -> int:
        """For MASTER_PORT."""
        return self._resident.value.port

    def close(self) -> None:
        """Ends all connections; the keys stay until their time is over."""
        self._resident.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
