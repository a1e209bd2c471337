"""The leader's part in leases: it alone reckons with time, renews, and says when a lease is over.

    leader of a term (raftkv.server.leader_duty)    it keeps the times, all begun anew (raftkv.server.lease_times)
    anything else                                   it keeps none, renews nothing, revokes nothing

What keeps a promise, "this lease lives for another TTL", from being broken:

    - it is given only after a quorum confirmed this leader: a leader of a later term knows of no renewal before its own
      election, and gives every lease its TTL from then on
    - a lease of which the log has been told that it is over is not renewed; whoever asks waits until it is revoked
    - what a leader tells the log of times counts in its own term only, however late it is applied (raftkv.lease.commands)
    - where a checkpoint says less than the promise, the log is told first
"""

from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct, pack, unpack

from raftkv.apply.command import CHECKPOINT_LEASES, EXPIRE_LEASES, body
from raftkv.clock import Clock
from raftkv.errors import InvalidArgumentError, NotLeaderError, RequestError, UnavailableError
from raftkv.lease import Lease
from raftkv.mvcc.steps import Steps
from raftkv.pb.command import CheckpointLeases, ExpireLeases
from raftkv.pb.rpc import LeaseTimeToLiveResponse
from raftkv.peer.asks import Kind
from raftkv.reply import Reply
from raftkv.server.leader_duty import LeaderDuty
from raftkv.server.lease_times import LeaseTimes
from raftkv.server.measured import TTL_BOUNDS_S, Histogram
from raftkv.server.replica import Replica

LOOK_S = 0.05
"""Between two looks at the times."""
BURST_S = 0.1
"""Revocations that were not needed are saved up for so long."""
MAX_CHECKPOINTS = 1000
"""Leases in one entry of checkpoints, as in etcd."""
SPARE_S = 1.0
"""After a refusal to revoke (the cluster is corrupt) it is tried again so much later."""

_DONE = object()
_question = Struct("<q?")
_term = Struct("<Q")


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseSettings:
    """How leases are timed."""

    election_timeout_s: float = 1.0
    """Added to every lease when a leader begins: so long nobody could renew."""
    revokes_per_s: float = 1000.0
    """As many leases as may expire in a second; etcd's leaseRevokeRate."""
    checkpoint_interval_s: float = 300.0
    """How much of a lease's time a change of leader may give back to it, as in etcd."""


def pack_ids(lease_ids: Sequence[int]) -> bytes:
    """Lease ids, or TTLs, for an ask."""
    return pack(f"<{len(lease_ids)}q", *lease_ids)


def unpack_ids(data: bytes) -> tuple[int, ...]:
    """What pack_ids packed.

    Raises:
        InvalidArgumentError: it did not.
    """
    if len(data) % 8:
        raise InvalidArgumentError(f"raftkv: {len(data)} bytes are no lease ids")
    return unpack(f"<{len(data) // 8}q", data)


def pack_renewal(term: int, lease_ids: Sequence[int]) -> bytes:
    """What RENEW_LEASES is asked with. In which term the asker is tells the leader that nobody else was elected with its help."""
    return _term.pack(term) + pack_ids(lease_ids)


def unpack_renewal(data: bytes) -> tuple[int, tuple[int, ...]]:
    """The term and the leases. Raises InvalidArgumentError."""
    if len(data) < _term.size:
        raise InvalidArgumentError(f"raftkv: {len(data)} bytes are no renewal")
    return _term.unpack_from(data)[0], unpack_ids(data[_term.size :])


def pack_question(lease_id: int, *, keys: bool) -> bytes:
    """What LEASE_TIME_TO_LIVE is asked with."""
    return _question.pack(lease_id, keys)


