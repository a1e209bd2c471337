"""One replica: raft/ driven by a disk, a network and a clock, with the state machine behind it.

Whatever happens in one turn of the loop (requests, messages, a finished sync) is answered together at the end of that turn:

    turn:  offer proposals, begin a read round
           Ready -> send what may leave, hand the rest to the disk
           apply what is committed, answer who waits
           serve reads whose index is applied

So there is one message per peer, one batch on the disk and one pass of apply per turn, however many requests came in. While
the disk syncs, turns go on; at most one sync is under way, and what waits for it leaves when it is done.

Everything here runs on the event loop's thread. The replica knows only Clock, Engine, Storage and Peers, so the simulator
runs this very code.
"""

from asyncio import AbstractEventLoop, Future, TaskGroup, TimerHandle
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any

from raftkv.apply.outcome import Outcome
from raftkv.auth.state import Author
from raftkv.errors import (
    ProposalDroppedError,
    ReadDroppedError,
    RemovedMemberError,
    StoppedError,
    TooManyRequestsError,
    UnavailableError,
)
from raftkv.mvcc.store import Store
from raftkv.pb.command import RequestId
from raftkv.pb.rpc import Member, ResponseHeader, WatchResponse
from raftkv.peer.asks import Ask, AskReply, Asks
from raftkv.peer.peers import Peers
from raftkv.raft.messages import NO_NODE, EntryKind, InstallSnapshot, Message, Propose
from raftkv.raft.ready import Persist, Ready
from raftkv.reply import Reply
from raftkv.server.applier import Applier
from raftkv.server.asking import LeaderAsks
from raftkv.server.changes import MembershipChanges
from raftkv.server.forwarded import without_nonsense
from raftkv.server.leadership import Leadership
from raftkv.server.measured import Measured
from raftkv.server.parts import Parts, Settings
from raftkv.server.proposals import Proposals
from raftkv.server.reads import ReadRounds
from raftkv.server.request_times import RequestTimes
from raftkv.server.roster import Roster
from raftkv.server.scrubber import Scrubber
from raftkv.server.slices import Slices
from raftkv.server.snapshots import Incoming, Outgoing
from raftkv.server.upkeep import Upkeep
from raftkv.server.writer import Writer
from raftkv.tracing import TraceContext
from raftkv.watch import Hub, Surroundings

MAX_OFFER_BYTES = 1024 * 1024
"""Proposals given to Raft in one go; the next go follows in the same turn."""
MANY_WATCHERS = 100
"""Telling so many takes about as long as all else in a turn."""


