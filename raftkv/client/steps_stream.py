"""How far the workers of a job are, as a node says again and again: the newest, whichever node says it."""

from raftkv.client.asked_stream import AskedStream
from raftkv.client.reopening import Reopening
from raftkv.pb.rendezvous import JobSteps, StepsRequest, StepsResponse

WATCH_PATH = "/raftkv.v1.Rendezvous/WatchSteps"


class StepsStream(AskedStream):
    """The steps of one job."""

    def __init__(self, means: Reopening, request: StepsRequest) -> None:
        super().__init__(means, WATCH_PATH, request.SerializeToString())
        self._job = request.job
        self._newest: JobSteps | None = None

    async def next(self) -> JobSteps:
        """What is said next; raises what ended the stream."""
        while self._newest is None:
            if self.failure is not None:
                raise self.failure
            self._news.clear()
            await self._news.wait()
        newest, self._newest = self._newest, None
        return newest

    def received(self, message: bytes) -> None:
        jobs = StepsResponse.FromString(message).jobs
        self._newest = jobs[0] if jobs else JobSteps(job=self._job)
        self._tell()
