"""How a job stands, as the cluster pushes it: the newest, whichever node tells it."""

import asyncio
from collections.abc import Callable

from raftkv.client.reopening import Reopening, ReopeningStream
from raftkv.errors import ClientClosedError, RaftKVError
from raftkv.pb.rendezvous import LookRequest, RendezvousResponse, Standing

WATCH_PATH = "/raftkv.v1.Rendezvous/Watch"


class Followed:
    """Follows one job for one node, from `begin` to `end`. `Carried` by a stream that is open in between."""

    def __init__(self, means: Reopening, job: str, node: str) -> None:
        self._stream = ReopeningStream(WATCH_PATH, self, means)
        self._request = LookRequest(job=job, node=node).SerializeToString()
        self._revision = 0
        self._wanted = False
        self._news = asyncio.Event()
        self.standing: Standing | None = None
        """The newest; None before the first."""
        self.failure: RaftKVError | None = None
        """Why nothing more will be heard, if so."""
        self.told: Callable[[], None] = lambda: None
        """Called on the client's loop when there is news."""

    def begin(self) -> None:
        """Idempotent."""
        self._wanted = True
        self._stream.keep_open()

    def end(self) -> None:
        """Idempotent."""
        self._wanted = False
        self._stream.release()

    def take(self, response: RendezvousResponse) -> None:
        """Something that the cluster has answered; what is older than what is known counts for nothing."""
        if response.header.revision < self._revision:
            return
        self._revision, self.standing = response.header.revision, response.standing
        self._tell()

    async def until(self, condition: Callable[[Standing], bool]) -> Standing:
        """Returns a standing for which the condition holds: as it is, or as soon as it is. Raises what ended the following."""
        while True:
            self._news.clear()
            if self.standing is not None and condition(self.standing):
                return self.standing
            if self.failure is not None:
                raise self.failure
            await self._news.wait()

    # --- Carried

    @property
    def wanted(self) -> bool:
        return self._wanted

    def opened(self) -> None:
        self._stream.send(self._request)
        self._stream.end()

    def received(self, message: bytes) -> None:
        self.take(RendezvousResponse.FromString(message))

    def interrupted(self, error: RaftKVError) -> None:
        """It is tried again; until then the last standing is all that is known."""

    def failed(self, error: RaftKVError) -> None:
        self._wanted = False
        self.failure = error if not isinstance(error, ClientClosedError) else ClientClosedError()
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self.told()