class Replica:
    """A member of the cluster."""

    def __init__(self, settings: Settings, parts: Parts, loop: AbstractEventLoop, tasks: TaskGroup) -> None:
        self.settings = settings
        self.machine = parts.machine
        self.failed: Future[None] = loop.create_future()
        """Gets the exception that this node cannot survive."""
        self.measured = Measured()
        self.times = RequestTimes(parts.clock, node_id=settings.node_id, slow_s=settings.slow_request_s)
        """Of requests that took long, or are traced."""
        self.turn_ended: Callable[[], None] = lambda: None
        """Called when answers of a turn are given that nothing is to be added to: at its end, and before many watchers are told."""
        self.rng = parts.rng
        """Dice that fall otherwise at every start."""
        self._raft = parts.raft
        self._clock = parts.clock
        self._loop = loop
        self._peers: Peers
        self._stopped = False
        self._turn_due = False
        self._first: list[Callable[[], None]] = []
        """What the next turn begins with."""
        self._leadership = Leadership(
            parts.raft, parts.machine, loop, node_id=settings.node_id, measured=self.measured, wake=self.wake
        )
        self._ticker: TimerHandle | None = None
        self._ticked_at = parts.clock.now()
        # Numbers of an earlier life must not come back: entries and answers that carry them may still be under way.
        life = parts.rng.getrandbits(43) << 20
        patience = {"limit": settings.max_pending, "patience_s": settings.patience_s}
        self._proposals = Proposals(settings.node_id, life, **patience)  # type: ignore[arg-type] # int and float
        self._reads = ReadRounds(settings.node_id, life, **patience)  # type: ignore[arg-type] # as above
        self.asks = Asks(settings.node_id, parts.clock, life, wake=self.wake)
        """Questions to and from single nodes."""
        self._leader_asks = LeaderAsks(self.asks, parts.clock, lambda: self.leader, patience_s=settings.patience_s)
        self._changes = MembershipChanges(parts, self._proposals, settings)
        self._slices = Slices(loop, parts.clock)
        self._history_slices = Slices(loop, parts.clock)
        self.watches = Hub(
            Surroundings(
                store=parts.machine.store,
                loop=loop,
                rng=parts.rng,
                head=self._watch_head,
                slices=self._history_slices.answer,
                failed=self.fail,
            )
        )
        """Who is told of changes."""
        self._writer = Writer(
            parts.engine,
            parts.log,
            parts.overlay,
            parts.storage,
            loop,
            clock=parts.clock,
            measured=self.measured,
            synced=self._synced,
            failed=self.fail,
        )
        self._applier = Applier(
            parts,
            self._proposals,
            settings,
            answer=self._answer,
            changed=self.watches.add,
            measured=self.measured,
            times=self.times,
        )
        self._scrubber = Scrubber(
            parts.machine.store, parts.overlay, loop, changed=self._writer.linger, failed=self.fail, measured=self.measured
        )
        self._outgoing = Outgoing(parts.engine, parts.storage, loop, tasks, finished=self._snapshot_sent)
        self._incoming = Incoming(parts.engine, parts.storage, loop, arrived=self._snapshot_arrived, measured=self.measured)
        self.upkeep = Upkeep(parts, loop, flush=self._writer.flush, measured=self.measured)
        """Copies of everything, and room on the disk."""
        self._overlay = parts.overlay
        self._compacted_at = parts.log.start[0]
        self._roster = Roster(parts.machine, self.asks, loop, node_id=settings.node_id, expelled=self.expelled)

    # --- life --------------------------------------------------------------------------------------------------

    def start(self, peers: Peers) -> None:
        """Begins to take part."""
        self._peers = peers
        self._outgoing.peers = peers
        self._roster.peers = peers
        self._roster.tell()
        self._ticker = self._loop.call_later(self.settings.tick_s, self._tick)
        self._scrubber.wake()
        if self._raft.membership.voters == (self.settings.node_id,):
            self._raft.campaign()  # there is nobody to wait for
        self.wake()

    def stop(self) -> None:
        """Takes no further part; waiting requests are failed, what is applied is flushed to the disk."""
        if self._stopped:
            return
        self._stopped = True
        if self._ticker is not None:
            self._ticker.cancel()
        self._proposals.stop()
        self._reads.stop()
        self._leader_asks.stop()
        self.asks.stop()
        self._slices.stop()
        self._history_slices.stop()
        self._scrubber.stop()
        self._writer.stop(flush=not self.failed.done())

    def fail(self, error: BaseException) -> None:
        """This node cannot go on: its disk or its code failed."""
        if not self.failed.done():
            self.failed.set_exception(error)
        self.stop()

    # --- facts -------------------------------------------------------------------------------------------------

    @property
    def store(self) -> Store:
        """The key-value store, for reading."""
        return self.machine.store

    @property
    def leader(self) -> int:
        """The leader that this node knows, or NO_NODE."""
        return self._raft.leader

    @property
    def is_leader(self) -> bool:
        """Whether this node leads."""
        return self._raft.leader == self.settings.node_id

    @property
    def is_learner(self) -> bool:
        """Whether this node has no vote."""
        return self.settings.node_id in self.machine.membership.learners

    @property
    def term(self) -> int:
        """The current term."""
        return self._raft.term

    @property
    def commit_index(self) -> int:
        """The last committed entry that this node knows of."""
        return self._raft.commit

    @property
    def pending_proposals(self) -> int:
        """Writes that wait for their answer."""
        return len(self._proposals)

    @property
    def pending_reads(self) -> int:
        """Linearizable reads that wait for their moment."""
        return len(self._reads)

    @property
    def read_rounds(self) -> ReadRounds:
        """What is counted about them."""
        return self._reads

    @property
    def outgoing_snapshots(self) -> Outgoing:
        """Snapshots on their way to followers."""
        return self._outgoing

    @property
    def incoming_snapshots(self) -> Incoming:
        """The snapshot on its way to this node."""
        return self._incoming

    @property
    def log_entries(self) -> int:
        """How long the log is that was not shortened yet."""
        return self._raft.commit - self._compacted_at

    def match_indexes(self) -> dict[int, int]:
        """On the leader: up to where each other member's log is known to equal ours. Not for the hot path."""
        return {member: peer.match_index for member, peer in self._raft.status().peers.items()}

    def fill(self, header: ResponseHeader) -> None:
        """Sets what every header says about this node; the revision is the caller's."""
        header.cluster_id = self.settings.cluster_id
        header.member_id = self.settings.node_id
        header.raft_term = self._raft.term

    def _watch_head(self, revision: int) -> bytes:
        """The header of a WatchResponse, encoded as its field."""
        header = ResponseHeader(revision=revision)
        self.fill(header)
        return WatchResponse(header=header).SerializeToString()

    # --- requests ----------------------------------------------------------------------------------------------

    def propose(self, body: bytes, request_id: RequestId | None = None, author: Author | None = None) -> Reply[Any]:
        """Sends a command (an encoded body field of command.Command) through the log.

        The reply gets the answer, with its header filled, when the command is applied here. `author`: who asks (Call.author);
        None: the node itself, or anybody where authentication is off.

        Raises:
            TooManyRequestsError: too much is waiting already.
            StoppedError: the node is stopping.
        """
        if self._stopped:
            raise StoppedError
        if self._raft.commit - self.machine.applied_index > self.settings.max_apply_gap:
            raise TooManyRequestsError
        trace = None if self.times.recorder is None else self.times.context()
        reply = self._proposals.add(body, self._clock.now(), request_id=request_id, author=author, trace=trace)
        self.wake()
        return reply

    def propose_duty(self, body: bytes) -> Reply[Any]:
        """As `propose`, for what the node itself must do, also where clients are turned away. Whoever does it bounds it."""
        if self._stopped:
            raise StoppedError
        reply = self._proposals.add(body, self._clock.now(), duty=True)
        self.wake()
        return reply

    def ask_leader(self, kind: int, body: bytes) -> Reply[bytes]:
        """Asks the leader, this node or another (raftkv.peer.asks): again where leadership moves, so only what may be asked twice."""
        return self._leader_asks.ask(kind, body)

    def propose_change(self, body: bytes) -> Reply[Any]:
        """As `propose`, for a change of the members: the leader makes one after the other, when it may."""
        if self._stopped:
            raise StoppedError
        reply = self._proposals.add_change(body, self._clock.now())
        self.wake()
        return reply

    def read(self, work: Callable[[], Any]) -> Reply[Any]:
        """A linearizable read: `work` looks at the local state when it holds all that was committed by now.

        The reply gets what `work` returns, in slices if that is a generator.
        """
        if self._stopped:
            raise StoppedError
        reply: Reply[Any] = Reply()
        since = self._clock.now()
        trace = None if self.times.recorder is None else self.times.context()
        if trace is not None:
            work = self.times.traced_read(work, trace, since)
        self._reads.add(lambda: self._look_after(work, reply, since, trace), reply, since)
        self.wake()
        return reply

    def read_for(self, source: int, term: int, work: Callable[[], Any]) -> Reply[Any]:
        """As `read`, at the leader, for a node that asked in `term`. Where the two are a quorum, its asking confirmed that this node
        led, and no round is needed.
        """
        index = None if self._stopped else self._raft.vouched_index(source, term)
        if index is None:
            return self.read(work)
        reply: Reply[Any] = Reply()
        self._reads.add_confirmed(
            lambda: self._look(work, reply), reply, self._clock.now(), index=index, applied=self.machine.applied_index
        )
        return reply

    def read_local(self, work: Callable[[], Any]) -> Reply[Any]:
        """A serializable read: `work` looks at the local state as it is."""
        reply: Reply[Any] = Reply()
        trace = None if self.times.recorder is None else self.times.context()
        if trace is not None:
            work = self.times.traced_read(work, trace, self._clock.now())
        self._look(work, reply)
        return reply

    def read_bounded(self, work: Callable[[], Any], max_staleness_s: float) -> Reply[Any]:
        """A read of local state that contains all that was committed `max_staleness_s` ago.

        No clocks are compared: a finished read round proves that the state is as fresh as the round's beginning.
        """
        if self._clock.now() - self._reads.fresh_at <= max_staleness_s:
            return self.read_local(work)
        return self.read(work)

    def _look_after(self, work: Callable[[], Any], reply: Reply[Any], since: float, trace: TraceContext | None) -> None:
        """Looks, and tells if the wait was long."""
        began = self._clock.now()
        if began - since > self.times.slow_s:
            self.times.waited(since, began, trace)
        self._look(work, reply)

    def _look(self, work: Callable[[], Any], reply: Reply[Any]) -> None:
        self._slices.answer(lambda: self._checked(work), reply)

    def _checked(self, work: Callable[[], Any]) -> Any:
        """Asked when the work begins, which may be later than it was handed in."""
        if self._incoming.installing:
            raise UnavailableError("raftkv: installing a snapshot")
        return work()

    async def scrubbed(self) -> None:
        """Returns when everything that was compacted is gone from the tables."""
        await self._scrubber.done()

    async def hand_over(self, target: int = NO_NODE) -> None:
        """Gives leadership away, to the voter that is furthest along, or to `target`, and then waits until somebody leads; returns
        at once if there is nobody.

        Raises:
            TransferDroppedError: this node lost leadership meanwhile.
        """
        await self._leadership.hand_over(target)

    # --- the network speaks (Receiver) -----------------------------------------------------------------------------

    def receive(self, message: Message) -> None:
        if self._stopped:
            return
        if type(message) is Propose:
            if self._changes.arrived(message):
                self.wake()
                return
            message = without_nonsense(message)
        if self._changes.waiting:
            self._changes.heard(message.source)
        self._raft.step(message)
        if self._raft.has_ready():
            self.wake()

    def ask_arrived(self, message: Ask | AskReply) -> None:
        self.asks.received(message)

    def expelled(self) -> None:
        """Another member says that this node was removed. No id ever comes back, so that is final whoever says it."""
        if not self._stopped:
            self.stop()
            self.failed.set_exception(RemovedMemberError(self.settings.node_id))

    def roster(self) -> tuple[Iterable[Member], Iterable[int]]:
        return self.machine.members.values(), self.machine.removed

    def peer_lost(self, node_id: int) -> None:
        if not self._stopped:
            self.asks.lost(node_id)
            self._raft.peer_lost(node_id)
            self.wake()

    def peer_unreachable(self, node_id: int) -> None:
        if not self._stopped:
            self.asks.lost(node_id)
            self._raft.report_unreachable(node_id)

    async def receive_snapshot(self, message: InstallSnapshot, frames: AsyncIterator[bytes]) -> None:
        await self._incoming.receive(message, frames)

    # --- the turn ------------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Something happened: one turn follows, at the end of what the loop is doing now."""
        if not self._turn_due:
            self._turn_due = True
            self._loop.call_soon(self._turn)

    def at_next_turn(self, work: Callable[[], None]) -> None:
        """Calls `work` first thing in the next turn: what it asks for is part of that turn."""
        self._first.append(work)
        self.wake()

    def _turn(self) -> None:
        self._turn_due = False
        if self._stopped:
            return
        try:
            self.times.begin_turn()
            if self._first:
                self._do_first()
            self._offer()
            if self._changes.waiting:
                self._changes.step()
            self._begin_read()
            if self._raft.has_ready():
                self._handle(self._raft.ready())
            self._apply()
            if self._leadership.moved():
                self._leader_asks.leader_changed()
                self.times.leader_known()
            if self.asks.waiting:
                self._peers.send(self.asks.take())
            self.turn_ended()
            if self._raft.has_ready() or self._applier.busy:
                self.wake()
        except BaseException as error:  # noqa: BLE001 (a bug of ours or a broken disk: the node must not go on)
            self.fail(error)

    def _do_first(self) -> None:
        first, self._first = self._first, []
        for work in first:
            work()

    def _offer(self) -> None:
        while self._proposals.queued:
            batch = self._proposals.take_queued(MAX_OFFER_BYTES)
            if not batch:
                return
            try:
                term = self._raft.propose([(EntryKind.NORMAL, proposal.data) for proposal in batch])
            except ProposalDroppedError:
                self._proposals.put_back(batch)  # the next tick tries again
                return
            self._proposals.bind(batch, term, self._clock.now())

    def _begin_read(self) -> None:
        if not self._reads.waiting:
            return
        context = self._reads.begin(self._clock.now())
        try:
            self._raft.read_index(context)
        except ReadDroppedError:
            self._reads.give_up(context)

    def _handle(self, ready: Ready) -> None:
        if ready.messages:
            self._send(ready.messages)
        if ready.persist is not None:
            self._persist(ready.persist)
        for context in ready.lost_reads:
            self._reads.give_up(context)
        applied = self.machine.applied_index
        for context, index in ready.reads:
            self._reads.confirmed(context, index, applied)
        if ready.committed:
            self.times.committed(ready.committed)
            self._applier.extend(ready.committed)

    def _send(self, messages: "list[Message]") -> None:
        snapshots = [message for message in messages if isinstance(message, InstallSnapshot)]
        for message in snapshots:
            self._outgoing.send(message)
        if snapshots:
            messages = [message for message in messages if not isinstance(message, InstallSnapshot)]
        self._peers.send(messages)

    def _persist(self, persist: Persist) -> None:
        if persist.entries:
            self.times.appended(persist.entries)
        if persist.snapshot is not None:
            self._applier.clear()
            self._proposals.replaced(persist.snapshot.term)
            receiver = self._incoming.take(persist.snapshot)
            self.watches.hold()
            self._writer.install(persist, receiver, lambda: self._swapped(persist))
        elif not self._writer.persist(persist):
            self._synced(persist)

    def _synced(self, persist: Persist) -> None:
        if self._stopped:
            return
        self._raft.persisted(persist)
        if persist.entries:
            self.times.synced(persist.entries)
        if persist.messages:
            self._send(persist.messages)
        if self._raft.has_ready() or self._proposals.queued:
            self.wake()

    def _apply(self) -> None:
        if not self._applier.busy or self._incoming.installing:
            return
        if not self._applier.run():
            return
        if self.watches.watchers > MANY_WATCHERS:
            self.turn_ended()  # who waits for an answer need not wait until all these are told
        self.watches.publish()
        applied = self.machine.applied_index
        self._raft.applied_to(applied)
        self._reads.applied(applied)
        self._writer.linger()
        self._scrubber.wake()
        if self.machine.members is not self._roster.told:
            self._roster.tell()
        if applied - self._compacted_at >= self.settings.snapshot_count + self.settings.catch_up_entries:
            self._compact_log(self._outgoing.spare(applied - self.settings.catch_up_entries, self.match_indexes))

    def _answer(self, outcome: Outcome, proposal: int) -> None:
        waiting = self._proposals.applied(proposal)
        if waiting is None:
            return
        reply = waiting.reply
        if outcome.error is not None:
            reply.set_exception(outcome.error)
        else:
            response: Any = outcome.answer()
            if response is not None:
                self.fill(response.header)
            reply.set_result(response)
        if waiting.trace is not None or self._applier.at - waiting.since > self.times.slow_s:
            self.times.answered(waiting, self.machine.applied_index, self._applier.at)

    def _compact_log(self, index: int) -> None:
        if index <= self._compacted_at:
            return
        self._raft.compact(index)
        self._writer.compact_log(index)
        self._compacted_at = index

    def _tick(self) -> None:
        now = self._clock.now()
        if now - self._ticked_at > 2 * self.settings.tick_s and self.is_leader:
            self.measured.late_heartbeats += 1
        self._ticked_at = now
        self._ticker = self._loop.call_later(self.settings.tick_s, self._tick)
        self._raft.tick()
        self.measured.proposals_failed += self._proposals.expire(now)
        self._reads.expire(now)
        self.asks.expire()
        self._leader_asks.retry()
        self.wake()

    # --- snapshots -----------------------------------------------------------------------------------------------

    def _snapshot_sent(self, target: int, *, ok: bool) -> None:
        if not self._stopped:
            self._raft.report_snapshot(target, ok=ok)
            self.wake()

    def _snapshot_arrived(self, message: InstallSnapshot) -> bool:
        self._raft.step(message)
        self.wake()
        return self._raft.pending_snapshot == message.snapshot

    def _swapped(self, persist: Persist) -> None:
        """The tables are the snapshot's now; the state machine reads them anew."""
        self._scrubber.forget()
        loaded: Reply[None] = Reply()
        loaded.add_done_callback(lambda _: self._installed(persist))
        self._slices.answer(self.machine.load, loaded)

    def _installed(self, persist: Persist) -> None:
        assert persist.snapshot is not None
        self._compacted_at = persist.snapshot.index
        self._incoming.installed()
        self.watches.resume()
        self._roster.tell()
        self._synced(persist)

    # --- members -------------------------------------------------------------------------------------------------

    @property
    def members(self) -> Mapping[int, Member]:
        """All members, as of the last applied entry."""
        return self.machine.members
