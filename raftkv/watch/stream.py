"""One watch stream: the client's requests, answered with etcd's responses (server/etcdserver/api/v3rpc/watch.go).

create   -> created, before anything else of this id; or created and canceled, without an id
cancel   -> canceled, and nothing of this id after it; an unknown id is passed over
progress -> a response without events and id -1, as soon as every watch of the stream has been told everything
"""

from asyncio import TimerHandle
from collections.abc import Callable
from typing import Protocol

from raftkv.pb.rpc import WatchCreateRequest
from raftkv.watch import encoding
from raftkv.watch.consumer import Consumer, Share, Sink, State, Watcher
from raftkv.watch.hub import Hub
from raftkv.watch.interest import Interest

MAX_WATCHERS = 1_000_000
"""On one node; each costs about a kilobyte."""
PROGRESS_JITTER = 0.1
"""Streams that were opened together do not notify together."""
NO_ID = -1
ALL = b"\0"

EMPTY_RANGE = "mvcc: watcher range is empty"
DUPLICATE_ID = "mvcc: duplicate watch ID provided on the WatchStream"
COMPACTED = "etcdserver: mvcc: required revision has been compacted"
TOO_MANY = "etcdserver: too many requests"


class Census(Protocol):
    """Who counts the watches of a stream."""

    def began(self, request: WatchCreateRequest) -> None:
        """One more."""
        ...

    def ended(self, request: WatchCreateRequest) -> None:
        """One less."""
        ...


class WatchStream:
    """The watches of one stream. `close` comes last."""

    def __init__(self, hub: Hub, sink: Sink, progress_interval_s: float, census: Census | None = None) -> None:
        self._hub = hub
        self._census = census
        self._sink = sink
        self._consumer = Consumer(sink, caught_up=self._caught_up, compacted=self._compacted)
        self._watchers: dict[int, Watcher] = {}
        self._next_id = 0
        self._progress_asked = False
        self._interval_s = progress_interval_s * (1 + PROGRESS_JITTER * hub.rng.random())
        self._notifier: TimerHandle | None = None
        hub.streams += 1

    # --- requests -------------------------------------------------------------------------------------------------

    def create(self, request: WatchCreateRequest, denied: str = "") -> None:
        """Begins a watch, unless it cannot be, or is `denied` for this reason."""
        hub = self._hub
        reason = self._objection(request, denied)
        if reason:
            self._sink.send(encoding.refused(hub.head(hub.revision), reason))
            return
        watch_id = request.watch_id or self._free_id()
        start = request.start_revision or hub.revision + 1
        share = Share(self._consumer, _interest(request), start - 1)
        watcher = self._watchers[watch_id] = Watcher(watch_id, request, share)
        share.add(watcher)
        hub.watchers += 1
        if self._census is not None:
            self._census.began(request)
        self._sink.send(encoding.created(hub.head(hub.revision), watch_id))
        if request.progress_notify and self._notifier is None:
            self._notifier = hub.loop.call_later(self._interval_s, self._notify)
        hub.place(share)

    def cancel(self, watch_id: int, reason: str = "") -> None:
        """Ends a watch."""
        watcher = self._watchers.get(watch_id)
        if watcher is not None:
            self._remove(watcher)
            self._sink.send(encoding.cancelled(self._hub.head(self._hub.revision), watch_id, reason=reason))

    def progress(self) -> None:
        """Answers when all watches are synced, after their events. Etcd 3.5.1 answers always, later ones now or never."""
        if self._watchers:
            self._progress_asked = True
            if not self._consumer.unsynced:
                self._caught_up()

    def requests(self) -> list[WatchCreateRequest]:
        """What is watched."""
        return [watcher.request for watcher in self._watchers.values()]

    def recheck(self, denied: Callable[[WatchCreateRequest], str]) -> None:
        """Ends the watches that are denied now; `denied` says why, or nothing."""
        for watcher in list(self._watchers.values()):
            reason = denied(watcher.request)
            if reason:
                self.cancel(watcher.id, reason)

    def drained(self) -> None:
        """The sink has room again."""
        self._hub.drained(self._consumer)

    @property
    def full(self) -> bool:
        """Whether the client should collect what is there before it asks for more."""
        return self._hub.full(self._consumer)

    def close(self) -> None:
        """The stream is over."""
        if self._notifier is not None:
            self._notifier.cancel()
        for watcher in self._watchers.values():
            if watcher.share.state is not State.GONE:
                self._hub.drop(watcher.share)
            if self._census is not None:
                self._census.ended(watcher.request)
        self._hub.watchers -= len(self._watchers)
        self._hub.budget.forget(self._consumer)
        self._watchers.clear()
        self._hub.streams -= 1

    # --- how they are answered ------------------------------------------------------------------------------------

    def _objection(self, request: WatchCreateRequest, denied: str) -> str:
        if request.start_revision < 0:
            return COMPACTED
        if denied:
            return denied
        if len(request.range_end) and request.range_end != ALL and (request.key or ALL) >= request.range_end:
            return EMPTY_RANGE
        if request.watch_id and request.watch_id in self._watchers:
            return DUPLICATE_ID
        return TOO_MANY if self._hub.watchers >= MAX_WATCHERS else ""

    def _free_id(self) -> int:
        while self._next_id in self._watchers:
            self._next_id += 1
        self._next_id += 1
        return self._next_id - 1

    def _remove(self, watcher: Watcher) -> None:
        share = watcher.share
        del self._watchers[watcher.id]
        self._hub.watchers -= 1
        if self._census is not None:
            self._census.ended(watcher.request)
        if len(share.watchers) == 1:
            self._hub.drop(share)
        else:
            self._hub.left(share)
        share.remove(watcher)

    def _caught_up(self) -> None:
        if self._progress_asked and self._watchers:
            self._progress_asked = False
            self._sink.send(self._hub.head(self._hub.revision) + encoding.tail(NO_ID))

    def _compacted(self, share: Share, compact_revision: int) -> None:
        head = self._hub.head(self._hub.revision)
        for watcher in list(share.watchers.values()):
            self._remove(watcher)
            self._sink.send(encoding.cancelled(head, watcher.id, compact_revision=compact_revision))

    def _notify(self) -> None:
        """Tells synced watches without events since the last time how far they are."""
        self._notifier = None
        head = self._hub.head(self._hub.revision)
        for watcher in self._watchers.values():
            if not watcher.wants_progress:
                continue
            self._notifier = self._notifier or self._hub.loop.call_later(self._interval_s, self._notify)
            share = watcher.share
            if share.told != watcher.notified:
                watcher.notified = share.told
            elif share.state is State.SYNCED and not self.full:
                self._sink.send(head + encoding.tail(watcher.id))


def _interest(request: WatchCreateRequest) -> Interest:
    """Without what makes no difference: no key means the smallest one."""
    filters = request.filters
    return Interest(
        key=request.key or ALL,
        range_end=request.range_end,
        previous=request.prev_kv,
        no_put=WatchCreateRequest.NOPUT in filters,
        no_delete=WatchCreateRequest.NODELETE in filters,
        fragment=request.fragment,
    )
