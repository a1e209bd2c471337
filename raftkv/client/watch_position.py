"""How far a watch has come: what it has seen in full, and from where it goes on after a loss. No I/O.

    next = 0             nothing is known yet: the watch begins wherever the server creates it
    next = r             every change before revision r has been handed on, none from r on
    held                 events of revision `next` whose rest is still to come, in further fragments

A revision is handed on as a whole or not at all, so that resuming at `next` leaves no gap and repeats nothing, and a
transaction is seen in one piece. What is held for that is one revision at most.
"""

from raftkv.pb import kv, rpc


class WatchPosition:
    """The position of one watch."""

    __slots__ = ("_held", "next")

    def __init__(self, start_revision: int) -> None:
        self.next = start_revision
        self._held: list[kv.Event] = []

    def created(self, revision: int) -> None:
        """The server has created the watch, anew or for the first time, when the store was at `revision`."""
        self._held = []
        if not self.next:
            self.next = revision + 1

    def take(self, response: rpc.WatchResponse) -> list[kv.Event]:
        """The events that can be handed on now, all of their revisions."""
        events = self._held + [event for event in response.events if event.kv.mod_revision >= self.next]
        self._held = []
        if response.fragment and events:
            last = events[-1].kv.mod_revision
            whole = next(index for index, event in enumerate(events) if event.kv.mod_revision == last)
            events, self._held = events[:whole], events[whole:]
        if events:
            self.next = events[-1].kv.mod_revision + 1
        return events

    def progress(self, revision: int, *, certain: bool) -> bool:
        """The server says that nothing is missing up to `revision`; false where that says nothing of this watch.

        `certain`: it speaks of this watch and in its order. An answer to a request for progress does not count for
        resuming: etcd before 3.5.8 gives it while the watch still catches up.
        """
        if self._held or revision < self.next - 1:
            return False
        if certain:
            self.next = revision + 1
        return True
