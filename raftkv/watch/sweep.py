"""Catching up: one walk through a part of history for all who need it.

    shares with the same interest and position -> cohort
    history --event--> cohorts that are interested and not beyond it --whole revisions--> response, to each of their shares

A walk is cut into slices. What is applied meanwhile is not in it: whoever is still behind at its end waits for the next
one, which is shorter. The last one ends in the turn in which it began, so everybody arrives.
"""

from collections.abc import Generator
from random import Random
from typing import Protocol

from raftkv.mvcc import Event, Store
from raftkv.mvcc.changes import Wanted
from raftkv.reply import Reply
from raftkv.watch.budget import Budget
from raftkv.watch.consumer import Consumer, Share, State
from raftkv.watch.encoding import MAX_RESPONSE_BYTES, MAX_TOLD_BYTES, bodies, event_piece
from raftkv.watch.interest import Index, Interest


class Keeper(Protocol):
    """The hub, as a sweep sees it."""

    rng: Random
    revision: int
    fragment_bytes: int
    events_sent: int
    pending_events: int
    budget: Budget

    def head(self, revision: int, /) -> bytes: ...
    def history(self, first: int, last: int, wanted: Wanted, /) -> Generator[list[Event], None, None]: ...
    def full(self, consumer: Consumer) -> bool: ...
    def park(self, share: Share) -> None: ...
    def place(self, share: Share) -> None: ...


class Cohort:
    """Shares that are told the same in this sweep.

    Invariant: all of them have been told everything up to `position`, and `pieces` is what comes after it.
    """

    __slots__ = ("enough", "interest", "pieces", "position", "shares", "size")

    def __init__(self, interest: Interest, position: int) -> None:
        self.interest = interest
        self.position = position
        self.shares: list[Share] = []
        self.pieces: list[bytes] = []
        self.size = 0
        self.enough = MAX_RESPONSE_BYTES
        """The size at which it is told: for a stream with many watchers this counts as often as they are."""


class Sweep:
    """One walk."""

    def __init__(self, keeper: Keeper, store: Store, shares: list[Share], reply: Reply[None], *, revisions: int) -> None:
        """`reply` gets the end of the walk through at most so many `revisions`."""
        self._keeper = keeper
        self._store = store
        self._reply = reply
        self._cohorts: dict[tuple[Interest, int], Cohort] = {}
        self._index: Index[Cohort] = Index(keeper.rng)
        self._revision = 0
        self._large: dict[Cohort, None] = {}
        self._first = min(share.position for share in shares) + 1
        self._last = self._first - 1 + revisions
        for share in shares:
            self._join(share)
        self.steps = self._walk()
        """To be run to its end, or abandoned."""

    def abandon(self) -> None:
        """Ends the walk where it is; everybody waits again."""
        self._reply.cancel()
        self.steps.close()
        self._return_shares()

    def _join(self, share: Share) -> None:
        place = (share.interest, share.position)
        cohort = self._cohorts.get(place)
        if cohort is None:
            cohort = self._cohorts[place] = Cohort(*place)
            self._index.add(share.interest, cohort)
        cohort.shares.append(share)
        cohort.enough = min(cohort.enough, MAX_TOLD_BYTES // len(share.watchers))

    def _walk(self) -> Generator[None, None, None]:
        last = min(self._last, self._store.revision)
        if self._first < self._store.compact_revision:  # compacted since it was asked for: the hub tells whom it concerns
            self._return_shares()
            return
        changes = self._keeper.history(self._first, last, self._wanted)
        try:
            for events in changes:
                for event in events:
                    self._take(event)
                yield
        finally:
            changes.close()
        for cohort in self._cohorts.values():
            self._tell(cohort, last)
        self._return_shares()

    def _wanted(self, key: bytes) -> bool | None:
        """Whether somebody wants the KeyValue before, or (None) nobody wants the event."""
        cohorts = self._index.match(key)
        return any(cohort.interest.previous for cohort in cohorts) if cohorts else None

    def _take(self, event: Event) -> None:
        if event.revision != self._revision:
            large, self._large = self._large, {}
            for cohort in large:
                self._tell(cohort, self._revision)
            self._revision = event.revision
        pieces: dict[bool, bytes] = {}
        for cohort in self._index.match(event.key):
            if event.revision > cohort.position and cohort.interest.takes(event):
                previous = cohort.interest.previous
                piece = pieces.get(previous)
                if piece is None:
                    piece = pieces[previous] = event_piece(event, previous=previous)
                cohort.pieces.append(piece)
                cohort.size += len(piece)
                self._keeper.pending_events += 1
                if cohort.size >= cohort.enough:
                    self._large[cohort] = None

    def _tell(self, cohort: Cohort, position: int) -> None:
        """Sends what there is, which ends with the revision `position`, to those who have room."""
        keeper, count = self._keeper, len(cohort.pieces)
        keeper.pending_events -= count
        remaining = [share for share in cohort.shares if share.state is State.SWEPT]
        if count:
            fragment_bytes = keeper.fragment_bytes if cohort.interest.fragment else 0
            messages = list(bodies(keeper.head(keeper.revision), cohort.pieces, fragment_bytes))
            cohort.pieces, cohort.size = [], 0
            remaining = [share for share in remaining if self._tell_share(share, messages, count, cohort.position)]
        cohort.shares = remaining
        cohort.position = max(cohort.position, position)

    def _tell_share(self, share: Share, messages: list[bytes], count: int, position: int) -> bool:
        """Whether there was room."""
        if self._keeper.full(share.consumer):
            share.position = position
            self._keeper.park(share)
            return False
        if self._keeper.budget.exceeded:
            share.position = position
            self._keeper.place(share)
            return False
        for body in messages:
            share.send(body)
        self._keeper.budget.told(share.consumer, sum(map(len, messages)) * len(share.watchers))
        self._keeper.events_sent += count * len(share.watchers)
        return True

    def _return_shares(self) -> None:
        for cohort in self._cohorts.values():
            self._keeper.pending_events -= len(cohort.pieces)
            for share in cohort.shares:
                if share.state is State.SWEPT:
                    share.position = cohort.position
                    self._keeper.place(share)
        self._cohorts.clear()
