"""One question that is answered again and again for as long as somebody listens, whichever node answers."""

import asyncio
from abc import ABC, abstractmethod

from raftkv.client.reopening import Reopening, ReopeningStream
from raftkv.errors import ClientClosedError, RaftKVError


class AskedStream(ABC):
    """Listens from `begin` to `end`. `Carried` by a stream that is open in between."""

    def __init__(self, means: Reopening, path: str, request: bytes) -> None:
        self._stream = ReopeningStream(path, self, means)
        self._request = request
        self._wanted = False
        self._news = asyncio.Event()
        self.failure: RaftKVError | None = None
        """Why nothing more will be heard, if so."""

    def begin(self) -> None:
        """Idempotent."""
        self._wanted = True
        self._stream.keep_open()

    def end(self) -> None:
        """Idempotent."""
        self._wanted = False
        self._stream.release()

    def _tell(self) -> None:
        """There is an answer, or there will be none."""
        self._news.set()

    # --- Carried

    @property
    def wanted(self) -> bool:
        return self._wanted

    def opened(self) -> None:
        self._stream.send(self._request)
        self._stream.end()

    @abstractmethod
    def received(self, message: bytes) -> None:
        """An answer; see Carried."""

    def interrupted(self, error: RaftKVError) -> None:  # noqa: B027 (there is nothing to do)
        """It is tried again; until then the last answer is all that is known."""

    def failed(self, error: RaftKVError) -> None:
        self._wanted = False
        self.failure = error if not isinstance(error, ClientClosedError) else ClientClosedError()
        self._tell()
