"""What every part of `Client` stands on: each part is the methods of one subject, and calls the cluster through these two."""

from abc import ABC, abstractmethod

from google.protobuf.message import Message

from raftkv.client.method import Method, Response
from raftkv.client.session import Session


class ClientPart(ABC):
    """Of `Client`, which implements it."""

    _timeout: float

    @abstractmethod
    async def call(
        self,
        method: Method[Response],
        request: Message,
        *,
        endpoint: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  # of the whole call; the server is told
    ) -> Response:
        """As Client.call."""

    @abstractmethod
    def _live(self) -> Session:
        """As Client._live."""