class LeaseKeeper:
    """Every node has one; the leader's is at work."""

    def __init__(self, replica: Replica, clock: Clock, loop: AbstractEventLoop, settings: LeaseSettings) -> None:
        self._replica = replica
        self._loop = loop
        self._duty = LeaderDuty(replica, clock, loop, look_s=LOOK_S, begin=self._begin, look=self._look)
        self._settings = settings
        self._lessor = replica.machine.lessor
        self._times = LeaseTimes(revokes_per_s=settings.revokes_per_s, checkpoint_interval_s=settings.checkpoint_interval_s)
        self._allowance = 0.0
        """How many leases may be revoked now."""
        self._allowed_at = 0.0
        """When that was."""
        self._ending: list[int] = []
        """What was proposed to be revoked and is not known to be settled."""
        self._proposed = False
        """Whether that is under way. One at a time: so it is bounded."""
        self._blocked: deque[tuple[Sequence[int], Reply[bytes]]] = deque()
        """Renewals that wait for it."""
        self.renewed = 0
        """Leases renewed since this process started."""
        self.ttl_s = Histogram(TTL_BOUNDS_S)
        """For how long leases were granted since then."""

    def start(self) -> None:
        """Begins to look."""
        self._lessor.observer = self
        self._replica.asks.serve(Kind.RENEW_LEASES, self._renew)
        self._replica.asks.serve(Kind.LEASE_TIME_TO_LIVE, self._time_to_live)
        self._duty.start()

    def stop(self) -> None:
        """Looks no more."""
        self._duty.stop()

    # --- what the log says (Observer) ------------------------------------------------------------------------------

    def granted(self, lease: Lease) -> None:
        self.ttl_s.observe(lease.ttl_s)
        if self._duty.term:
            self._times.grant(lease, self._duty.now())

    def revoked(self, lease_id: int) -> None:
        if self._duty.term:
            self._times.forget(lease_id)

    # --- time and leadership ---------------------------------------------------------------------------------------

    def _begin(self, term: int) -> None:
        self._end()
        if term:
            self._allowed_at = self._duty.now()
            self._take_over(term, self._times.begin(self._lessor.leases, self._allowed_at, self._settings.election_timeout_s))

    def _take_over(self, term: int, steps: Steps[None]) -> None:
        """Takes over a slice of the leases, and the others in the turns that follow."""
        if term == self._duty.term and self._duty.looks and next(steps, _DONE) is not _DONE:
            self._loop.call_soon(self._take_over, term, steps)

    def _end(self) -> None:
        """What was kept in a term that is over."""
        self._times.clear()
        self._ending, self._proposed = [], False
        blocked, self._blocked = self._blocked, deque()
        for _, reply in blocked:
            _refuse(reply, NotLeaderError())

    def _look(self, now: float) -> None:
        rate = self._settings.revokes_per_s
        self._allowance = min(self._allowance + rate * (now - self._allowed_at), rate * BURST_S)
        self._allowed_at = now
        if not self._proposed:
            self._expire(now)
        self._checkpoint(now)

    # --- expiry ------------------------------------------------------------------------------------------------------

    def _expire(self, now: float) -> None:
        """Asks the log to revoke what is over. What it was asked before, and nobody knows whether it did, it is asked again."""
        doomed = self._times.still_ending(self._ending)
        if not doomed:
            doomed = self._times.due(now, int(self._allowance))
            self._allowance -= len(doomed)
        self._ending = doomed
        if not doomed:
            return
        term = self._duty.term
        message = ExpireLeases(term=term, ids=doomed)
        self._proposed = True
        reply = self._replica.propose_duty(body(EXPIRE_LEASES, message.SerializeToString()))
        reply.add_done_callback(lambda outcome: self._expired(term, outcome.exception()))

    def _expired(self, term: int, error: BaseException | None) -> None:
        if term != self._duty.term:
            return
        self._proposed = False
        if error is not None and not isinstance(error, UnavailableError):
            self._times.spare(self._ending, self._duty.now() + SPARE_S)
            self._ending = []
        blocked, self._blocked = self._blocked, deque()
        for lease_ids, reply in blocked:
            self._renew_now(lease_ids, reply)

    # --- checkpoints -------------------------------------------------------------------------------------------------

    def _checkpoint(self, now: float) -> None:
        """Tells the log what is left of long leases, for the next leader."""
        due = self._times.checkpoints_due(now, MAX_CHECKPOINTS)
        if due:
            self._note([lease_id for lease_id, _ in due], [remaining_s for _, remaining_s in due])

    def _note(self, lease_ids: Sequence[int], remaining_s: Sequence[int]) -> Reply[object]:
        message = CheckpointLeases(term=self._duty.term, ids=lease_ids, remaining_s=remaining_s)
        return self._replica.propose_duty(body(CHECKPOINT_LEASES, message.SerializeToString()))

    # --- renewal -----------------------------------------------------------------------------------------------------

    def _renew(self, data: bytes, source: int) -> Reply[bytes]:
        """Renews leases for a node: their ids in, their TTLs out. All that come in one turn are confirmed by one round, or by the
        asker, if it and this leader are a quorum.
        """
        term, lease_ids = unpack_renewal(data)
        reply: Reply[bytes] = Reply()
        confirmed = self._replica.read_for(source, term, lambda: None)
        confirmed.add_done_callback(lambda read: self._confirmed(lease_ids, reply, read.exception()))
        return reply

    def _confirmed(self, lease_ids: Sequence[int], reply: Reply[bytes], error: BaseException | None) -> None:
        if isinstance(error, RequestError):
            _refuse(reply, error)
        else:
            self._renew_now(lease_ids, reply)

    def _renew_now(self, lease_ids: Sequence[int], reply: Reply[bytes]) -> None:
        if reply.done():
            return
        if not self._duty.leads():
            _refuse(reply, NotLeaderError())
            return
        renewed = self._times.renew(lease_ids, self._duty.now())
        if renewed.ending:
            self._blocked.append((lease_ids, reply))
        elif renewed.understated:
            self._restate(renewed.understated, renewed.ttls, reply)
        else:
            self._promise(renewed.ttls, reply)

    def _promise(self, ttls: list[int], reply: Reply[bytes]) -> None:
        self.renewed += len(ttls) - ttls.count(0)
        reply.set_result(pack_ids(ttls))

    def _restate(self, lease_ids: list[int], ttls: list[int], reply: Reply[bytes]) -> None:
        """The log says that less is left of these than is about to be promised: it is told otherwise first."""
        term, checkpoint = self._duty.term, self._times.checkpoint_number()

        def told(outcome: Reply[object]) -> None:
            error = outcome.exception()
            if isinstance(error, RequestError):
                _refuse(reply, error)
                return
            if term == self._duty.term:
                self._times.restated(lease_ids, checkpoint)
            if not reply.done():
                self._promise(ttls, reply)

        try:
            self._note(lease_ids, [0] * len(lease_ids)).add_done_callback(told)
        except RequestError as error:
            _refuse(reply, error)

    # --- questions ---------------------------------------------------------------------------------------------------

    def _time_to_live(self, data: bytes, _source: int) -> Reply[bytes]:
        """What is left of a lease, for a node: an encoded LeaseTimeToLiveResponse without its header."""
        if len(data) != _question.size:
            raise InvalidArgumentError(f"raftkv: {len(data)} bytes are no question about a lease")
        lease_id, keys = _question.unpack(data)
        return self._replica.read(lambda: self._answer(lease_id, keys=keys))

    def _answer(self, lease_id: int, *, keys: bool) -> bytes:
        if not self._duty.leads():
            raise NotLeaderError
        lease = self._lessor.leases.get(lease_id)
        if lease is None:
            return LeaseTimeToLiveResponse(ID=lease_id, TTL=-1).SerializeToString()
        response = LeaseTimeToLiveResponse(
            ID=lease_id, TTL=self._times.remaining_s(lease_id, self._duty.now()), grantedTTL=lease.ttl_s
        )
        if keys:
            response.keys.extend(self._lessor.keys(lease_id))
        return response.SerializeToString()


def _refuse(reply: Reply[bytes], error: RequestError) -> None:
    if not reply.done():
        reply.set_exception(error)
