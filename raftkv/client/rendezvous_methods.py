"""The methods of the client about jobs of training clusters. Only raftkv serves them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from google.protobuf.message import Message

from raftkv.client.lease import HeldLease
from raftkv.client.method import Method, Response
from raftkv.client.rendezvous import LIST, Rendezvous
from raftkv.client.session import Session
from raftkv.pb.rendezvous import ListRequest, Standing


class RendezvousMethods(ABC):
    """A part of `Client`."""

    @abstractmethod
    async def call(
        self,
        method: Method[Response],
        request: Message,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  # of the whole call; the server is told
    ) -> Response:
        """As Client.call."""

    @abstractmethod
    def lease(self, ttl: int) -> HeldLease:
        """As LeaseMethods.lease."""

    @abstractmethod
    def _live(self) -> Session:
        """As Client._live."""

    def rendezvous(self, job: str) -> Rendezvous:
        """A job: to look at it, to end it, to take part in it. Making this asks nothing of the cluster."""
        return Rendezvous(self, self._live, job)

    async def jobs(
        self,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  # of the whole call; the server is told
    ) -> Sequence[Standing]:
        """How all jobs stand, by name; those that the user may read."""
        return (await self.call(LIST, ListRequest(), timeout=timeout)).jobs
