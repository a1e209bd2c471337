"""How a job stands, as the cluster pushes it: the newest, whichever node tells it."""

from collections.abc import Callable

from raftkv.client.asked_stream import AskedStream
from raftkv.client.reopening import Reopening
from raftkv.pb.rendezvous import LookRequest, RendezvousResponse, Standing

WATCH_PATH = "/raftkv.v1.Rendezvous/Watch"


class Followed(AskedStream):
    """Follows one job for one node."""

    def __init__(self, means: Reopening, job: str, node: str) -> None:
        super().__init__(means, WATCH_PATH, LookRequest(job=job, node=node).SerializeToString())
        self._revision = 0
        self.standing: Standing | None = None
        """The newest; None before the first."""
        self.told: Callable[[], None] = lambda: None
        """Called on the client's loop when there is news."""

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

    def received(self, message: bytes) -> None:
        self.take(RendezvousResponse.FromString(message))

    def _tell(self) -> None:
        super()._tell()
        self.told()
