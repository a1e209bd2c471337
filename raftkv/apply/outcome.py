"""What became of a log entry."""

from collections.abc import Sequence
from typing import NamedTuple

from raftkv.apply.members import ChangeResponse
from raftkv.auth.state import AuthResponse
from raftkv.errors import RequestError
from raftkv.lease.commands import LeaseResponse
from raftkv.mvcc import Event
from raftkv.pb.quota import RemoveQuotaResponse, SetQuotaResponse
from raftkv.pb.rendezvous import RendezvousResponse
from raftkv.pb.rpc import AlarmResponse, CompactionResponse, DeleteRangeResponse, PutResponse, TxnResponse
from raftkv.pb.update import UpdateResponse

Response = (
    PutResponse
    | DeleteRangeResponse
    | TxnResponse
    | CompactionResponse
    | AlarmResponse
    | ChangeResponse
    | AuthResponse
    | LeaseResponse
    | RendezvousResponse
    | UpdateResponse
    | SetQuotaResponse
    | RemoveQuotaResponse
)


class Outcome(NamedTuple):
    """The answer of an entry and what it changed. At most one of `response` and `error` is there."""

    response: Response | None = None
    """Its header has the revision; the rest of the header is the server's to fill."""
    error: RequestError | None = None
    events: Sequence[Event] = ()
    """The changes of keys, in order; they are visible in the store. Where leases expire together, they are of several revisions."""
    proposer: int = 0
    """The node that waits for this outcome; 0: nobody."""
    proposal: int = 0
    """Which of its proposals this is."""
    put_revision: int = 0
    """Of a plain put, instead of a response: it says no more than this, and is made only where somebody waits for it."""
    trace: bytes = b""
    """On whose behalf it was asked for, where that is recorded (raftkv.tracing)."""

    def answer(self) -> Response | None:
        """The response, which is now made if it was not."""
        if not self.put_revision:
            return self.response
        response = PutResponse()
        response.header.revision = self.put_revision
        return response


NOTHING = Outcome()
"""The outcome of an entry without a command: a new leader's first."""
