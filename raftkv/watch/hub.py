r"""Tells watchers what is applied: a node's one place where changes meet those who want to know of them.

    applied entry --add--> events of this turn --publish--> synced groups: encoded once, sent to each stream
                                               \--> in history, where sweeps find them for those who are behind

A watcher is in the live flow or it reads history, never both, and goes from one to the other only at a point that both
agree on: `revision`, up to which everything has been told to those who are synced. So there is no gap and no repeat.

`revision` equals the store's whenever the loop is free, but while a snapshot is installed. In the middle of a turn it is
behind: what is applied is not yet told. Memory is bounded: a stream that does not collect its responses is told nothing
more until it does, and then from history.

Where all streams together leave too much uncollected (raftkv.watch.budget), that holds for each that has anything left, and who has
nothing left is told from history, as soon as there is room. If nobody collects anything for a second, the streams that keep most
are ended, so those who do not read cannot keep the room for ever from those who do.
"""

from asyncio import AbstractEventLoop, TimerHandle
from collections import OrderedDict
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Any

from sortedcontainers import SortedDict

from raftkv.mvcc import Event, Store
from raftkv.mvcc.changes import Wanted
from raftkv.reply import Reply
from raftkv.watch.budget import Budget
from raftkv.watch.consumer import BEHIND, Consumer, Share, State
from raftkv.watch.encoding import MAX_TOLD_BYTES, batches, bodies, event_piece
from raftkv.watch.interest import Index, Interest
from raftkv.watch.recent import Recent
from raftkv.watch.sweep import Sweep

MAX_LIVE_EVENTS = 1000
"""Events of one turn that are sent at once; a delete of a million keys is left to history, where it is read in slices."""
MAX_BACKLOG_BYTES = 64 * 1024
"""What a stream may leave uncollected before it is told nothing more. A client that is no faster gets larger responses then,
which cost both sides less than many small ones.
"""
MAX_SWEPT = 512
"""Shares that catch up together."""
SWEEP_REVISIONS = 5000
"""Revisions that are read for them, before it is the others' turn."""
MAX_LOOKED_AT = 4 * MAX_SWEPT
"""Queued shares that are looked at to find those that go together."""
LOOK_FOR_ROOM_S = 0.05
"""Between two looks whether something was collected, where too much is left."""
FRUITLESS_LOOKS = 20
"""Looks that find nothing collected, after which the streams that keep most are ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a hub needs of its node."""

    store: Store
    loop: AbstractEventLoop
    rng: Random
    head: Callable[[int], bytes]
    """The encoded header field of a response at a revision."""
    slices: Callable[[Callable[[], Any], Reply[Any]], None]
    """Runs the steps that a function returns, a slice at a time; the reply gets the end."""
    failed: Callable[[BaseException], None]
    """History cannot be read: this node cannot go on."""


_AT_REST = frozenset({State.SYNCED, State.GONE})
"""Where nothing has to be done for a share to be synced."""


class Group:
    """The synced shares with one interest: at most one of each stream."""

    __slots__ = ("events", "interest", "shares")

    def __init__(self, interest: Interest) -> None:
        self.interest = interest
        self.shares: dict[Consumer, Share] = {}
        self.events: list[int] = []
        """Places of this turn's events among all of the turn."""


