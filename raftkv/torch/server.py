"""An endpoint for TCPStore's clients, for blocking code: an agent runs it beside its workers."""

from types import TracebackType
from typing import Self

from raftkv.client import Client
from raftkv.tcpstore import Namespace, serve
from raftkv.torch.background import Access, Resident, with_client
from raftkv.torch.store import Shared, Store


class StoreServer:
    """Serves one round of a job until it is closed.

    with StoreServer(Access("h1:2379,h2:2379,h3:2379"), Namespace("job7", "3")) as server:
        store = torch.distributed.TCPStore(server.host, server.port, is_master=False)

    Any number of servers, on any nodes, may serve the same round: they show the same keys.
    """

    def __init__(
        self, access: Access, namespace: Namespace, *, host: str = "127.0.0.1", port: int = 0, client: Client | None = None
    ) -> None:
        """Port 0: any that is free. `client`: one that lives where blocking clients do, and longer than this; None: one of its own."""
        self._access = access
        self._namespace = namespace
        self._store: Store | None = None
        self._resident = Resident(
            lambda: with_client(access, lambda client: serve(client, namespace, host=host, port=port), client),
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

    def store(self) -> Store:
        """The store of this process over the same keys and the same connection to the cluster. Closing either closes both."""
        if self._store is None:
            self._store = Store(self._access, self._namespace, shared=Shared(self._resident.value.space, self._resident))
        return self._store

    def close(self) -> None:
        """Ends all connections; the keys stay until their time is over."""
        self._resident.close()
        if self._store is not None:
            self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
