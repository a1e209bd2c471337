"""How far a leader is with one follower.

PROBE      where the logs agree is not known: one Append at a time, and the next only after an answer
REPLICATE  it is known: Appends are sent ahead of the answers, as many as the window takes
SNAPSHOT   the entries it needs are compacted: a snapshot is on its way, nothing else is sent

           success                         lost, refused
PROBE ---------------> REPLICATE       REPLICATE ---------> PROBE
PROBE --needs compacted entries--> SNAPSHOT --arrived or failed--> PROBE

match < next; entries in (match, next) are on their way.
"""

from collections import deque
from enum import IntEnum

from raftkv.raft.messages import Snapshot


class ProgressState(IntEnum):
    """See the head of the module."""

    PROBE = 0
    REPLICATE = 1
    SNAPSHOT = 2


class Window:
    """The Appends on their way to a follower: bounded in number and in bytes."""

    __slots__ = ("_bytes", "_max_bytes", "_max_messages", "_sent")

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._sent: deque[tuple[int, int]] = deque()  # (last index, bytes) of each message
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._sent)

    def add(self, last_index: int, size: int) -> None:
        """A message whose entries end at `last_index` leaves."""
        self._sent.append((last_index, size))
        self._bytes += size

    def full(self) -> bool:
        """Whether nothing more may leave."""
        return len(self._sent) >= self._max_messages or self._bytes >= self._max_bytes

    def free_to(self, index: int) -> None:
        """Everything up to `index` has arrived."""
        while self._sent and self._sent[0][0] <= index:
            self._bytes -= self._sent.popleft()[1]

    def clear(self) -> None:
        """What is on its way does not count any more."""
        self._sent.clear()
        self._bytes = 0


class Progress:
    """One follower, or the leader itself, as the leader knows it."""

    __slots__ = (
        "active",
        "match",
        "next",
        "nudge",
        "paused",
        "pending_snapshot",
        "read_round",
        "sent_commit",
        "state",
        "window",
    )

    def __init__(self, next_index: int, window: Window, *, active: bool) -> None:
        self.match = 0
        """The follower's disk equals the leader's log up to here."""
        self.next = next_index
        """The next entry to send."""
        self.state = ProgressState.PROBE
        self.paused = False
        """In PROBE: an Append is out, wait for an answer or for a heartbeat's."""
        self.nudge = False
        """In REPLICATE: send something even if there is nothing new, to find out whether messages were lost."""
        self.window = window
        self.pending_snapshot = 0
        """In SNAPSHOT: its index."""
        self.active = active
        """Heard from since the last time the leader counted its quorum."""
        self.sent_commit = 0
        """The highest commit index that an Append carried there."""
        self.read_round = 0
        """The latest read round it answered."""

    def probe(self) -> None:
        """Finds out again where the logs agree, from what is known for certain."""
        arrived = self.pending_snapshot if self.state == ProgressState.SNAPSHOT else 0
        self.state = ProgressState.PROBE
        self.next = max(self.match, arrived) + 1
        self.sent_commit = 0
        self._start_over()

    def replicate(self) -> None:
        """The logs agree up to match: send ahead."""
        self.state = ProgressState.REPLICATE
        self.next = self.match + 1
        self._start_over()

    def await_snapshot(self, snapshot: Snapshot) -> None:
        """A snapshot is on its way."""
        self.state = ProgressState.SNAPSHOT
        self.pending_snapshot = snapshot.index
        self.next = snapshot.index + 1
        self._start_over()
        self.pending_snapshot = snapshot.index

    def _start_over(self) -> None:
        self.paused = self.nudge = False
        self.pending_snapshot = 0
        self.window.clear()

    def sent(self, last_index: int, size: int, commit: int) -> None:
        """An Append left whose entries, of `size` bytes together, end at `last_index`."""
        self.sent_commit = max(self.sent_commit, commit)
        self.nudge = False
        if self.state == ProgressState.PROBE:
            self.paused = True
        elif last_index >= self.next:
            self.next = last_index + 1
            self.window.add(last_index, size)

    def succeeded(self, index: int) -> bool:
        """The follower's disk equals the leader's log up to `index`; returns whether that is news. An old answer is none."""
        news = index > self.match
        self.match = max(self.match, index)
        self.next = max(self.next, self.match + 1)
        self.window.free_to(index)
        return news

    def refused(self, index: int, agreement: int) -> bool:
        """The follower does not have the entry `index` that an Append was to follow; it may agree at `agreement`.

        Returns False for an old answer, which is to change nothing: what was acknowledged stays so (R13).
        """
        if self.state == ProgressState.SNAPSHOT or index <= self.match:
            return False
        if self.state == ProgressState.PROBE and index != self.next - 1:
            return False
        if self.state == ProgressState.REPLICATE:
            self.probe()
        self.next = max(self.match, min(index - 1, agreement)) + 1
        self.paused = False
        return True

    def check(self) -> None:
        """What holds between two messages."""
        assert self.match < self.next, self
        assert self.state == ProgressState.REPLICATE or len(self.window) == 0, self
        assert (self.state == ProgressState.SNAPSHOT) == (self.pending_snapshot > 0), self

    def __repr__(self) -> str:
        return f"Progress({self.state.name} match={self.match} next={self.next} paused={self.paused} window={len(self.window)})"
