"""The keepalives of all leases of a client, on one stream."""

from typing import Protocol

from raftkv.client.method import LEASE_KEEP_ALIVE_PATH
from raftkv.client.reopening import Reopening, ReopeningStream
from raftkv.errors import ClientClosedError, RaftKVError
from raftkv.pb import rpc


class KeptAlive(Protocol):
    """A lease that is kept alive."""

    @property
    def id(self) -> int:
        """The lease's id."""
        ...

    def stream_opened(self) -> None:
        """What was sent before is lost, and what is due can be sent now."""
        ...

    def answered(self, ttl: int) -> None:
        """The server has renewed the lease for so many seconds; 0: there is no such lease."""
        ...

    def forsaken(self, error: RaftKVError) -> None:
        """No keepalives can be sent any more."""
        ...


class KeepaliveStream:
    """The leases of one session. `Carried` by a stream that is open while there is a lease. One renewal per lease at a time."""

    def __init__(self, means: Reopening) -> None:
        self._stream = ReopeningStream(LEASE_KEEP_ALIVE_PATH, self, means)
        self._leases: dict[int, KeptAlive] = {}
        self._closed = False
        self.last_failure: RaftKVError | None = None
        """Why the stream was last interrupted; None once it works again."""

    def add(self, lease: KeptAlive) -> None:
        """Makes room on the stream for a lease, which then renews itself. Raises ClientClosedError, ValueError."""
        if self._closed:
            raise ClientClosedError
        if lease.id in self._leases:
            raise ValueError(f"lease {lease.id:x} is kept alive already")
        self._leases[lease.id] = lease
        self._stream.keep_open()

    def remove(self, lease: KeptAlive) -> None:
        """Idempotent."""
        if self._leases.get(lease.id) is lease:
            del self._leases[lease.id]
            if not self._leases:
                self._stream.release()

    def renew(self, lease_id: int) -> bool:
        """Sends a keepalive; false where there is no stream to send it on: `stream_opened` will tell."""
        if not self._stream.is_open:
            return False
        self._stream.send(rpc.LeaseKeepAliveRequest(ID=lease_id).SerializeToString())
        return True

    def leave(self) -> None:
        """The present server does not answer: goes to another."""
        self._stream.abandon()

    def close(self) -> None:
        """No keepalives are sent any more."""
        self._closed = True
        self.failed(ClientClosedError())

    # --- Carried

    @property
    def wanted(self) -> bool:
        return bool(self._leases)

    def opened(self) -> None:
        for lease in list(self._leases.values()):
            lease.stream_opened()

    def received(self, message: bytes) -> None:
        response = rpc.LeaseKeepAliveResponse.FromString(message)
        self.last_failure = None
        if lease := self._leases.get(response.ID):
            lease.answered(response.TTL)

    def interrupted(self, error: RaftKVError) -> None:
        self.last_failure = error

    def failed(self, error: RaftKVError) -> None:
        leases, self._leases = self._leases, {}
        for lease in leases.values():
            lease.forsaken(error)
