"""The last events, kept in memory: who is behind by a moment need not ask the disk."""

from collections import deque
from collections.abc import Generator, Iterator

from raftkv.mvcc import Event

MAX_EVENTS = 20_000
MAX_BYTES = 16 * 1024 * 1024
EVENT_BYTES = 200
"""What an event costs beside its KeyValues."""
SLICE_EVENTS = 500


class Recent:
    """The events of all revisions after `begin`, up to the last that was added."""

    def __init__(self, begin: int) -> None:
        self.begin = begin
        self._batches: deque[tuple[list[Event], int]] = deque()
        """Events of whole revisions, and their bytes."""
        self._events = 0
        self._bytes = 0

    def restart(self, begin: int) -> None:
        """There is nothing yet after this revision, or nothing that was kept."""
        self.begin = begin
        self._batches.clear()
        self._events = self._bytes = 0

    def add(self, events: list[Event]) -> None:
        """The events of the next revisions."""
        size = sum(EVENT_BYTES + len(event.encoded or b"") + len(event.previous or b"") for event in events)
        self._batches.append((events, size))
        self._events += len(events)
        self._bytes += size
        while self._events > MAX_EVENTS or self._bytes > MAX_BYTES:
            oldest, size = self._batches.popleft()
            self._events -= len(oldest)
            self._bytes -= size
            self.begin = oldest[-1].revision

    def between(self, first: int, last: int, compact_revision: int) -> Generator[list[Event], None, None]:
        """The events of the revisions first to last, which are all kept, in slices of work, whatever is added meanwhile.
        KeyValues before that are compacted are left out, for so they are in history.
        """
        assert first > self.begin, "these events are not kept any more"
        chosen: list[Event] = []
        for event in _within(list(self._batches), first, last):
            known = event.revision > compact_revision
            chosen.append(event if known else event._replace(previous=None))
            if len(chosen) == SLICE_EVENTS:
                yield chosen
                chosen = []
        yield chosen


def _within(batches: list[tuple[list[Event], int]], first: int, last: int) -> Iterator[Event]:
    for events, _ in batches:
        if events[-1].revision >= first:
            for event in events:
                if first <= event.revision <= last:
                    yield event