class Hub:
    """All watches of a node."""

    def __init__(self, surroundings: Surroundings, *, fragment_bytes: int = 2 * 1024 * 1024) -> None:
        self._store = surroundings.store
        self.head = surroundings.head
        self._slices = surroundings.slices
        self._failed = surroundings.failed
        self.loop = surroundings.loop
        self.rng = surroundings.rng
        self.fragment_bytes = fragment_bytes
        """Size of a response above which it comes in parts, where the client wants that."""
        self.revision = self._store.revision
        """Everything up to here has been told to who is synced."""
        self.streams = 0
        self.watchers = 0
        self.slow_watchers = 0
        self.events_sent = 0
        self.abandoned_streams = 0
        """Ended, because they kept most of what was too much for all."""
        self.pending_events = 0
        """Read from history and not sent yet."""
        self._recent = Recent(self.revision)
        self._pending: list[Event] = []
        self._unseen = False
        """In this turn events were passed over, for nobody was there."""
        self._groups: dict[Interest, Group] = {}
        self._index: Index[Group] = Index(self.rng)
        self._queue: OrderedDict[Share, None] = OrderedDict()
        self._future: SortedDict[int, dict[Share, None]] = SortedDict()
        self._sweep: Sweep | None = None
        self._held = False
        self.budget = Budget()
        """What all streams together have not collected."""
        self._room_timer: TimerHandle | None = None
        self._fruitless = 0

    # --- what happens to the store --------------------------------------------------------------------------------

    def add(self, events: Sequence[Event]) -> None:
        """An entry was applied."""
        if self.watchers:
            self._pending += events
        else:
            self._unseen = True

    def publish(self) -> None:
        """Tells what the entries applied in this turn changed. Their state can be read by now."""
        revision = self._store.revision
        if revision == self.revision:
            return
        events, self._pending = self._pending, []
        before, self.revision = self.revision, revision
        if self._unseen:
            self._unseen = False
            self._recent.restart(revision)
        elif events:
            self._recent.add(events)
        if len(events) > MAX_LIVE_EVENTS:
            self._leave_to_history(before)
        elif events:
            self._tell(events, before)
        if self._future:
            self._arrive()

    def hold(self) -> None:
        """The store is about to be replaced by a snapshot: its history must not be read."""
        self._held = True
        sweep, self._sweep = self._sweep, None
        if sweep is not None:
            sweep.abandon()

    def resume(self) -> None:
        """The store is the snapshot's. Whoever was synced reads in its history what came between."""
        self._held = False
        self._pending.clear()
        before, self.revision = self.revision, self._store.revision
        self._recent.restart(self.revision)
        if before != self.revision:
            self._leave_to_history(before)
            self._arrive()
        self._next_sweep()

    # --- shares come and go ---------------------------------------------------------------------------------------

    def full(self, consumer: Consumer) -> bool:
        """Whether a stream has enough to collect."""
        backlog = consumer.sink.backlog
        return backlog > MAX_BACKLOG_BYTES or (backlog > 0 and self.budget.exceeded)

    def place(self, share: Share) -> None:
        """Puts a share where its position says: a new one, or one that has been told of some of the past."""
        in_a_turn = self._store.revision != self.revision  # events may have passed that were not told yet
        if share.position < self.revision or (in_a_turn and share.position == self.revision):
            self._queue[share] = None
            self.move(share, State.QUEUED)
            self._next_sweep()
        elif share.position > self.revision:
            self._future.setdefault(share.position, {})[share] = None
            self.move(share, State.FUTURE)
        else:
            self._sync(share)

    def drop(self, share: Share) -> None:
        """Forgets a share without watchers."""
        match share.state:
            case State.SYNCED:
                self._leave_group(share)
            case State.QUEUED:
                del self._queue[share]
            case State.PARKED:
                del share.consumer.parked[share]
            case State.FUTURE:
                self._leave_future(share)
            case _:
                pass  # a sweep will notice
        self.move(share, State.GONE)

    def drained(self, consumer: Consumer) -> None:
        """A stream has room again."""
        parked, consumer.parked = consumer.parked, {}
        for share in parked:
            self.place(share)

    def park(self, share: Share) -> None:
        """The share's stream has enough to collect; a share that was synced has left its group."""
        share.consumer.parked[share] = None
        self.move(share, State.PARKED)

    def move(self, share: Share, state: State) -> None:
        """Notes where a share is, and counts."""
        old, share.state = share.state, state
        consumer = share.consumer
        consumer.unsynced += (old in _AT_REST) - (state in _AT_REST)
        self.slow_watchers += ((state in BEHIND) - (old in BEHIND)) * len(share.watchers)

    def left(self, share: Share) -> None:
        """A watcher was taken out of a share that has others."""
        self.slow_watchers -= share.state in BEHIND

    def _sync(self, share: Share) -> None:
        group = self._groups.get(share.interest)
        if group is None:
            group = self._groups[share.interest] = Group(share.interest)
            self._index.add(share.interest, group)
        present = group.shares.get(share.consumer)
        if present is None:
            group.shares[share.consumer] = share
            self.move(share, State.SYNCED)
        else:
            self.move(share, State.GONE)
            present.absorb(share)
        if not share.consumer.unsynced:
            share.consumer.caught_up()

    def _leave_group(self, share: Share) -> None:
        group = self._groups[share.interest]
        del group.shares[share.consumer]
        if not group.shares:
            del self._groups[share.interest]
            self._index.remove(share.interest, group)

    def _leave_future(self, share: Share) -> None:
        shares = self._future[share.position]
        del shares[share]
        if not shares:
            del self._future[share.position]

    def _arrive(self) -> None:
        """Some who wanted to begin later begin now."""
        while self._future and self._future.peekitem(0)[0] <= self.revision:
            for share in self._future.popitem(0)[1]:
                self.place(share)

    # --- the live flow --------------------------------------------------------------------------------------------

    def _tell(self, events: list[Event], before: int) -> None:
        """Sends events to those who are interested and have room."""
        touched: list[Group] = []
        match = self._index.match
        for number, event in enumerate(events):
            for group in match(event.key):
                if group.interest.takes(event):
                    if not group.events:
                        touched.append(group)
                    group.events.append(number)
        pieces: dict[tuple[int, bool], bytes] = {}
        head = self.head(self.revision)
        for group in touched:
            told = []
            for number in group.events:
                event, place = events[number], (number, group.interest.previous)
                piece = pieces.get(place)
                if piece is None:
                    piece = pieces[place] = event_piece(event, previous=group.interest.previous)
                told.append((event.revision, piece))
            group.events = []
            self._tell_group(group, told, head, before)

    def _tell_group(self, group: Group, told: list[tuple[int, bytes]], head: bytes, before: int) -> None:
        fragment_bytes = self.fragment_bytes if group.interest.fragment else 0
        messages = [body for batch in batches(told) for body in bodies(head, batch, fragment_bytes)]
        size = sum([len(body) for body in messages])
        late: list[Share] = []
        for consumer, share in group.shares.items():
            cost = size * len(share.watchers)
            if cost > MAX_TOLD_BYTES or self.full(consumer) or self.budget.exceeded:
                late.append(share)
                continue
            for body in messages:
                share.send(body)
            self.budget.told(consumer, cost)
            self.events_sent += len(told) * len(share.watchers)
        for share in late:
            self._leave_group(share)
            share.position = before
            if self.full(share.consumer):
                self.park(share)
            else:
                self.place(share)  # too much for it, or for all, at once: history is told in pieces

    def _leave_to_history(self, before: int) -> None:
        """Everybody who is synced is told from history."""
        groups, self._groups = self._groups, {}
        self._index = Index(self.rng)
        for group in groups.values():
            for share in group.shares.values():
                share.position = before
                self.place(share)

    # --- history --------------------------------------------------------------------------------------------------

    def history(self, first: int, last: int, wanted: Wanted) -> Generator[list[Event], None, None]:
        """The events of the revisions first to last, in slices of work."""
        if first > self._recent.begin:
            return self._recent.between(first, last, self._store.compact_revision)
        return self._store.changes(first, last, wanted=wanted)

    def _next_sweep(self) -> None:
        """Lets some of those who wait catch up, unless others are at it."""
        if self._held or self._sweep is not None or not self._queue:
            return
        if self.budget.exceeded:
            self._wait_for_room()
            return
        shares = self._companions()
        if not shares:
            return
        reply: Reply[None] = Reply()
        sweep = self._sweep = Sweep(self, self._store, shares, reply, revisions=SWEEP_REVISIONS)
        reply.add_done_callback(self._swept)
        self._slices(lambda: sweep.steps, reply)

    def _companions(self) -> list[Share]:
        """Who has waited longest, and others that need the same part of history."""
        chosen: list[Share] = []
        first = 0
        for share in list(islice(self._queue, MAX_LOOKED_AT)):
            if share.position + 1 < self._store.compact_revision:
                share.consumer.compacted(share, self._store.compact_revision)
                continue
            if not chosen:
                first = share.position
            if first <= share.position < first + SWEEP_REVISIONS:
                chosen.append(share)
                if len(chosen) == MAX_SWEPT:
                    break
        for share in chosen:
            del self._queue[share]
            self.move(share, State.SWEPT)
        return chosen

    def _swept(self, reply: Reply[None]) -> None:
        self._sweep = None
        error = reply.exception()
        if error is not None:
            self._failed(error)
            return
        self._next_sweep()

    # --- too much for all -----------------------------------------------------------------------------------------

    def _wait_for_room(self) -> None:
        if self._room_timer is None:
            self._room_timer = self.loop.call_later(LOOK_FOR_ROOM_S, self._look_for_room)

    def _look_for_room(self) -> None:
        """Goes on with history where enough was collected; makes room where nothing was, for long."""
        self._room_timer = None
        before = self.budget.uncollected
        self.budget.count()
        if self.budget.exceeded:
            self._fruitless = self._fruitless + 1 if self.budget.uncollected >= before else 0
            if self._fruitless >= FRUITLESS_LOOKS:
                self._fruitless = 0
                self._end_largest()
        self._next_sweep()

    def _end_largest(self) -> None:
        """Ends those who keep most, until there is some room again."""
        for consumer in self.budget.largest():
            self.abandoned_streams += 1
            consumer.sink.abandon()
        self.budget.count()
