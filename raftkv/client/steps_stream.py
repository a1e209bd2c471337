"""How far the workers of a job are, as a node says again and again: the newest, whichever node says it."""

import asyncio

from raftkv.client.reopening import Reopening, ReopeningStream
from raftkv.errors import RaftKVError
from raftkv.pb.rendezvous import JobSteps, StepsRequest, StepsResponse

WATCH_PATH = "/raftkv.v1.Rendezvous/WatchSteps"


class StepsStream:
    """One job, from `begin` to `end`. `Carried` by a stream that is open in between."""

    def __init__(self, means: Reopening, request: StepsRequest) -> None:
        self._stream = ReopeningStream(WATCH_PATH, self, means)
        self._job = request.job
        self._request = request.SerializeToString()
        self._newest: JobSteps | None = None
        self._failure: RaftKVError | None = None
        self._news = asyncio.Event()
        self._wanted = False

    def begin(self) -> None:
        """Idempotent."""
        self._wanted = True
        self._stream.keep_open()

    def end(self) -> None:
        """Idempotent."""
        self._wanted = False
        self._stream.release()

    async def next(self) -> JobSteps:
        """What is said next; raises what ended the stream."""
        while self._newest is None:
            if self._failure is not None:
                raise self._failure
            self._news.clear()
            await self._news.wait()
        newest, self._newest = self._newest, None
        return newest

    # --- Carried

    @property
    def wanted(self) -> bool:
        return self._wanted

    def opened(self) -> None:
        self._stream.send(self._request)
        self._stream.end()

    def received(self, message: bytes) -> None:
        jobs = StepsResponse.FromString(message).jobs
        self._newest = jobs[0] if jobs else JobSteps(job=self._job)
        self._news.set()

    def interrupted(self, error: RaftKVError) -> None:
        """It is tried again."""

    def failed(self, error: RaftKVError) -> None:
        self._wanted = False
        self._failure = error
        self._news.set()
