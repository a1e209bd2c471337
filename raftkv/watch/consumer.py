r"""Watchers, grouped by what they have been told.

    Consumer   one stream: where responses go, and how much of them waits there
      Share    its watchers with the same interest that have been told the same, so one body serves them all
        Watcher

A share is always in exactly one place:

    create --starts in the past---> QUEUED --> SWEPT --told everything--> SYNCED
           --starts with the next-> SYNCED       |  \--more came meanwhile--> QUEUED
           --starts later---------> FUTURE       |
    SYNCED, SWEPT --there is something to tell and the consumer is full--> PARKED --it has room again--> QUEUED
    FUTURE --the store is there--> SYNCED or QUEUED
    any --its last watcher is cancelled--> GONE
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import Protocol

from raftkv.pb.rpc import WatchCreateRequest
from raftkv.watch.encoding import tail
from raftkv.watch.interest import Interest


class Sink(Protocol):
    """Where a stream's responses go. Nothing here waits, and nothing here fails: who is gone is told nothing."""

    @property
    def backlog(self) -> int:
        """Bytes that the client has not collected, with what it costs to keep them."""
        ...

    def send(self, message: bytes) -> None:
        """One response."""
        ...

    def send_each(self, body: bytes, tails: list[bytes]) -> None:
        """A response for each of the tails, which are equally long: the body, then the tail."""
        ...

    def abandon(self) -> None:
        """Ends the stream now, with what was not collected: the client may ask again, from where it was."""
        ...


class State(Enum):
    """Where a share is."""

    SYNCED = auto()
    """It is told of changes as they are applied."""
    QUEUED = auto()
    """It waits for its turn to be told of the past."""
    SWEPT = auto()
    """It is being told."""
    PARKED = auto()
    """Its consumer has enough to collect."""
    FUTURE = auto()
    """It begins at a revision that is not there yet."""
    GONE = auto()


BEHIND = frozenset({State.QUEUED, State.SWEPT, State.PARKED})
"""Where slow watchers are, and those that begin in the past."""


class Consumer:
    """One stream, as those see it who have something to tell."""

    __slots__ = ("caught_up", "compacted", "parked", "sink", "unsynced")

    def __init__(self, sink: Sink, *, caught_up: Callable[[], None], compacted: Callable[["Share", int], None]) -> None:
        """`caught_up` is called when the last share is synced; `compacted` when the history that a share needs is gone."""
        self.sink = sink
        self.caught_up = caught_up
        self.compacted = compacted
        self.unsynced = 0
        """Shares that are not synced."""
        self.parked: dict[Share, None] = {}


class Watcher:
    """One watch of one stream."""

    __slots__ = ("id", "notified", "request", "share", "wants_progress")

    def __init__(self, watch_id: int, request: WatchCreateRequest, share: "Share") -> None:
        self.id = watch_id
        self.request = request
        """As the client sent it: what it may see is decided by this."""
        self.share = share
        self.wants_progress = request.progress_notify
        self.notified = 0
        """How many events its share had seen at the last look: if there are no more, it is told of progress."""


class Share:
    """Watchers of one stream that are told the same.

    Invariant: they have been told everything up to `position`; while SYNCED, up to the hub's revision.
    """

    __slots__ = ("_tails", "consumer", "interest", "position", "state", "told", "watchers")

    def __init__(self, consumer: Consumer, interest: Interest, position: int) -> None:
        self.consumer = consumer
        self.interest = interest
        self.position = position
        self.state = State.GONE
        self.told = 0
        """Counts the times that there was something to tell."""
        self.watchers: dict[int, Watcher] = {}
        self._tails: list[list[bytes]] | None = None

    def add(self, watcher: Watcher) -> None:
        """One more watcher that has been told the same."""
        self.watchers[watcher.id] = watcher
        self._tails = None

    def remove(self, watcher: Watcher) -> None:
        """It is told no more."""
        del self.watchers[watcher.id]
        self._tails = None

    def absorb(self, other: "Share") -> None:
        """Takes over the watchers of a share that has come to the same place."""
        for watcher in other.watchers.values():
            watcher.share = self
            # Whether something was told since the last look is all that counts.
            watcher.notified = self.told - (other.told != watcher.notified)
        self.watchers.update(other.watchers)
        self._tails = None

    def send(self, body: bytes) -> None:
        """A response to each watcher."""
        self.told += 1
        sink = self.consumer.sink
        for tails in self._tails or self._make_tails():
            sink.send_each(body, tails)

    def _make_tails(self) -> list[list[bytes]]:
        by_length: dict[int, list[bytes]] = {}
        for watch_id in self.watchers:
            end = tail(watch_id)
            by_length.setdefault(len(end), []).append(end)
        self._tails = list(by_length.values())
        return self._tails
