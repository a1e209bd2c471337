"""The methods of the client about jobs of training clusters. Only raftkv serves them."""

from abc import abstractmethod
from collections.abc import Sequence

from raftkv.client.job_calls import LIST, STEPS
from raftkv.client.lease import HeldLease
from raftkv.client.part import ClientPart
from raftkv.client.rendezvous import Rendezvous
from raftkv.client.worker import Place, Worker, place_from
from raftkv.pb.rendezvous import JobSteps, ListRequest, Standing, StepsRequest


class RendezvousMethods(ClientPart):
    """A part of `Client`."""

    @property
    @abstractmethod
    def endpoints(self) -> tuple[str, ...]:
        """As Client.endpoints."""

    @abstractmethod
    def lease(self, ttl: int) -> HeldLease:
        """As LeaseMethods.lease."""

    def rendezvous(self, job: str) -> Rendezvous:
        """A job: to look at it, to end it, to take part in it. Making this asks nothing of the cluster."""
        return Rendezvous(self, self._live, job)

    def job(self, place: Place | None = None) -> Worker:
        """The job that this process works for, as its agent's environment says (torchrun with raftkv sets it), or `place`.

        Making this asks nothing of the cluster. Raises ConfigError where there is neither.
        """
        return Worker(self, self._live, place_from() if place is None else place)

    async def jobs(
        self,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  # of the whole call; the server is told
    ) -> Sequence[Standing]:
        """How all jobs stand, by name; those that the user may read."""
        return (await self.call(LIST, ListRequest(), timeout=timeout)).jobs

    async def steps(
        self,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  # of the whole call; the server is told
    ) -> Sequence[JobSteps]:
        """How far all jobs are that send heartbeats, by name, without their workers."""
        return (await self.call(STEPS, StepsRequest(), timeout=timeout)).jobs
