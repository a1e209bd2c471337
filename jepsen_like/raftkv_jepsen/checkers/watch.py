"""Watches against the replayed log: exactly what was promised, no more, no less.

| finding | what is wrong |
|---|---|
| filter | an event outside the range, or of a kind that was filtered out |
| ordered | an event of an earlier revision than the one before |
| unique | a (revision, key) twice |
| atomic | a revision split over two responses without the fragment flag |
| reliable | the events up to the last revision seen are not those of the log |
| resumable | the first event is not the first one of the log from the start revision on |
| bookmarkable | a progress revision that goes back, lies before an event already sent, or is overtaken |
| prev_kv | the previous value is not the one of the log |
| is_create | created or modified, wrongly |
| lease delete | a deletion because a lease ended was left out |
| compacted start | a start that was compacted away was not refused with the compact revision, or something else was |
| future start | something was sent from before the start revision |
| fragment | the flag, without having been asked for |
| watch id | an id used twice at a time on a stream, or never made |
| after cancel | an event after the watch ended |
| header revision | went back on a stream |

The wire's facts are events of type `receive` with f `watch`; process is the stream, and value holds `kind`:

    create      watch, key, range_end, start_revision, prev_kv, filters, fragment      what was asked, under a name of ours
    created     watch, watch_id, revision
    events      watch_id, revision, fragment, events: [type, key, value, create, mod, version, lease, prev or null]
    progress    watch_id, revision
    cancelled   watch_id, revision, compact_revision
    final       revision            the run is over, and every watch had time to come this far

A watch that came less far than `final` leaves the verdict unknown.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from raftkv_jepsen.errors import HistoryError
from raftkv_jepsen.history import Event, Process
from raftkv_jepsen.replay import Change, Replay
from raftkv_jepsen.store import Row, within
from raftkv_jepsen.verdict import Finding, Validity, Verdict, judged

PUT, DELETE = "put", "delete"


@dataclass(frozen=True, slots=True)
class Sent:
    """One event as the client got it."""

    type: str
    row: Row
    previous: Row | None

    @property
    def revision(self) -> int:
        """The revision at which it happened."""
        return self.row.mod

    @property
    def key(self) -> str:
        """The key it happened to."""
        return self.row.key


@dataclass(slots=True)
class Watch:
    """A watch as asked for, and how far it has come."""

    name: str
    stream: Process
    key: str
    range_end: str
    start: int
    prev_kv: bool
    filters: frozenset[str]
    fragment: bool
    created: int | None = None
    cancelled: bool = False
    events: list[Sent] = field(default_factory=list)
    progress: int = 0
    in_fragment: bool = False

    @property
    def first(self) -> int:
        """The first revision that it is owed."""
        return self.start if self.start > 0 else (self.created or 0) + 1

    @property
    def last(self) -> int:
        """The last revision that it has come to."""
        return max(self.events[-1].revision if self.events else 0, self.progress)

    def owed(self, change: Change) -> bool:
        """Whether the change belongs to it."""
        kind = DELETE if change.row is None else PUT
        return within(change.key, self.key, self.range_end) and f"no{kind}" not in self.filters


@dataclass(slots=True)
class Streams:
    """What is open on each stream."""

    by_name: dict[tuple[Process, str], Watch] = field(default_factory=dict)
    by_id: dict[tuple[Process, int], Watch] = field(default_factory=dict)
    header: dict[Process, int] = field(default_factory=dict)


def check_watches(events: Iterable[Event], replay: Replay) -> Verdict:
    """Checks every watch in a history.

    Raises:
        HistoryError: an event lacks a field.
    """
    checker = WatchChecker(replay)
    for event in events:
        if event.type == "receive" and event.f == "watch":
            try:
                checker.take(event)
            except (KeyError, TypeError, ValueError) as error:
                raise HistoryError(f"watch event lacks or misstates {error}: {event.value!r:.120}") from error
    return checker.verdict()


class WatchChecker:
    """Takes the events of all streams one by one, and compares with the log at the end."""

    def __init__(self, replay: Replay) -> None:
        self._replay = replay
        self._streams = Streams()
        self._watches: list[Watch] = []
        self._findings: list[Finding] = []
        self._final = 0

    def take(self, event: Event) -> None:
        """One thing that a stream brought."""
        fields = dict(event.value)
        kind = fields["kind"]
        if kind == "create":
            self._ask(event.process, fields)
        elif kind == "final":
            self._final = int(fields["revision"])
        elif kind == "created":
            self._create(event.process, fields)
        else:
            self._header(event.process, fields)
            watch = self._streams.by_id.get((event.process, fields["watch_id"]))
            if watch is None:
                self._report("watch id", f"stream {event.process}: {kind} for id {fields['watch_id']}, which is not open")
            elif watch.cancelled:
                self._report(
                    "after cancel", f"{watch.name}: {kind} at revision {fields.get('revision')} after it was cancelled"
                )
            elif kind == "events":
                self._deliver(watch, fields)
            elif kind == "progress":
                self._progress(watch, int(fields["revision"]))
            elif kind == "cancelled":
                self._cancel(watch, fields)
            else:
                raise ValueError(f"kind {kind!r}")

    def _report(self, name: str, text: str) -> None:
        self._findings.append(Finding(name, text))

    def _ask(self, stream: Process, fields: dict[str, Any]) -> None:
        watch = Watch(
            str(fields["watch"]),
            stream,
            fields["key"],
            fields.get("range_end") or "",
            int(fields.get("start_revision") or 0),
            bool(fields.get("prev_kv")),
            frozenset(fields.get("filters") or ()),
            bool(fields.get("fragment")),
        )
        self._streams.by_name[stream, watch.name] = watch
        self._watches.append(watch)

    def _create(self, stream: Process, fields: dict[str, Any]) -> None:
        watch = self._streams.by_name[stream, str(fields["watch"])]
        watch_id, watch.created = fields["watch_id"], int(fields["revision"])
        self._header(stream, fields)
        known = self._streams.by_id.get((stream, watch_id))
        if known is not None and not known.cancelled:
            self._report("watch id", f"{watch.name} got id {watch_id}, which {known.name} has on stream {stream}")
        self._streams.by_id[stream, watch_id] = watch

    def _header(self, stream: Process, fields: dict[str, Any]) -> None:
        revision = fields.get("revision")
        if revision is None:
            return
        before = self._streams.header.get(stream, 0)
        if revision < before:
            self._report("header revision", f"stream {stream}: from {before} back to {revision}")
        self._streams.header[stream] = max(before, revision)

    def _deliver(self, watch: Watch, fields: dict[str, Any]) -> None:
        sent = [_sent(each) for each in fields["events"]]
        flagged = bool(fields.get("fragment"))
        if flagged and not watch.fragment:
            self._report("fragment", f"{watch.name}: a fragment, which it did not ask for")
        if sent and watch.events and not watch.in_fragment and sent[0].revision == watch.events[-1].revision:
            self._report("atomic", f"{watch.name}: revision {sent[0].revision} in two responses")
        watch.in_fragment = flagged
        for event in sent:
            self._follows(watch, event)
            watch.events.append(event)

    def _follows(self, watch: Watch, event: Sent) -> None:
        """What can be said of an event by those before it."""
        kept = f"no{event.type}" not in watch.filters and within(event.key, watch.key, watch.range_end)
        if not kept:
            self._report("filter", f"{watch.name}: {event.type} of {event.key!r} at {event.revision}")
        if watch.start > 0 and event.revision < watch.start:
            self._report("future start", f"{watch.name} starts at {watch.start} and got {event.key!r} at {event.revision}")
        if event.revision <= watch.progress:
            self._report("bookmarkable", f"{watch.name}: progress {watch.progress}, then an event at {event.revision}")
        if not watch.events:
            return
        before = watch.events[-1].revision
        if event.revision < before:
            self._report("ordered", f"{watch.name}: an event at {event.revision} after one at {before}")
        same = (other for other in reversed(watch.events) if other.revision == event.revision and other.key == event.key)
        if next(same, None) is not None:
            self._report("unique", f"{watch.name}: {event.key!r} at {event.revision} twice")

    def _progress(self, watch: Watch, revision: int) -> None:
        if revision < watch.progress:
            self._report("bookmarkable", f"{watch.name}: progress {revision} after {watch.progress}")
        if watch.events and revision < watch.events[-1].revision:
            self._report("bookmarkable", f"{watch.name}: progress {revision} after an event at {watch.events[-1].revision}")
        if 0 < revision < watch.start - 1:
            self._report("future start", f"{watch.name} starts at {watch.start} and got progress {revision}")
        watch.progress = max(watch.progress, revision)

    def _cancel(self, watch: Watch, fields: dict[str, Any]) -> None:
        watch.cancelled = True
        compacted = int(fields.get("compact_revision") or 0)
        if not compacted:
            return
        following = max(watch.first, watch.last + 1)
        known = any(compaction.compacted == compacted for compaction in self._replay.compactions)
        if not known or following >= compacted + 1:
            self._report(
                "compacted start", f"{watch.name} at {following} was refused with {compacted}, which was not compacted away"
            )

    def verdict(self) -> Verdict:
        """What the whole history says."""
        for watch in self._watches:
            if watch.created is not None:
                self._compare(watch)
        behind = [watch for watch in self._watches if self._is_behind(watch)]
        counts = {
            "watches": len(self._watches),
            "events": sum(len(watch.events) for watch in self._watches),
            "cancelled": sum(watch.cancelled for watch in self._watches),
            "behind": len(behind),
        }
        verdict = judged(self._findings, counts)
        if behind and not self._findings:
            verdict.validity = Validity.UNKNOWN
        return verdict

    def _is_behind(self, watch: Watch) -> bool:
        if watch.created is None or watch.cancelled:
            return False
        return any(watch.owed(change) for change in self._replay.between(max(watch.last + 1, watch.first), self._final))

    def _compare(self, watch: Watch) -> None:
        self._compacted_start(watch)
        owed = [change for change in self._replay.between(watch.first, watch.last) if watch.owed(change)]
        if watch.in_fragment:
            owed = [change for change in owed if change.revision < watch.last or self._was_sent(watch, change)]
        if watch.events and owed and watch.events[0].revision != owed[0].revision:  # within one, the order is the transaction's
            text = f"{watch.name} from {watch.first}: first {_at(watch.events[0])}, in the log {_at(owed[0])}"
            self._report("resumable", text)
        by_place = {(change.revision, change.key): change for change in owed}
        for event in watch.events:
            change = by_place.pop((event.revision, event.key), None)
            if change is None:
                self._report("reliable", f"{watch.name}: {event.type} of {event.key!r} at {event.revision} is not in the log")
            else:
                self._agrees(watch, event, change)
        for change in by_place.values():
            name = "lease delete" if change.by_lease else "reliable"
            self._report(name, f"{watch.name} came to {watch.last} without {change.key!r} at {change.revision}")

    @staticmethod
    def _was_sent(watch: Watch, change: Change) -> bool:
        return any((event.revision, event.key) == (change.revision, change.key) for event in watch.events)

    def _compacted_start(self, watch: Watch) -> None:
        """A compaction that was over when the watch was made, and went past its start, had to refuse it."""
        created = watch.created or 0
        gone = max((c.compacted for c in self._replay.compactions if c.revision < created), default=0)
        if 0 < watch.start < gone and (watch.events or not watch.cancelled) and (watch.events or watch.progress):
            self._report("compacted start", f"{watch.name} from {watch.start}, below {gone}, was served")

    def _agrees(self, watch: Watch, event: Sent, change: Change) -> None:
        """The event is in the log: is it the same?"""
        if (event.type == DELETE) != (change.row is None):
            self._report("reliable", f"{watch.name}: {event.type} of {event.key!r} at {event.revision} is the other in the log")
            return
        if change.row is not None:
            if (event.row.create == event.row.mod) != change.is_create:
                self._report("is_create", f"{watch.name}: {event.key!r} at {event.revision}, created at {event.row.create}")
            elif event.row != change.row:
                self._report("reliable", f"{watch.name}: {event.row} in place of {change.row}")
        compacted = self._compacted_by(event.revision)
        if event.previous != change.previous and not (event.previous is None and (compacted or not watch.prev_kv)):
            self._report(
                "prev_kv", f"{watch.name}: {event.key!r} at {event.revision} was {change.previous}, not {event.previous}"
            )

    def _compacted_by(self, revision: int) -> bool:
        return any(compaction.compacted >= revision - 1 for compaction in self._replay.compactions)


def _sent(fields: tuple[Any, ...]) -> Sent:
    kind, key, value, create, mod, version, lease, previous = fields
    if kind not in {PUT, DELETE}:
        raise ValueError(f"type {kind!r}")
    row = Row(key, value or "", int(create), int(mod), int(version), int(lease))
    return Sent(kind, row, None if previous is None else Row(*previous))


def _at(event: Sent | Change) -> str:
    return f"{event.key!r} at {event.revision}"
